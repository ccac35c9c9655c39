/** A little policy server, over real HTTPS: it signs, refuses, is silent or lies, as a test wants it, and speaks as a homeserver with one user. It keeps nothing of rooms. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { makeServerKeys } from '../../pkg/federation/server-keys.ts';
import { signRequest } from '../../pkg/federation/x-matrix.ts';
import { encodeBase64 } from '../../pkg/matrix/canonical-json/base64.ts';
import { buildEvent, type BuiltEvent } from '../../pkg/matrix/events/build-event.ts';
import type { EventDraft, Pdu } from '../../pkg/matrix/events/pdu.ts';
import type { EventReference } from '../../pkg/matrix/events/references.ts';
import { ROOM_VERSIONS, roomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import { addSignature } from '../../pkg/matrix/signing/sign-event.ts';
import { signingKeyFromSeed, type SigningKey } from '../../pkg/matrix/signing/signing-key.ts';
import type { Authority } from './certificates.ts';

export const SPAM = { errcode: 'M_FORBIDDEN', error: 'The message appears to contain possible spam', 'org.example.rule': 'caps' };

export interface PolicyRoom {
  readonly roomId: string;
  readonly version: string;
  readonly prevEvents: readonly EventReference[];
  readonly authEvents: readonly EventReference[];
  readonly depth: number;
}

export interface PolicyServer {
  readonly name: string;
  readonly userId: string;
  /** Of an `m.room.policy` state event. */
  readonly content: object;
  mood: 'signs' | 'refuses' | 'silent' | 'lies';
  /** IDs of the servers that have asked for a signature. */
  readonly askedBy: string[];
  /** A request of this server to one that listens at `baseUrl`. */
  ask(to: PolicyPeer, method: string, path: string, body?: object): Promise<{ readonly status: number; readonly body: Record<string, unknown> }>;
  /** Its user joins the room with the help of that server. */
  join(to: PolicyPeer, roomId: string, version: string): Promise<void>;
  /** An event of its user on top of the room as that server knows it: with its homeserver's signature alone. */
  event(to: PolicyPeer, roomId: string, version: string, draft: Omit<EventDraft, 'sender'>): Promise<BuiltEvent>;
  close(): Promise<void>;
}

export interface PolicyPeer {
  readonly baseUrl: string;
  readonly serverName: string;
}

const VALIDITY_MS = 24 * 3_600_000;
const VERSIONS = ROOM_VERSIONS.map(({ id }) => `ver=${id}`).join('&');

export async function startPolicyServer(authority: Authority): Promise<PolicyServer> {
  const { cert, key: tlsKey } = authority.issue(['localhost']);
  const policyKey = signingKeyFromSeed('policy_server', new Uint8Array(32).fill(3));
  const wrongKey = signingKeyFromSeed('policy_server', new Uint8Array(32).fill(4));
  const versions = new Map<string, string>();
  const listener = createServer({ cert, key: tlsKey }, (request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const name = `localhost:${(listener.address() as { port: number }).port}`;
  const key = signingKeyFromSeed('hand', createHash('sha256').update(name).digest());
  const userId = `@policy:${name}`;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const give = (status: number, body: object): void => void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    const { url = '', method } = request;
    if (url === '/_matrix/key/v2/server') return give(200, makeServerKeys({ serverName: name, signingKeys: [key], nowMs: Date.now(), validityMs: VALIDITY_MS }));
    if (url.startsWith('/_matrix/federation/v1/send/')) return give(200, { pdus: {} });
    if (url !== '/_matrix/policy/v1/sign' || method !== 'POST') return give(404, { errcode: 'M_UNRECOGNIZED', error: 'Nothing is here' });
    server.askedBy.push(/origin="([^"]*)"/.exec(request.headers.authorization ?? '')?.[1] ?? '');
    if (server.mood === 'refuses') return give(400, SPAM);
    if (server.mood !== 'silent') give(200, signatureOf(JSON.parse(Buffer.concat(chunks).toString()) as Pdu, server.mood === 'lies' ? wrongKey : policyKey));
  }

  function signatureOf(pdu: Pdu, by: SigningKey): object {
    const version = roomVersion(versions.get(pdu.room_id ?? '') ?? '')!;
    return { [name]: { 'ed25519:policy_server': addSignature(pdu, version, name, by).signatures[name]!['ed25519:policy_server'] } };
  }

  /** On top of what the server knows: a template of a leave tells. */
  async function event(to: PolicyPeer, { roomId, version }: Pick<PolicyRoom, 'roomId' | 'version'>, { draft, by }: { draft: EventDraft; by: 'join' | 'leave' }): Promise<BuiltEvent> {
    const made = await server.ask(to, 'GET', `/_matrix/federation/v1/make_${by}/${encodeURIComponent(roomId)}/${encodeURIComponent(userId)}?${VERSIONS}`);
    assert.equal(made.status, 200, JSON.stringify(made.body));
    const { depth, prev_events: prevEvents, auth_events: authEvents } = made.body['event'] as Pdu;
    return buildEvent({ version: roomVersion(version)!, draft, roomId, depth, prevEvents, authEvents, originServerTs: Date.now(), serverName: name, signingKey: key });
  }

  const server: PolicyServer = {
    name, userId, content: { via: name, public_keys: { ed25519: encodeBase64(policyKey.publicKey) } }, mood: 'signs', askedBy: [],
    async ask({ baseUrl, serverName: destination }, method, path, body) {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const authorization = signRequest({ method, uri: path, origin: name, destination }, text, key);
      const response = await fetch(`${baseUrl}${path}`, { method, headers: { authorization, ...(text !== undefined && { 'content-type': 'application/json' }) }, ...(text !== undefined && { body: text }) });
      return { status: response.status, body: await response.json() as Record<string, unknown> };
    },
    async join(to, roomId, version) {
      versions.set(roomId, version);
      const { eventId, pdu } = await event(to, { roomId, version }, { draft: { type: 'm.room.member', sender: userId, state_key: userId, content: { membership: 'join' } }, by: 'join' });
      const sent = await server.ask(to, 'PUT', `/_matrix/federation/v2/send_join/${encodeURIComponent(roomId)}/${encodeURIComponent(eventId)}`, pdu);
      assert.equal(sent.status, 200, JSON.stringify(sent.body));
    },
    event: (to, roomId, version, draft) => event(to, { roomId, version }, { draft: { ...draft, sender: userId }, by: 'leave' }),
    async close() {
      listener.closeAllConnections();
      listener.close();
      await once(listener, 'close');
    },
  };
  return server;
}
