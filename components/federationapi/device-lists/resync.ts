/**
 * Asks other servers for the devices of their users of which a change was missed (server-server, "Device Management"), and forgets users who share no room with anybody here. What is found is an
 * input to the owner, which takes it if nothing newer was heard of meanwhile: two instances that ask for the same user do no harm.
 */
import { getUserDevices } from '../../../pkg/federation/user-keys.ts';
import { FederationError } from '../../../pkg/federation/transport.ts';
import { partitionOf } from '../../../pkg/log/partition-map.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import type { Task } from '../../../pkg/runtime/runtime.ts';
import type { FederationapiDeps } from '../deps.ts';
import { createDepartures, type DepartureDeps } from './departures.ts';

export interface DeviceListResync {
  /** Something was heard of devices elsewhere: there may be something to be asked for. */
  changed(): void;
  /** Users of other servers who were in a room and are no longer. */
  departed(userIds: readonly string[]): void;
  start(): Promise<void>;
  stop(): Promise<void>;
  health(): string | undefined;
}

type ResyncDeps = DepartureDeps & Pick<FederationapiDeps, 'runtime' | 'commands' | 'signedTransport' | 'partitionMap'> & {
  readonly isDenied: (serverName: string) => boolean;
};

const EVERY_MS = 30_000;
/** After something was heard of: more may come. */
const SOON_MS = 1000;
const PAGE = 200;
const ASK_MS = 10_000;
const PAUSE_FIRST_MS = 60_000;
const PAUSE_MAX_MS = 6 * 3_600_000;
const PAUSES_MAX = 10_000;

export function createDeviceListResync(deps: ResyncDeps): DeviceListResync {
  const { runtime: { clock, logger, tasks } } = deps;
  /** Servers that did not answer. */
  const pauses = new Map<string, { readonly ms: number; readonly until: number }>();
  let wake = new AbortController();
  let nextAt = clock.monotonic() + EVERY_MS;
  let task: Task | undefined;

  async function resync(userId: string, signal: AbortSignal): Promise<void> {
    const server = domainOf(userId);
    if (deps.isDenied(server) || (pauses.get(server)?.until ?? 0) > clock.monotonic()) return;
    try {
      const body = await getUserDevices(deps.signedTransport, userId, { destination: server, deadlineMs: ASK_MS, signal });
      pauses.delete(server);
      if (body !== undefined) await submit(userId, 'list', JSON.stringify(body));
    } catch (error) {
      if (!(error instanceof FederationError)) throw error;
      if (pauses.size >= PAUSES_MAX) pauses.clear();
      const ms = Math.min((pauses.get(server)?.ms ?? PAUSE_FIRST_MS / 2) * 2, PAUSE_MAX_MS);
      pauses.set(server, { ms, until: clock.monotonic() + ms });
    }
  }

  async function submit(userId: string, kind: string, content: string): Promise<void> {
    await deps.commands.submitUserInput({ inputId: '', traceId: '', ts: clock.now(), userId, remoteKeys: { kind, content: Buffer.from(content) } });
  }

  const departures = createDepartures(deps, submit);

  async function round(signal: AbortSignal): Promise<void> {
    for (let after = ''; !signal.aborted;) {
      const stale = await deps.userQuery.staleDeviceLists(after, PAGE);
      const owned = new Set(deps.owned());
      const mine = stale.filter((userId) => owned.has(partitionOf(deps.partitionMap, userId)));
      const rooms = mine.length === 0 ? new Map<string, string[]>() : await deps.syncQuery.joinedRoomsOf(mine, Number.MAX_SAFE_INTEGER);
      for (const userId of mine) {
        if (signal.aborted) return;
        if (rooms.has(userId)) await resync(userId, signal);
        else await submit(userId, 'forget', '{}');
      }
      if (stale.length < PAGE) return;
      after = stale.at(-1)!;
    }
  }

  return {
    changed() {
      if (nextAt <= clock.monotonic() + SOON_MS) return;
      nextAt = clock.monotonic() + SOON_MS;
      wake.abort();
    },
    departed(userIds) {
      departures.note(userIds);
      wake.abort();
    },
    async start() {
      task = tasks.spawn('ask for devices of other servers', async (signal) => {
        while (!signal.aborted) {
          await clock.sleep(Math.max(0, nextAt - clock.monotonic()), AbortSignal.any([signal, wake.signal]));
          wake = new AbortController();
          try {
            await departures.doubt();
            if (signal.aborted || clock.monotonic() < nextAt) continue;
            nextAt = clock.monotonic() + EVERY_MS;
            await round(signal);
            await departures.sweep(signal);
          } catch (error) {
            logger.warn({ error }, 'devices of other servers could not be asked for; trying again');
          }
        }
      });
    },
    stop: async () => task?.stop(),
    health: () => undefined,
  };
}
