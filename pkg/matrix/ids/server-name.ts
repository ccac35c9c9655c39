/** Server names (spec: appendices, "Server Name"). */
import { byteLength } from './byte-length.ts';

/** The grammar's longest host name. */
const DNS_NAME = /^[A-Za-z0-9.-]{1,255}$/;
const IPV4 = /^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$/;
const IPV6_CHARS = /^[0-9A-Fa-f:.]{2,45}$/;
const PORT = /^\d{1,5}$/;

/** The host (an IPv6 literal without its brackets) and port of a server name; undefined when it is malformed. */
export function parseServerName(name: string): { host: string; isIpLiteral: boolean; port: number | undefined } | undefined {
  const match = /^(\[[^\]]*\]|[^:[\]]+)(?::(.*))?$/s.exec(name);
  if (match === null) return undefined;
  const [, hostText, portText] = match as unknown as [string, string, string | undefined];
  if (portText !== undefined && (!PORT.test(portText) || Number(portText) > 65_535)) return undefined;
  const port = portText === undefined ? undefined : Number(portText);
  if (hostText.startsWith('[')) {
    const host = hostText.slice(1, -1);
    return isIpv6(host) ? { host, isIpLiteral: true, port } : undefined;
  }
  if (IPV4.test(hostText)) return isIpv4(hostText) ? { host: hostText, isIpLiteral: true, port } : undefined;
  return DNS_NAME.test(hostText) ? { host: hostText, isIpLiteral: false, port } : undefined;
}

/** Whether `name` is a server name: host, optionally with a port. */
export function isServerName(name: string): boolean {
  // Nearly all names are plain host names.
  if (DNS_NAME.test(name) && !IPV4.test(name)) return true;
  return byteLength(name) <= 300 && parseServerName(name) !== undefined;
}

function isIpv4(text: string): boolean {
  return IPV4.test(text) && text.split('.').every((part) => Number(part) <= 255);
}

/** RFC 3513, section 2.2: eight groups, one run of them optionally as `::`, the last two optionally as an IPv4 address. */
function isIpv6(text: string): boolean {
  if (!IPV6_CHARS.test(text)) return false;
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const all = groups.flat();
  const last = all.at(-1);
  const endsInIpv4 = last !== undefined && last.includes('.');
  if (endsInIpv4 && (!isIpv4(last) || groups.at(-1)?.length === 0)) return false;
  const hexGroups = endsInIpv4 ? all.slice(0, -1) : all;
  if (!hexGroups.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))) return false;
  const count = hexGroups.length + (endsInIpv4 ? 2 : 0);
  return halves.length === 2 ? count <= 7 : count === 8;
}
