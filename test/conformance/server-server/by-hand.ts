/** A server that is driven by hand: signs requests and events, and keeps nothing. */
import assert from 'node:assert/strict';
import { signRequest } from '../../../pkg/federation/x-matrix.ts';
import { buildEvent, type BuiltEvent } from '../../../pkg/matrix/events/build-event.ts';
import type { EventDraft, Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { ROOM_VERSIONS, roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { referenceTo, type EventReference } from '../../../pkg/matrix/events/references.ts';
import { eventIdOf } from '../../../pkg/matrix/events/event-id.ts';
import type { KeyServer } from '../../kit/key-servers.ts';
import { SERVER, type Answer, type Call, type World } from '../client-server/world.ts';

export const FEDERATION = '/_matrix/federation/v1';
export const FEDERATION_V2 = '/_matrix/federation/v2';
const VERSIONS = ROOM_VERSIONS.map(({ id }) => `ver=${id}`).join('&');

export interface Joined extends BuiltEvent {
  readonly roomId: string;
  readonly version: string;
  /** Of send_join. */
  readonly answer: { readonly state: Pdu[]; readonly auth_chain: Pdu[]; readonly event: Pdu };
}

export interface Place {
  readonly version: string;
  readonly roomId: string;
  readonly prevEvents: readonly EventReference[];
  readonly authEvents: readonly EventReference[];
  readonly depth: number;
}

export interface HandServer {
  readonly name: string;
  /** The call, signed for the world's server. */
  sign(call: Call): Call;
  ask(method: string, path: string, body?: unknown): Promise<Answer>;
  /** An event of this server, hashed and signed. */
  event(draft: EventDraft, place: Place): BuiltEvent;
  /** A membership event by the world's template. */
  template(membership: 'join' | 'leave' | 'knock', roomId: string, userId: string): Promise<BuiltEvent & { readonly version: string }>;
  join(roomId: string, userId: string): Promise<Joined>;
  /** A message that follows the user's join, or other events. */
  message(joined: Joined, body: string, after?: Partial<Place>): BuiltEvent;
  send(pdus: readonly unknown[], txnId?: string): Promise<Answer>;
}

let transactions = 0;

/** `destination`: name of the server that `world` calls; `textOf`: a body as it is sent, which is what is signed. */
export function driveByHand(world: Pick<World, 'call'> & { readonly textOf?: (body: unknown) => string }, by: Pick<KeyServer, 'name' | 'key'>, destination = SERVER): HandServer {
  const server: HandServer = {
    name: by.name,
    sign: (call) => ({
      ...call, authorization: signRequest({ method: call.method, uri: call.path, origin: by.name, destination }, call.body === undefined ? undefined : (world.textOf ?? JSON.stringify)(call.body), by.key),
    }),
    ask: (method, path, body) => world.call(server.sign({ method, path, body })),
    event: (draft, { version, roomId, ...place }) => buildEvent({
      version: roomVersion(version)!, draft, roomId, ...place, originServerTs: Date.now(), serverName: by.name, signingKey: by.key,
    }),
    async template(membership, roomId, userId) {
      const made = await server.ask('GET', `${FEDERATION}/make_${membership}/${encodeURIComponent(roomId)}/${encodeURIComponent(userId)}?${VERSIONS}`);
      assert.equal(made.status, 200, JSON.stringify(made.body));
      const { room_version: version, event } = made.body;
      const place = { version, roomId, prevEvents: event.prev_events, authEvents: event.auth_events, depth: event.depth };
      return { ...server.event({ type: 'm.room.member', sender: userId, state_key: userId, content: event.content }, place), version };
    },
    async join(roomId, userId) {
      const { version, ...built } = await server.template('join', roomId, userId);
      const sent = await server.ask('PUT', `${FEDERATION_V2}/send_join/${encodeURIComponent(roomId)}/${encodeURIComponent(built.eventId)}`, built.pdu);
      assert.equal(sent.status, 200, JSON.stringify(sent.body));
      return { ...built, roomId, version, answer: sent.body };
    },
    message(joined, body, after = {}) {
      const version = roomVersion(joined.version)!;
      const named = (eventId: string, pdu: Pdu): EventReference => referenceTo({ eventId, pdu }, version);
      const own = named(joined.eventId, joined.pdu);
      const cited = joined.answer.state.filter(({ type }) => type === 'm.room.power_levels' || (type === 'm.room.create' && version.createInAuthEvents));
      return server.event({ type: 'm.room.message', sender: joined.pdu.sender, content: { msgtype: 'm.text', body } }, {
        version: joined.version, roomId: joined.roomId, prevEvents: [own], depth: joined.pdu.depth + 1, authEvents: [...cited.map((pdu) => named(eventIdOf(pdu, version), pdu)), own], ...after,
      });
    },
    send(pdus, txnId = `t${(transactions += 1)}`) {
      return server.ask('PUT', `${FEDERATION}/send/${txnId}`, { origin: by.name, origin_server_ts: Date.now(), pdus });
    },
  };
  return server;
}
