/** How the lying peer answers: truly where it would otherwise be nobody (keys, invites), and else late, never, with errors or with nonsense. */
import { makeServerKeys } from '../../../../pkg/federation/server-keys.ts';
import type { RawRequest } from '../../../../pkg/http/router.ts';
import type { ApiResponse } from '../../../../pkg/http/route.ts';
import type { Pdu } from '../../../../pkg/matrix/events/pdu.ts';
import { roomVersion } from '../../../../pkg/matrix/room-versions/room-versions.ts';
import { addSignature } from '../../../../pkg/matrix/signing/sign-event.ts';
import { domainOf } from '../../../../pkg/matrix/ids/domain-of.ts';
import { garbage } from './garbage.ts';
import { listOf } from './liar-room.ts';
import type { LyingPeer } from './liar.ts';

const NOT_FOUND: ApiResponse = { status: 404, body: { errcode: 'M_NOT_FOUND', error: 'There is nothing here' } };

/** Undefined: the connection breaks. */
export async function answer(liar: LyingPeer, raw: RawRequest): Promise<ApiResponse | undefined> {
  const { world } = liar;
  const body = (raw.body === undefined ? {} : JSON.parse(Buffer.from(raw.body).toString())) as Record<string, unknown>;
  if (liar.silence === 'gone') return undefined;
  if (raw.path === '/_matrix/key/v2/server') return { status: 200, body: makeServerKeys({ serverName: liar.name, signingKeys: [liar.signingKey], nowMs: Math.floor(world.scheduler.now), validityMs: 24 * 3_600_000 }) };
  if (raw.path.startsWith('/_matrix/federation/v1/send/')) return takeTransaction(liar, body);
  if (raw.path.startsWith('/_matrix/federation/v2/invite/')) return takeInvite(liar, raw.path, body);
  if (liar.silence === 'polite') return NOT_FOUND;
  const { random } = world;
  if (random.chance(0.2)) return new Promise(() => undefined);
  if (random.chance(0.3)) await world.sleep(random.between(1000, 60_000));
  if (random.chance(0.3)) return { status: random.pick([400, 403, 404, 429, 500, 503]), body: random.pick<unknown>([{ errcode: 'M_UNKNOWN', error: 'no' }, {}, 'no', []]) };
  return { status: 200, body: wrongAnswer(liar, raw.path) };
}

function takeTransaction(liar: LyingPeer, body: Record<string, unknown>): ApiResponse {
  const { random } = liar.world;
  for (const pdu of listOf(body['pdus'])) liar.rooms.get((pdu as Pdu).room_id ?? '')?.learn(pdu, true);
  if (liar.silence === 'not yet' && random.chance(0.2)) return { status: random.pick([200, 429, 500]), body: garbage(random) };
  return { status: 200, body: { pdus: {} } };
}

async function takeInvite(liar: LyingPeer, path: string, body: Record<string, unknown>): Promise<ApiResponse> {
  const { random } = liar.world;
  const roomId = decodeURIComponent(path.split('/')[5] ?? '');
  const version = roomVersion(String(body['room_version']));
  const event = body['event'] as Pdu;
  if (version === undefined || random.chance(0.2)) return { status: 200, body: garbage(random) };
  if (liar.silence === 'not yet' && !liar.rooms.has(roomId)) void liar.join(roomId, domainOf(event.sender));
  if (random.chance(0.2)) return { status: 200, body: { event: { ...event, content: { membership: 'join' } } } };
  return { status: 200, body: { event: addSignature(event, version, liar.name, liar.signingKey) } };
}

/** Of the form that was asked for, most of the time, with events that do not belong there. */
function wrongAnswer(liar: LyingPeer, path: string): unknown {
  const { random } = liar.world;
  if (random.chance(0.3)) return garbage(random);
  const known = [...liar.rooms.values()].flatMap((room) => [...room.events]);
  const some = known.filter(() => random.chance(0.3)).slice(0, 20);
  const pdus = some.map(([, pdu]) => pdu);
  const ids = some.map(([eventId]) => eventId);
  // A state that is whole in itself would be believed, and rightly: this one is always without its create event.
  if (path.includes('/state_ids/')) return { pdu_ids: some.filter(([, { type }]) => type !== 'm.room.create').map(([eventId]) => eventId), auth_chain_ids: ids.slice(0, 3) };
  if (path.includes('/state/')) return { pdus: pdus.filter(({ type }) => type !== 'm.room.create'), auth_chain: [] };
  if (path.includes('/event_auth/')) return { auth_chain: pdus };
  if (path.includes('/event/')) return { origin: liar.name, origin_server_ts: 1, pdus: pdus.slice(0, 1) };
  if (path.includes('/get_missing_events/')) return { events: pdus };
  if (path.includes('/backfill/')) return { origin: liar.name, origin_server_ts: 1, pdus };
  return garbage(random);
}
