/** PURE. Purges of history: one begins as a row, and goes on by slices, each of which is an input of its own between the others of the room. */
import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import type { PurgeSlice } from '../../../schemas/log/room-input.ts';
import { headerOf, NO_EFFECTS, rejected, type Deciding, type RoomDecision } from '../input/decision.ts';
import { refused } from '../input/refused.ts';
import type { RoomHead } from '../input/room-head.ts';
import type { PurgeFacts } from './facts.ts';

/** Events of one slice. */
export const SLICE_EVENTS = 200;

const NOTHING_TO_DO: RoomDecision = { kind: 'accepted', effects: NO_EFFECTS, outputs: [], result: { events: 0 } };

export function decidePurge({ input, place }: Deciding, facts: PurgeFacts): RoomDecision {
  if (facts.row?.finishedAt === 0) return rejected(refused(409, 'M_UNKNOWN', 'A purge of this room is under way already'));
  if (facts.firstKept === undefined) return rejected(refused(404, 'M_NOT_FOUND', 'There is no such event in the timeline of the room'));
  // What the next events follow stays, whatever is asked for.
  const toOrderKey = Math.min(facts.firstKept, facts.oldestExtremity) - 1;
  const orderKey = Math.min(facts.row?.toOrderKey ?? 0, facts.lowestKey - 1);
  if (toOrderKey <= orderKey) return NOTHING_TO_DO;
  const row = { roomId: input.roomId, purgeId: input.inputId, partition: place.partition, toOrderKey, orderKey, eventsGone: 0, eventsKept: 0, startedAt: place.nowMs, finishedAt: 0 };
  facts.row = row;
  return { kind: 'accepted', effects: { inputId: input.inputId, roomId: input.roomId, events: [], redactions: [], upkeep: { purge: row } }, outputs: [], result: { events: toOrderKey - orderKey } };
}

export function decidePurgeSlice(deciding: Deciding, head: RoomHead, { facts, slice }: { facts: PurgeFacts; slice: PurgeSlice }): RoomDecision {
  const { input, place } = deciding;
  const { row } = facts;
  if (row === undefined || row.purgeId !== slice.purgeId || row.finishedAt !== 0 || row.orderKey !== slice.afterOrderKey) return NOTHING_TO_DO;
  const toOrderKey = Math.min(row.toOrderKey, row.orderKey + SLICE_EVENTS);
  const finishedAt = toOrderKey === row.toOrderKey ? place.nowMs : 0;
  facts.row = { ...row, orderKey: toOrderKey, finishedAt };
  return {
    kind: 'accepted',
    effects: { inputId: input.inputId, roomId: input.roomId, events: [], redactions: [], upkeep: { purged: { afterOrderKey: row.orderKey, toOrderKey, finishedAt, sequence: place.nextSequence } } },
    outputs: [roomOutputCodec.encode({ ...headerOf(input, head.version.id), historyPurged: { toOrderKey } })],
    result: {},
  };
}
