import type { Transaction } from '../../../pkg/storage/database.ts';
import type { AcceptedInput } from '../input/effects.ts';
import { beginPurge, purgeSlice } from './commit-purge.ts';
import { collectStates } from './unreferenced-states.ts';

export interface Collected {
  states: number;
  events: number;
}

/** After all that the batch has written, so that nothing goes which the batch itself refers to. */
export async function commitUpkeep(tx: Transaction, accepted: readonly AcceptedInput[]): Promise<Collected> {
  const collected: Collected = { states: 0, events: 0 };
  for (const { effects: { roomId, upkeep } } of accepted) {
    if (upkeep?.purge !== undefined) await beginPurge(tx, upkeep.purge);
    if (upkeep?.purged !== undefined) collected.events += await purgeSlice(tx, roomId, upkeep.purged);
    if (upkeep?.collected !== undefined) collected.states += await collectStates(tx, roomId, upkeep.collected);
  }
  return collected;
}
