/** Certificates for tests: an authority and the servers it vouches for (X.509 v3, RFC 5280, in DER), made without any outside program. */
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { isIP } from 'node:net';

export interface Certificate {
  /** PEM texts. */
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends Certificate {
  /** A certificate for these host names and IP addresses (in their usual notation). */
  issue(names: readonly string[], validity?: Validity): Certificate;
}

export interface Validity {
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

interface Subject {
  readonly name: string;
  readonly publicKey: KeyObject;
}

const DAY_MS = 24 * 3_600_000;
const SHA256_WITH_ECDSA = sequence(oid('1.2.840.10045.4.3.2'));

/** A new authority that nobody trusts yet. */
export function createAuthority(name = 'Test Authority'): Authority {
  const { publicKey, privateKey } = newKeys();
  const own: Subject = { name, publicKey };
  const isAuthority = [
    extension('2.5.29.19', sequence(tagged(0x01, Buffer.from([0xff]))), true),
    extension('2.5.29.15', tagged(0x03, Buffer.from([0x01, 0x06])), true),
  ];
  const cert = certificate({ issuer: own, issuerKey: privateKey, subject: own, extensions: isAuthority });
  return {
    cert,
    key: pemOf(privateKey),
    issue(names, validity) {
      const keys = newKeys();
      const isServer = [
        extension('2.5.29.19', sequence(), true),
        extension('2.5.29.15', tagged(0x03, Buffer.from([0x07, 0x80])), true),
        extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1'))),
        extension('2.5.29.17', sequence(...names.map(alternativeName))),
      ];
      const subject = { name: names[0] ?? 'nobody', publicKey: keys.publicKey };
      return { cert: certificate({ issuer: own, issuerKey: privateKey, subject, extensions: isServer, validity }), key: pemOf(keys.privateKey) };
    },
  };
}

function newKeys() {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function certificate({ issuer, issuerKey, subject, extensions, validity = {} }: {
  issuer: Subject; issuerKey: KeyObject; subject: Subject; extensions: readonly Buffer[]; validity?: Validity;
}): string {
  const notBefore = validity.notBefore ?? new Date(Date.now() - DAY_MS);
  const notAfter = validity.notAfter ?? new Date(Date.now() + 30 * DAY_MS);
  const keyIds = [
    extension('2.5.29.14', tagged(0x04, keyIdOf(subject.publicKey))),
    extension('2.5.29.35', sequence(tagged(0x80, keyIdOf(issuer.publicKey)))),
  ];
  // A leading byte that is neither 0 nor negative keeps the serial number in its shortest form.
  const serial = Buffer.concat([Buffer.from([0x4d]), randomBytes(15)]);
  const body = sequence(
    tagged(0xa0, tagged(0x02, Buffer.from([2]))),
    tagged(0x02, serial),
    SHA256_WITH_ECDSA,
    distinguishedName(issuer.name),
    sequence(time(notBefore), time(notAfter)),
    distinguishedName(subject.name),
    subject.publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions, ...keyIds)),
  );
  const signature = sign('sha256', body, issuerKey);
  const der = sequence(body, SHA256_WITH_ECDSA, tagged(0x03, Buffer.concat([Buffer.from([0]), signature])));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

function keyIdOf(publicKey: KeyObject): Buffer {
  return createHash('sha1').update(publicKey.export({ type: 'spki', format: 'der' })).digest();
}

function distinguishedName(commonName: string): Buffer {
  return sequence(tagged(0x31, sequence(oid('2.5.4.3'), tagged(0x0c, Buffer.from(commonName)))));
}

function alternativeName(name: string): Buffer {
  switch (isIP(name)) {
    case 4:
      return tagged(0x87, Buffer.from(name.split('.').map(Number)));
    case 6:
      return tagged(0x87, ipv6Bytes(name));
    default:
      return tagged(0x82, Buffer.from(name));
  }
}

/** Of an address without an embedded IPv4 one. */
function ipv6Bytes(address: string): Buffer {
  const [head = [], tail = []] = address.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const groups = [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail];
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [tagged(0x01, Buffer.from([0xff]))] : []), tagged(0x04, value));
}

/** UTCTime: dates before 2050. */
function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-T:]|\.\d+/g, '').slice(2);
  return tagged(0x17, Buffer.from(digits));
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  return tagged(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): number[] {
  const digits = [value & 0x7f];
  for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128)) digits.unshift((left & 0x7f) | 0x80);
  return digits;
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

function tagged(tag: number, value: Buffer): Buffer {
  if (value.length < 0x80) return Buffer.concat([Buffer.from([tag, value.length]), value]);
  // DER wants lengths in as few bytes as can be.
  const length = Buffer.from(value.length.toString(16).padStart(value.length > 0xff ? 4 : 2, '0'), 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length, ...length]), value]);
}
