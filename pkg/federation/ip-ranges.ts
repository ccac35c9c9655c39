/** Ranges of IP addresses, and the addresses that no request to another server may reach. Pure. */

/** What settings start with: everything that is not the public internet (IANA's special-purpose registries), so that another server's names cannot lead into this one's own network. */
export const DENIED_RANGES_DEFAULT: readonly string[] = [
  '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24',
  '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4',
  '::/128', '::1/128', '100::/64', '2001::/23', '2001:db8::/32', '2002::/16', '64:ff9b:1::/48', 'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8',
];

export interface AddressPolicy {
  /** Ranges that are refused, for example `10.0.0.0/8`; a lone address is a range of one. */
  readonly denied: readonly string[];
  /** Exceptions from these: what is in both is allowed. */
  readonly allowed: readonly string[];
}

/** Whether a request may go to an address. What is no address is refused. */
export type AddressCheck = (address: string) => boolean;

/** An address as a number of 32 or 128 bits. */
interface Address {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

interface Range extends Address {
  readonly prefix: number;
}

/** Throws `RangeError` for a range that is none. */
export function addressCheck(policy: AddressPolicy): AddressCheck {
  const denied = policy.denied.map(parseRange);
  const allowed = policy.allowed.map(parseRange);
  return (text) => {
    const address = parseAddress(text);
    if (address === undefined) return false;
    const forms = [address, ...embeddedIpv4(address)];
    const isIn = (ranges: readonly Range[], form: Address) => ranges.some((range) => contains(range, form));
    return forms.every((form) => !isIn(denied, form) || isIn(allowed, form));
  };
}

/** A range in the notation of settings. Throws `RangeError`. */
export function parseRange(text: string): Range {
  const [addressText = '', prefixText, ...rest] = text.split('/');
  const address = parseAddress(addressText);
  const prefix = prefixText === undefined ? address?.bits : /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : undefined;
  if (address === undefined || prefix === undefined || prefix > address.bits || rest.length > 0) throw new RangeError(`not a range of IP addresses: ${JSON.stringify(text)}`);
  return { ...address, prefix };
}

function contains(range: Range, address: Address): boolean {
  if (range.bits !== address.bits) return false;
  const shift = BigInt(range.bits - range.prefix);
  return range.value >> shift === address.value >> shift;
}

/** The IPv4 address that an IPv6 address stands for: mapped (::ffff:0:0/96), compatible (::/96) and translated (64:ff9b::/96) ones. */
function embeddedIpv4(address: Address): Address[] {
  if (address.bits === 32) return [];
  const high = address.value >> 32n;
  const low = address.value & 0xffff_ffffn;
  const isEmbedded = high === 0xffffn || high === 0x64_ff9b_0000_0000_0000_0000n || (high === 0n && low > 1n);
  return isEmbedded ? [{ bits: 32, value: low }] : [];
}

function parseAddress(text: string): Address | undefined {
  const plain = text.split('%')[0] ?? '';
  if (!plain.includes(':')) {
    const value = ipv4Value(plain);
    return value === undefined ? undefined : { bits: 32, value: BigInt(value) };
  }
  const value = ipv6Value(plain);
  return value === undefined ? undefined : { bits: 128, value };
}

function ipv4Value(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

function ipv6Value(text: string): bigint | undefined {
  const halves = text.split('::').map((half) => (half === '' ? [] : half.split(':').flatMap(groupsOf)));
  if (halves.length > 2) return undefined;
  const [head = [], tail] = halves;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array<number>(missing).fill(0), ...(tail ?? [])];
  if (groups.some((group) => !(group >= 0 && group <= 0xffff))) return undefined;
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n);
}

/** One group of hexadecimal digits, or the two of an IPv4 address; NaN for anything else. */
function groupsOf(part: string): number[] {
  const ipv4 = ipv4Value(part);
  if (ipv4 !== undefined) return [Math.floor(ipv4 / 65_536), ipv4 % 65_536];
  return [/^[0-9a-fA-F]{1,4}$/.test(part) ? Number.parseInt(part, 16) : Number.NaN];
}
