import type { Route } from '../../../pkg/http/route.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { eventContextRoute } from './event-context.ts';
import { eventRoute } from './events.ts';
import { joinedRoomsRoute } from './joined-rooms.ts';
import { keysChangesRoute } from './keys.ts';
import { memberRoutes } from './members.ts';
import { messagesRoute } from './messages.ts';
import { notificationsRoute } from './notifications.ts';
import { oldSyncRoutes } from './old-sync.ts';
import { presenceRoute } from './presence.ts';
import { relationRoutes } from './relations.ts';
import { roomInitialSyncRoute } from './room-initial-sync.ts';
import { stateRoutes } from './state.ts';
import { syncRoute } from './sync.ts';
import { threadsListRoute } from './threads-list.ts';
import { timestampToEventRoute } from './timestamp-to-event.ts';

/** All routes that this component serves. */
export function syncapiRoutes(deps: ReadDeps): Route[] {
  return [syncRoute(deps), messagesRoute(deps), eventRoute(deps), eventContextRoute(deps), roomInitialSyncRoute(deps), ...oldSyncRoutes(deps), ...stateRoutes(deps), ...memberRoutes(deps), joinedRoomsRoute(deps), timestampToEventRoute(deps), notificationsRoute(deps), presenceRoute(deps), keysChangesRoute(deps), ...relationRoutes(deps), threadsListRoute(deps)];
}
