/**
 * The process of the hostile servers: each joins a room of the victim, then answers everything with its own kind of harm while it gives the victim reasons to ask; two flood it with invites,
 * events with wrong signatures, and requests in the names of servers that never answer. Settings come as JSON in the first argument; each line of standard input is an order
 * (`join ROOM,...`, `attack`, `attack KIND,...`, `stop`), answered by a line of JSON.
 */
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { signRequest } from '../../pkg/federation/x-matrix.ts';
import { signingKeyFromSeed } from '../../pkg/matrix/signing/signing-key.ts';
import type { Joined } from '../conformance/server-server/by-hand.ts';
import { startHandPeer, type HandPeer } from '../kit/hand-peer.ts';
import { KINDS, type AttackCounts, type Harm, type HostileSettings, type Kind } from './hostile-kinds.ts';

const settings = JSON.parse(process.argv[2]!) as HostileSettings;
const GIGABYTE = 1e9;
const CHUNK = Buffer.from('{},'.repeat(21_845));
/** Valid, within what a server may say about a large room, and costly to hold. */
const BLOATED = Buffer.concat([Buffer.from('{"events":['), ...Array<Buffer>(700).fill(CHUNK), Buffer.from('{}],"pdus":[],"pdu_ids":[],"auth_chain_ids":[]}')]);
const DEEP = Buffer.from(`{"events":${'['.repeat(2_000_000)}`);

const ANSWERS: Partial<Record<Kind, (response: ServerResponse, url: string) => void>> = {
  drip(response) {
    response.write('{"pdus":{},"a":"');
    const timer = setInterval(() => response.write('x'), 200);
    response.on('close', () => { clearInterval(timer); });
  },
  silent: () => undefined,
  garbage(response) {
    if (randomBytes(1)[0]! < 128) response.writeHead(200, { 'content-type': 'text/html' }).end('<html>It works!</html>');
    else response.socket?.end('SSH-2.0-OpenSSH_9.9\r\n\r\n');
  },
  huge(response, url) {
    if (url.includes('state')) response.setHeader('content-length', String(GIGABYTE));
    let sent = 0;
    response.write('{"events":[');
    const pump = (): void => { while (sent < GIGABYTE && !response.destroyed && response.write(CHUNK)) sent += CHUNK.length; };
    response.on('drain', pump);
    pump();
  },
  bloated: (response) => void response.end(BLOATED),
  redirect: (response, url) => void response.writeHead(307, { location: url }).end(),
  deep: (response) => void response.end(DEEP),
};

const counts: { -readonly [Name in keyof AttackCounts]: AttackCounts[Name] } = { invites: {}, lies: 0, gaps: 0, strangers: 0 };
let attacking = true;
const peers = new Map<Kind, HandPeer>();
const joins = new Map<Kind, Joined>();
/** Takes connections for a whole network of addresses. */
const nobody = createServer((socket) => void socket.on('error', () => undefined));
await new Promise<void>((resolve) => { nobody.listen(0, '0.0.0.0', resolve); });
for (const kind of KINDS) peers.set(kind, await startHandPeer({ certificate: settings, authority: settings.authority, target: settings.target, connections: kind === 'flood' ? 32 : kind === 'liar' ? 80 : 4 }));
say(Object.fromEntries([...peers].map(([kind, { name }]) => [kind, name])));

for await (const line of createInterface({ input: process.stdin })) {
  const [order, names = ''] = line.split(' ');
  if (order === 'join') await join(names.split(','));
  if (order === 'attack') attack(names === '' ? [...KINDS, 'stranger'] : (names.split(',') as Harm[]));
  if (order === 'stop') break;
  say({ done: order });
}
attacking = false;
say(counts);
process.exit(0);

function say(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

async function join(rooms: readonly string[]): Promise<void> {
  await Promise.all(KINDS.map(async (kind, index) => {
    const peer = peers.get(kind)!;
    joins.set(kind, await peer.join(rooms[index]!, `@mallory:${peer.name}`));
  }));
}

function attack(harms: readonly Harm[]): void {
  for (const [kind, peer] of peers) {
    if (!harms.includes(kind)) continue;
    const answer = ANSWERS[kind];
    if (answer !== undefined) peer.answer = (request, _body, response) => answer(response, request.url ?? '');
    if (kind === 'mute') peer.mute();
    if (kind === 'refuse') peer.hangUp();
    if (kind !== 'flood' && kind !== 'liar') void again(300, () => gap(peer, joins.get(kind)!));
  }
  if (harms.includes('liar')) void again(50, lie);
  for (let worker = 0; worker < 64 && harms.includes('stranger'); worker += 1) void again(10, stranger);
  if (harms.includes('flood')) void flood();
}

async function again(pauseMs: number, work: () => Promise<void>): Promise<void> {
  while (attacking) {
    await work().catch(() => undefined);
    await sleep(pauseMs);
  }
}

/** An event after others that nobody has: the victim asks for them, and for the state there. */
async function gap(peer: HandPeer, joined: Joined): Promise<void> {
  const missing = `$${randomBytes(32).toString('base64url')}`;
  await peer.send([peer.message(joined, 'after what you do not have', { prevEvents: [missing], depth: joined.pdu.depth + 5 }).pdu], randomBytes(6).toString('hex'));
  counts.gaps += 1;
}

/** Fifty events whose signatures are wrong, some in the names of servers that take long to give their keys. */
async function lie(): Promise<void> {
  const peer = peers.get('liar')!;
  const pdus = Array.from({ length: 50 }, (_, index) => {
    const { pdu } = peer.message(joins.get('liar')!, `lie ${counts.lies} ${index}`);
    const server = index % 10 === 0 ? strangerName() : peer.name;
    return { ...pdu, sender: `@mallory:${server}`, signatures: { [server]: { 'ed25519:hand': randomBytes(64).toString('base64').replace(/=+$/, '') } } };
  });
  await peer.send(pdus, randomBytes(6).toString('hex'));
  counts.lies += 50;
}

/** A request in the name of a server that takes connections and never answers. */
async function stranger(): Promise<void> {
  const origin = strangerName();
  const call = { method: 'GET', path: '/_matrix/federation/v1/query/profile?user_id=@a:b' };
  const key = signingKeyFromSeed('stranger', randomBytes(32));
  counts.strangers += 1;
  await peers.get('liar')!.call({ ...call, authorization: signRequest({ ...call, uri: call.path, origin, destination: settings.target }, undefined, key) });
}

function strangerName(): string {
  return `127.${[...randomBytes(3)].map((byte) => 1 + (byte % 254)).join('.')}:${(nobody.address() as AddressInfo).port}`;
}

async function flood(): Promise<void> {
  const peer = peers.get('flood')!;
  let left = settings.invites;
  const worker = async (): Promise<void> => {
    while (attacking && left > 0) {
      left -= 1;
      const status = await invite(peer).catch(() => 0);
      counts.invites[status] = (counts.invites[status] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: 32 }, worker));
}

/** To a room of its own, each time another one. */
async function invite(peer: HandPeer): Promise<number> {
  const sender = `@mallory:${peer.name}`;
  const place = { version: '10', prevEvents: [], authEvents: [], depth: 1, roomId: `!${randomBytes(12).toString('base64url')}:${peer.name}` };
  const { eventId, pdu } = peer.event({ type: 'm.room.member', sender, state_key: settings.victim, content: { membership: 'invite' } }, { ...place, depth: 3 });
  const stripped = [{ type: 'm.room.create', sender, state_key: '', content: { room_version: '10', creator: sender } }, { type: 'm.room.name', sender, state_key: '', content: { name: 'Buy now' } }];
  const path = `/_matrix/federation/v2/invite/${encodeURIComponent(place.roomId)}/${encodeURIComponent(eventId)}`;
  return (await peer.ask('PUT', path, { room_version: '10', event: pdu, invite_room_state: stripped })).status;
}
