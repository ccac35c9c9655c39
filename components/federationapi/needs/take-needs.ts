/** Keeps the needs that the roomserver emits, until their answers are appended. */
import type { SequencedRecord } from '../../../pkg/log/applier.ts';
import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import type { Transaction } from '../../../pkg/storage/database.ts';
import { policyOf } from './ask-policy.ts';
import type { Need, RoomOutput } from '../../../schemas/log/room-output.ts';
import { insertNeeds } from '../storage/needs.ts';

/** Inserts the needs among `records`; those that are there already stay as they are. For the transaction that applies the records. */
export async function takeNeeds(tx: Transaction, records: readonly SequencedRecord<RoomOutput>[]): Promise<void> {
  await insertNeeds(tx, records.flatMap(({ partition, output }) => {
    const { need, roomId } = output;
    if (need === null || need === undefined) return [];
    return [{ needId: need.needId, partition, roomId, destination: firstAsked(need), deadlineMs: need.deadlineMs, record: roomOutputCodec.encode(output) }];
  }));
}

/** Whose turn it takes: what waits for a server that does not answer delays nothing that waits for others. */
function firstAsked(need: Need): string {
  const { missingEvents, eventAuth, stateAt, signInvite, remoteMembership, backfill, wholeState, askPolicy } = need;
  if (askPolicy?.policy) return policyOf(askPolicy.policy.serverName);
  return (missingEvents ?? eventAuth ?? stateAt)?.origin ?? signInvite?.destination ?? (remoteMembership ?? backfill ?? wholeState)?.via[0] ?? '';
}
