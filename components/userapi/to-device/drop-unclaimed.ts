/**
 * Bounds what waits for devices that do not come back. Of a device that has not been used for `UNUSED_MS` the oldest messages beyond the limit are dropped, the newest stay. A device that is used loses
 * none, however many wait for it; nor does a dehydrated one, which nobody uses until it is taken over.
 *
 * The owner's process looks, and drops by an input to itself, the same by which a device says what it has: so it is fenced and in order with what comes, and done twice it changes nothing.
 */
import type { CommandClient } from '../../../pkg/log/commands.ts';
import { createRounds, type Rounds } from '../../../pkg/runtime/rounds.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import type { Reader } from '../../../pkg/storage/database.ts';

export interface UnclaimedDeps {
  readonly database: Reader;
  readonly runtime: Runtime;
  readonly commands: Pick<CommandClient, 'submitUserInput'>;
  /** The partitions that this process owns now. */
  readonly owned: () => readonly number[];
  /** Messages that may wait for a device that is not used. */
  readonly messagesMax: number;
}

interface Device {
  readonly userId: string;
  readonly deviceId: string;
}

/** How long a device is unused before any of its messages is dropped. */
export const UNUSED_MS = 30 * 24 * 3_600_000;
const EVERY_MS = 3_600_000;
const DEVICES_AT_ONCE = 200;
/** Messages that one input drops. */
const DROPPED_AT_ONCE = 2000;
/** Between two steps: other work goes on. */
const PAUSE_MS = 50;

/** `last`: the newest message that is too many. */
const CROWDED = `SELECT user_id, device_id, (SELECT t.sequence FROM to_device t WHERE t.user_id = d.user_id AND t.device_id = d.device_id ORDER BY t.sequence DESC LIMIT 1 OFFSET ?) AS last
  FROM devices d WHERE removed = 0 AND dehydrated IS NULL AND seen_at < ? AND created_at < ? AND (user_id > ? OR (user_id = ? AND device_id > ?)) AND partition IN (??)
  ORDER BY user_id, device_id LIMIT ${DEVICES_AT_ONCE}`;
const OLDEST = `SELECT sequence FROM to_device WHERE user_id = ? AND device_id = ? AND sequence <= ? ORDER BY sequence LIMIT ${DROPPED_AT_ONCE}`;

type CrowdedRow = { user_id: string; device_id: string; last: number | null };

export function createUnclaimedDropper(deps: UnclaimedDeps): Rounds {
  return createRounds(deps.runtime, {
    name: 'userapi messages of unused devices',
    everyMs: EVERY_MS,
    failure: 'messages of devices that do not come back could not be dropped; it is tried again',
    async round(signal) {
      await dropAll(deps, signal);
      return false;
    },
  });
}

async function dropAll({ database, ...deps }: UnclaimedDeps, signal: AbortSignal): Promise<void> {
  const { clock } = deps.runtime;
  const before = clock.now() - UNUSED_MS;
  for (let at: Device = { userId: '', deviceId: '' }; ; await clock.sleep(PAUSE_MS, signal)) {
    const partitions = deps.owned();
    if (signal.aborted || partitions.length === 0) return;
    const rows = await database.queryIn<CrowdedRow>(CROWDED, [deps.messagesMax, before, before, at.userId, at.userId, at.deviceId], partitions);
    for (const { user_id: userId, device_id: deviceId, last } of rows) {
      at = { userId, deviceId };
      if (last !== null) await dropUpTo({ database, ...deps }, { userId, deviceId, last }, signal);
    }
    if (rows.length < DEVICES_AT_ONCE) return;
  }
}

async function dropUpTo({ database, runtime: { clock, logger }, commands }: UnclaimedDeps, { userId, deviceId, last }: Device & { last: number }, signal: AbortSignal): Promise<void> {
  let dropped = 0;
  while (!signal.aborted) {
    const rows = await database.query<{ sequence: number }>(OLDEST, [userId, deviceId, last]);
    if (rows.length === 0) break;
    const { errcode } = await commands.submitUserInput({ inputId: '', traceId: '', ts: clock.now(), userId, ackToDevice: { deviceId, sequence: rows.at(-1)!.sequence } });
    // Its account is over: all of it goes with that.
    if (errcode !== '') break;
    dropped += rows.length;
    if (rows.length < DROPPED_AT_ONCE) break;
    await clock.sleep(PAUSE_MS, signal);
  }
  if (dropped > 0) logger.info({ userId, deviceId, dropped }, 'the oldest messages of a device that does not come back were dropped');
}
