/** What PUT /send_join answers (spec: server-server, "Joining Rooms"): the join, the state before it and all that they stand on; where the server fetches these later, without the members. */
import { must } from '../../../pkg/assert/assert.ts';
import type { ApiResponse } from '../../../pkg/http/route.ts';
import type { IntactEvent } from '../../../pkg/matrix/events/check-received.ts';
import type { RoomHistoryQuery, RoomQuery } from '../../../schemas/ports/room-query.ts';
import type { AuthDeps } from '../auth/authenticated.ts';
import { collectWithAuthChain, jsonBytes } from './collect-events.ts';

export interface JoinAnswerPorts {
  readonly roomQuery: Pick<RoomQuery, 'eventsById' | 'someJoinedMembers'>;
  readonly roomHistoryQuery: Pick<RoomHistoryQuery, 'stateIdsAt' | 'partialStateBefore' | 'joinedHosts'>;
}

export interface JoinAnswers {
  /** JSON text goes before and after the object (the first version of the endpoint). */
  whole(join: IntactEvent, around: readonly [before: string, after: string]): Promise<ApiResponse>;
  /** For a server that said `omit_members`. */
  partial(join: IntactEvent, origin: string): Promise<ApiResponse>;
}

export function joinAnswers({ roomQuery, roomHistoryQuery }: JoinAnswerPorts, { clock, serverName }: Pick<AuthDeps, 'clock' | 'serverName'>): JoinAnswers {
  /** What the joined server has to know: the event, the state before it and all that they stand on. */
  async function whole({ eventId, bytes }: IntactEvent, [before, after]: readonly [before: string, after: string]): Promise<ApiResponse> {
    const state = must((await roomHistoryQuery.stateIdsAt([eventId], 'before')).get(eventId), 'the state before an accepted event');
    // Its own auth events are among those of the state, but for what the state has left behind.
    const { pdus, eventIds, authChain } = await collectWithAuthChain({ roomQuery, clock }, [...state, eventId]);
    return {
      status: 200,
      json: await jsonBytes(clock, [
        `${before}{"auth_chain":[`, { eventIds: authChain, pdus }, `],"event":`, bytes, `,"members_omitted":false,"origin":${JSON.stringify(serverName)},"state":[`,
        { eventIds: eventIds.filter((id) => id !== eventId), pdus }, `]}${after}`,
      ]),
    };
  }

  /** The same without what the server says it will fetch later: the members, and of the auth chain what is in the state already. */
  async function partial({ eventId, bytes, pdu, roomId }: IntactEvent, origin: string): Promise<ApiResponse> {
    const { eventIds: others, heroes } = must(await roomHistoryQuery.partialStateBefore(eventId, pdu.sender), 'the state before an accepted event');
    const state = [...others, ...heroes];
    const { pdus, eventIds, authChain } = await collectWithAuthChain({ roomQuery, clock }, [...state, eventId]);
    const told = new Set(state);
    return {
      status: 200,
      json: await jsonBytes(clock, [
        '{"auth_chain":[', { eventIds: authChain.filter((id) => !told.has(id)), pdus }, `],"event":`, bytes, `,"members_omitted":true,"origin":${JSON.stringify(serverName)},`,
        `"servers_in_room":${JSON.stringify(await serversBefore(roomId, origin, pdu.sender))},"state":[`, { eventIds: eventIds.filter((id) => id !== eventId), pdus }, ']}',
      ]),
    };
  }

  /** Those that were in the room before the join: what has come since does no harm. */
  async function serversBefore(roomId: string, origin: string, joinerId: string): Promise<string[]> {
    const hosts = await roomHistoryQuery.joinedHosts(roomId);
    const others = (await roomQuery.someJoinedMembers(roomId, origin, 2)).filter((userId) => userId !== joinerId);
    return others.length > 0 ? hosts : hosts.filter((host) => host !== origin);
  }

  return { whole, partial };
}
