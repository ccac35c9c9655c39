/**
 * Sees to it that rooms which were joined without their members get them: an input of the room asks for them, and once more a while later where nobody could give them. What there is to do
 * stands in the tables, so that it goes on wherever the process before had stopped.
 */
import { createHash } from 'node:crypto';
import { roomInputCodec } from '../../../pkg/log/codec.ts';
import type { LogDriver } from '../../../pkg/log/log.ts';
import { createRounds, type Rounds } from '../../../pkg/runtime/rounds.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import { readCompleting, type PartialRow } from './partial-row.ts';

export interface CompleterDeps {
  readonly database: Database;
  readonly driver: LogDriver;
  readonly runtime: Runtime;
  /** The partitions that this process owns now. */
  readonly owned: () => readonly number[];
}

const EVERY_MS = 2000;
const AT_ONCE_MAX = 100;

export function createCompleter({ database, driver, runtime, owned }: CompleterDeps): Rounds {
  const { clock, logger } = runtime;
  /** By room ID, since when: what was under way at the last look. */
  let underWay = new Map<string, number>();
  runtime.metrics?.gauge({ name: 'rooms_completing', help: 'Rooms that were joined a moment ago and whose members are being fetched', read: () => underWay.size });

  async function ask({ roomId, partition, sequence, tries }: PartialRow): Promise<void> {
    const inputId = `upkeep:${createHash('sha256').update(JSON.stringify([roomId, 'complete', sequence, tries])).digest('base64url')}`;
    const record = roomInputCodec.encode({ inputId, replyTo: '', deadlineMs: 0, traceId: inputId, originServerTs: clock.now(), roomId, completeRoom: { sequence } });
    await driver.append('room-input', partition, [record], { durable: false });
  }

  return createRounds(runtime, {
    name: 'rooms without members',
    everyMs: EVERY_MS,
    failure: 'rooms without members were not looked at; they are looked at again',
    async round() {
      const rows = await readCompleting(database, owned(), AT_ONCE_MAX);
      const now = clock.now();
      for (const [roomId, begunAt] of underWay) if (!rows.some((row) => row.roomId === roomId)) logger.info({ roomId, tookMs: now - begunAt }, 'the members of a room are no longer being fetched');
      for (const row of rows) if (!underWay.has(row.roomId)) logger.info({ roomId: row.roomId, origin: row.origin, tries: row.tries }, 'the members of a room are being fetched');
      underWay = new Map(rows.map((row) => [row.roomId, row.begunAt]));
      for (const row of rows) if (row.retryAt <= now) await ask(row);
      return false;
    },
  });
}
