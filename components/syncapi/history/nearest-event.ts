/** The event nearest to a time: among those that are here, and among those that other servers know. */
import { askTimestampToEvent, type EventAtTime } from '../../../pkg/federation/timestamp-to-event.ts';
import { FederationError, type FederationTransport } from '../../../pkg/federation/transport.ts';
import type { RoomHistoryQuery, RoomQuery } from '../../../schemas/ports/room-query.ts';

export interface Moment {
  readonly roomId: string;
  /** Wall-clock ms. */
  readonly ts: number;
  /** At the time or after (`f`), or before (`b`). */
  readonly direction: 'f' | 'b';
}

export interface NearestEvent {
  here(moment: Moment): Promise<EventAtTime | undefined>;
  /** Whether events between the time and the nearest that is here may be known to other servers only. */
  mayLack(moment: Moment): Promise<boolean>;
  /** undefined: nobody who answered in time knows one. */
  elsewhere(moment: Moment): Promise<EventAtTime | undefined>;
}

export interface NearestDeps {
  readonly serverName: string;
  readonly roomQuery: Pick<RoomQuery, 'someServers'>;
  readonly roomHistoryQuery: Pick<RoomHistoryQuery, 'timestampToEvent' | 'historyEnd'>;
  readonly signedTransport: FederationTransport;
}

const SERVERS_MAX = 3;
const DEADLINE_MS = 3000;

export function createNearestEvent({ serverName, roomQuery, roomHistoryQuery, signedTransport }: NearestDeps): NearestEvent {
  return {
    here: ({ roomId, ts, direction }) => roomHistoryQuery.timestampToEvent(roomId, ts, direction),
    // What is not here is older than what is.
    mayLack: async ({ roomId, ts }) => (await roomHistoryQuery.timestampToEvent(roomId, ts, 'b')) === undefined && (await roomHistoryQuery.historyEnd(roomId)) !== undefined,
    async elsewhere(moment) {
      const servers = (await roomQuery.someServers(moment.roomId, SERVERS_MAX + 1)).filter((server) => server !== serverName).slice(0, SERVERS_MAX);
      for (const destination of servers) {
        try {
          return await askTimestampToEvent(signedTransport, { ...moment, destination, deadlineMs: DEADLINE_MS });
        } catch (error) {
          if (!(error instanceof FederationError)) throw error;
        }
      }
      return undefined;
    },
  };
}
