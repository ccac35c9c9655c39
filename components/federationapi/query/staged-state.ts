/** Read-only answers from the stages, for the roomserver (`schemas/ports/staged-state.ts`). */
import type { Database } from '../../../pkg/storage/database.ts';
import type { StagedState } from '../../../schemas/ports/staged-state.ts';

const SLICE = 'SELECT event_id, in_state, json FROM staged_events WHERE stage_id = ? AND ordinal >= ? AND ordinal < ? ORDER BY ordinal';

/** Events that were known here before have ordinals below 0: they are in no slice. */
export function stagedState(database: Database): StagedState {
  return {
    async slice(stageId, from, to) {
      const rows = await database.query<{ event_id: string; in_state: number; json: Uint8Array }>(SLICE, [stageId, Math.max(0, from), to]);
      return rows.map((row) => ({ eventId: row.event_id, inState: row.in_state === 1, pdu: row.json }));
    },
    async stateIds(stageId) {
      const rows = await database.query<{ event_id: string }>('SELECT event_id FROM staged_events WHERE stage_id = ? AND in_state = 1 ORDER BY ordinal', [stageId]);
      return rows.map((row) => row.event_id);
    },
  };
}
