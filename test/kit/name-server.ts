/** A name server on this machine (RFC 1035, RFC 2782): answers questions from a table, aliases followed, as a resolver's server does. */
import { createSocket } from 'node:dgram';

export interface Zone {
  readonly a?: readonly string[];
  /** Written out in eight groups. */
  readonly aaaa?: readonly string[];
  readonly cname?: string;
  readonly srv?: readonly { readonly target: string; readonly port: number; readonly priority?: number; readonly weight?: number }[];
}

export interface NameServer {
  /** `address:port`. */
  readonly address: string;
  /** By name, lower case; may be changed at any time. */
  readonly zones: Record<string, Zone>;
  /** Names and types that were asked for, in order. */
  readonly asked: string[];
  close(): void;
}

const TYPES: Readonly<Record<number, 'a' | 'aaaa' | 'cname' | 'srv'>> = { 1: 'a', 5: 'cname', 28: 'aaaa', 33: 'srv' };
const CNAME = 5;
const NO_SUCH_NAME = 3;

export async function startNameServer(zones: Record<string, Zone> = {}): Promise<NameServer> {
  const asked: string[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => { socket.send(answer(query, zones, asked), from.port, from.address); });
  await new Promise<void>((resolve) => { socket.bind(0, '127.0.0.1', resolve); });
  return { address: `127.0.0.1:${socket.address().port}`, zones, asked, close: () => void socket.close() };
}

function answer(query: Buffer, zones: Readonly<Record<string, Zone>>, asked: string[]): Buffer {
  const { name, end } = nameIn(query);
  const type = query.readUInt16BE(end);
  const kind = TYPES[type];
  asked.push(`${name} ${kind ?? type}`);
  const records: Buffer[] = [];
  let at = name;
  for (let alias = zones[at]?.cname, hops = 0; alias !== undefined && hops < 5; alias = zones[at]?.cname, hops += 1) {
    records.push(record(at, CNAME, nameBytes(alias)));
    at = alias;
  }
  if (kind !== undefined && kind !== 'cname') records.push(...dataOf(zones[at] ?? {}, kind).map((data) => record(at, type, data)));
  const code = zones[name] === undefined ? NO_SUCH_NAME : 0;
  const header = Buffer.from([query[0] ?? 0, query[1] ?? 0, 0x85, 0x80 | code, 0, 1, 0, records.length, 0, 0, 0, 0]);
  return Buffer.concat([header, query.subarray(12, end + 4), ...records]);
}

function nameIn(query: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

function record(name: string, type: number, data: Buffer): Buffer {
  return Buffer.concat([nameBytes(name), Buffer.from([0, type, 0, 1, 0, 0, 0, 60, data.length >> 8, data.length & 255]), data]);
}

function dataOf(zone: Zone, kind: 'a' | 'aaaa' | 'srv'): Buffer[] {
  if (kind === 'a') return (zone.a ?? []).map((address) => Buffer.from(address.split('.').map(Number)));
  if (kind === 'aaaa') return (zone.aaaa ?? []).map((address) => Buffer.from(address.split(':').map((group) => group.padStart(4, '0')).join(''), 'hex'));
  return (zone.srv ?? []).map(({ target, port, priority = 10, weight = 0 }) => Buffer.concat([Buffer.from([priority >> 8, priority & 255, weight >> 8, weight & 255, port >> 8, port & 255]), nameBytes(target)]));
}

function nameBytes(name: string): Buffer {
  return Buffer.concat([...name.split('.').filter((label) => label !== '').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])), Buffer.from([0])]);
}
