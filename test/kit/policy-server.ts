/** A little policy server, over real HTTPS: it signs, refuses, is silent or lies, as a test wants it, and speaks as a homeserver with one user. It keeps nothing of rooms. */
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { encodeBase64 } from '../../pkg/matrix/canonical-json/base64.ts';
import { buildEvent, type BuiltEvent } from '../../pkg/matrix/events/build-event.ts';
import type { EventDraft, Pdu } from '../../pkg/matrix/events/pdu.ts';
import { ROOM_VERSIONS, roomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import { addSignature } from '../../pkg/matrix/signing/sign-event.ts';
import { signingKeyFromSeed, type SigningKey } from '../../pkg/matrix/signing/signing-key.ts';
import type { Authority } from './certificates.ts';
import { NOTHING_HERE, startHandServer, type HandAnswer, type RealHandServer, type RealPeer } from './hand-server.ts';

export const SPAM = { errcode: 'M_FORBIDDEN', error: 'The message appears to contain possible spam', 'org.example.rule': 'caps' };

export interface PolicyServer extends Pick<RealHandServer, 'name' | 'ask' | 'close'> {
  readonly userId: string;
  /** Of an `m.room.policy` state event. */
  readonly content: object;
  mood: 'signs' | 'refuses' | 'silent' | 'lies';
  /** IDs of the servers that have asked for a signature. */
  readonly askedBy: string[];
  /** Its user joins the room with the help of that server. */
  join(to: RealPeer, roomId: string, version: string): Promise<void>;
  /** An event of its user on top of the room as that server knows it: with its homeserver's signature alone. */
  event(to: RealPeer, roomId: string, version: string, draft: Omit<EventDraft, 'sender'>): Promise<BuiltEvent>;
}

const VERSIONS = ROOM_VERSIONS.map(({ id }) => `ver=${id}`).join('&');

export async function startPolicyServer(authority: Authority): Promise<PolicyServer> {
  const policyKey = signingKeyFromSeed('policy_server', new Uint8Array(32).fill(3));
  const wrongKey = signingKeyFromSeed('policy_server', new Uint8Array(32).fill(4));
  const versions = new Map<string, string>();
  const { name, key, ask, close } = await startHandServer(authority, answer);
  const userId = `@policy:${name}`;

  function signatureOf(pdu: Pdu, by: SigningKey): object {
    const version = roomVersion(versions.get(pdu.room_id ?? '') ?? '')!;
    return { [name]: { 'ed25519:policy_server': addSignature(pdu, version, name, by).signatures[name]!['ed25519:policy_server'] } };
  }

  function answer({ url = '', method, headers }: IncomingMessage, body: Buffer): ReturnType<HandAnswer> {
    if (url.startsWith('/_matrix/federation/v1/send/')) return { status: 200, body: { pdus: {} } };
    if (url !== '/_matrix/policy/v1/sign' || method !== 'POST') return NOTHING_HERE;
    server.askedBy.push(/origin="([^"]*)"/.exec(headers.authorization ?? '')?.[1] ?? '');
    if (server.mood === 'refuses') return { status: 400, body: SPAM };
    return server.mood === 'silent' ? undefined : { status: 200, body: signatureOf(JSON.parse(body.toString()) as Pdu, server.mood === 'lies' ? wrongKey : policyKey) };
  }

  /** On top of what the server knows: a template of a leave tells. */
  async function event(to: RealPeer, { roomId, version }: { roomId: string; version: string }, { draft, by }: { draft: EventDraft; by: 'join' | 'leave' }): Promise<BuiltEvent> {
    const made = await ask(to, 'GET', `/_matrix/federation/v1/make_${by}/${encodeURIComponent(roomId)}/${encodeURIComponent(userId)}?${VERSIONS}`);
    assert.equal(made.status, 200, JSON.stringify(made.body));
    const { depth, prev_events: prevEvents, auth_events: authEvents } = made.body['event'] as Pdu;
    return buildEvent({ version: roomVersion(version)!, draft, roomId, depth, prevEvents, authEvents, originServerTs: Date.now(), serverName: name, signingKey: key });
  }

  const server: PolicyServer = {
    name, ask, close, userId, content: { via: name, public_keys: { ed25519: encodeBase64(policyKey.publicKey) } }, mood: 'signs', askedBy: [],
    async join(to, roomId, version) {
      versions.set(roomId, version);
      const { eventId, pdu } = await event(to, { roomId, version }, { draft: { type: 'm.room.member', sender: userId, state_key: userId, content: { membership: 'join' } }, by: 'join' });
      const sent = await ask(to, 'PUT', `/_matrix/federation/v2/send_join/${encodeURIComponent(roomId)}/${encodeURIComponent(eventId)}`, pdu);
      assert.equal(sent.status, 200, JSON.stringify(sent.body));
    },
    event: (to, roomId, version, draft) => event(to, { roomId, version }, { draft: { ...draft, sender: userId }, by: 'leave' }),
  };
  return server;
}
