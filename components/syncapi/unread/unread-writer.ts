/** Counts what is unread as room-output is applied, in the transaction that makes it readable. */
import type { Transaction } from '../../../pkg/storage/database.ts';
import type { Records } from '../consumers/decoded.ts';
import type { MembershipMove } from '../consumers/room-rows.ts';
import { EMPTY_FACTS, loadFacts, type FactsDeps } from './load-facts.ts';
import { createPictures } from './pictures.ts';
import { planUnread, recordKey } from './plan-unread.ts';
import { purgeUnread } from './purge-unread.ts';
import { writeUnread } from './write-unread.ts';

export interface UnreadWriter {
  load(records: Records): Promise<void>;
  /** `moves`: all changes of memberships that the records make. */
  apply(tx: Transaction, records: Records, moves: readonly MembershipMove[]): Promise<void>;
  forget(): void;
}

export function createUnreadWriter(deps: FactsDeps): UnreadWriter {
  const pictures = createPictures(deps);
  let facts = EMPTY_FACTS;
  return {
    load: async (records) => {
      facts = await loadFacts(deps, records, pictures);
    },
    apply: async (tx, records, moves) => {
      const plan = planUnread(records, { pictures, facts, serverName: deps.serverName, moves: Map.groupBy(moves, recordKey) });
      await writeUnread(tx, plan);
      // After what the same batch has written.
      for (const { output: { record } } of records) if (record.historyPurged) await purgeUnread(tx, record.roomId, record.historyPurged.toOrderKey);
    },
    forget: () => pictures.forget(),
  };
}
