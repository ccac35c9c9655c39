/** Read-only answers about the past of rooms and their graphs (`schemas/ports/room-query.ts`, `RoomHistoryQuery`). */
import type { Reader } from '../../../pkg/storage/database.ts';
import type { RoomHistoryQuery } from '../../../schemas/ports/room-query.ts';
import { historyEnd } from '../history/frontier.ts';
import { authChain } from './auth-chain.ts';
import { joinedHosts, joinedHostsAt, membershipsAt } from './members-at.ts';
import { partialStateBefore } from './partial-state.ts';
import { visibleToServer } from './server-visibility.ts';
import { stateAt, stateIdsAt } from './state-at.ts';
import { timestampToEvent } from './timestamp-to-event.ts';
import { visibleToUser } from './user-visibility.ts';
import { backfill, missingEvents } from './walk-back.ts';

export function roomHistoryQuery(database: Reader): RoomHistoryQuery {
  return {
    stateIdsAt: (eventIds, side) => stateIdsAt(database, eventIds, side),
    stateAt: (eventId, side, keys) => stateAt(database, { eventId, side, keys }),
    authChain: (eventIds, limit) => authChain(database, eventIds, limit),
    missingEvents: (wish) => missingEvents(database, wish),
    backfill: (wish) => backfill(database, wish),
    partialStateBefore: (eventId, joinerId) => partialStateBefore(database, eventId, joinerId),
    joinedHosts: (roomId) => joinedHosts(database, roomId),
    joinedHostsAt: (eventId, side) => joinedHostsAt(database, eventId, side),
    visibleToServer: (serverName, eventIds) => visibleToServer(database, serverName, eventIds),
    visibleToUser: (userId, eventIds) => visibleToUser(database, userId, eventIds),
    timestampToEvent: (roomId, ts, direction) => timestampToEvent(database, roomId, { ts, direction }),
    historyEnd: (roomId) => historyEnd(database, roomId),
    membershipsAt: (userId, eventIds, side) => membershipsAt(database, { userId, eventIds, side }),
  };
}
