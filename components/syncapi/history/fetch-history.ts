/** Has the room's owner fetch what other servers know of its past, once for all who read back to the same place at the same time, in whatever process. */
import { createHash } from 'node:crypto';
import type { AppliedPositions } from '../../../pkg/log/applied.ts';
import { OutcomeTimeout, type CommandClient } from '../../../pkg/log/commands.ts';
import { LogUnavailable } from '../../../pkg/log/log.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import type { Outcome } from '../../../schemas/log/envelope.ts';
import type { RoomHistoryQuery } from '../../../schemas/ports/room-query.ts';

/** `more`: events have come below the oldest; `nothing`: none, or not in time; `complete`: there is nothing to be had. */
export type Fetched = 'more' | 'nothing' | 'complete';

export interface HistoryFetcher {
  /** Resolves after about `boundMs` at the latest; when more has come, it is in the read model. Rejects with `StorageError`. */
  more(roomId: string, boundMs: number): Promise<Fetched>;
}

export interface HistoryDeps {
  readonly runtime: Pick<Runtime, 'clock'>;
  readonly commands: Pick<CommandClient, 'submitRoomInput'>;
  readonly appliedPositions: Pick<AppliedPositions, 'waitFor'>;
  readonly roomHistoryQuery: Pick<RoomHistoryQuery, 'historyEnd'>;
}

const EVENTS = 100;
/** Who was not reached is not asked for the same again this soon. */
const AGAIN_MS = 30_000;
/** What is left of the time when the command's is over. */
const MARGIN_MS = 500;

export function createHistoryFetcher({ runtime: { clock }, commands, appliedPositions, roomHistoryQuery }: HistoryDeps): HistoryFetcher {
  async function submit(roomId: string, inputId: string, boundMs: number): Promise<Outcome | undefined> {
    try {
      return await commands.submitRoomInput({ inputId, traceId: inputId, originServerTs: clock.now(), roomId, fetchHistory: { limit: EVENTS } }, { deadlineMs: boundMs });
    } catch (error) {
      if (error instanceof OutcomeTimeout || error instanceof LogUnavailable) return undefined;
      throw error;
    }
  }

  return {
    async more(roomId, boundMs) {
      const endsAt = clock.now() + boundMs;
      const end = await roomHistoryQuery.historyEnd(roomId);
      if (end === undefined) return 'complete';
      const inputId = `history:${createHash('sha256').update(JSON.stringify([roomId, end, Math.floor(clock.now() / AGAIN_MS)])).digest('base64url')}`;
      const outcome = await submit(roomId, inputId, Math.max(1, boundMs - MARGIN_MS));
      if (outcome === undefined || outcome.errcode !== '') return 'nothing';
      const { events, more } = JSON.parse(Buffer.from(outcome.result).toString()) as { events: number; more: boolean };
      if (events === 0) return more ? 'nothing' : 'complete';
      return (await appliedPositions.waitFor('room-output', outcome.partition, outcome.sequence, Math.max(1, endsAt - clock.now()))) ? 'more' : 'nothing';
    },
  };
}
