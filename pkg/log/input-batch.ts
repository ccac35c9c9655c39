/**
 * One batch of inputs, decided: what the transaction will write and whom to answer. No writes here; the processor's memory advances with each decision, and
 * is forgotten if the commit fails.
 */
import type { InputHeader } from '../../schemas/log/room-input.ts';
import type { Outcome, OutputEnvelope } from '../../schemas/log/envelope.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { emptyTally, type Tally } from './log-metrics.ts';
import type { DeadLetter } from './dead-letters.ts';
import type { ParkedChange, ParkedIndex } from './parked-inputs.ts';
import type { Decision, InputPlace, PlacedInput, Processor, RejectedOutcome } from './processor.ts';
import { PoisonRecord } from './log.ts';
import { ASIDE_REASON, createTurns, PUT_ASIDE, type Turns, type Used } from './turns.ts';

/** One record of a batch, with where it came from: a pack of the log, or a row of `parked_inputs`. */
export interface BatchItem<Input> {
  readonly partition: number;
  readonly offset: number;
  readonly record: Uint8Array;
  readonly parkedNumber?: number;
  /** What it waits under. */
  readonly parkedKey?: string;
  /** It was put aside before it was decided. */
  readonly isAside?: boolean;
  input?: Input;
  /** Of the input, by itself. */
  key?: string;
}

/** A partition's counters while its inputs are decided. */
export interface BatchPartition {
  readonly partition: number;
  readonly epoch: number;
  sequence: number;
  readonly parked: ParkedIndex;
}

export interface BatchPlan<Effects> {
  readonly accepted: { place: InputPlace; effects: Effects }[];
  readonly outputs: { partition: number; envelope: OutputEnvelope }[];
  readonly remembered: Outcome[];
  readonly parked: ParkedChange[];
  readonly deadLetters: DeadLetter[];
  readonly answers: { replyTo: string; outcome: Outcome }[];
  readonly tally: Tally;
  /** By share: what was decided, and how long that took. */
  used: ReadonlyMap<string, Used>;
}

export interface BatchContext<Input extends InputHeader, Effects> {
  readonly processor: Processor<Input, Effects>;
  readonly runtime: Runtime;
  readonly consumer: string;
  readonly partitions: ReadonlyMap<number, BatchPartition>;
  /** More shares than those of the batch have had something lately. */
  readonly areOthersAbout?: boolean;
  /** Outcomes remembered from before this batch. */
  recall(inputIds: readonly string[]): Promise<Map<string, Outcome>>;
}

const NO_BYTES = new Uint8Array(0);
/** Inputs that wait: of one key, and of a partition. What comes beyond is rejected. */
const PARKED_MAX = { key: 1000, partition: 20_000 };
/** A decision that lacks rows this often lacks them for ever. */
const LOADS_MAX = 100;
const TOO_MANY_WAIT: RejectedOutcome = { status: 503, errcode: 'M_UNKNOWN', error: 'Too much waits for other servers already; try again later' };

export async function decideBatch<Input extends InputHeader, Effects>(context: BatchContext<Input, Effects>, items: readonly BatchItem<Input>[]): Promise<BatchPlan<Effects>> {
  const { processor, runtime } = context;
  const plan: BatchPlan<Effects> = { accepted: [], outputs: [], remembered: [], parked: [], deadLetters: [], answers: [], tally: emptyTally(), used: new Map() };
  const nowMs = runtime.clock.now();
  const readable = items.filter((item) => decodeItem(context, plan, item));
  const known = await context.recall([...new Set(readable.flatMap(({ input }) => (isRemembered(processor, input!) ? input!.inputId : [])))]);
  const deciding = { context, plan, known, nowMs };
  // What comes after inputs that were put aside need not be loaded now.
  const inTurn = readable.filter((item) => !putBehindAside(deciding, item));
  const fresh = inTurn.filter((item) => !known.has(item.input!.inputId) && !isLate(item, nowMs));
  await processor.load(fresh.map((item): PlacedInput<Input> => ({ input: item.input!, partition: item.partition })));
  const shares = new Set(readable.map((item) => shareOf(context, item))).size;
  // It costs nothing to stop where all has been put aside already: what is new goes behind it in any case.
  const others = context.areOthersAbout === true && inTurn.every(({ isAside }) => isAside === true) ? 1 : 0;
  const turns = createTurns(runtime.clock, shares + others);
  plan.used = turns.used;
  for (const item of inTurn) await takeTurn(deciding, turns, item);
  return plan;
}

function shareOf<Input extends InputHeader, Effects>({ processor }: BatchContext<Input, Effects>, { input, key }: BatchItem<Input>): string {
  return processor.shareOf?.(input!) ?? key!;
}

/** Decides the item, unless others have a better claim to this time. */
async function takeTurn<Input extends InputHeader, Effects>(deciding: Deciding<Input, Effects>, turns: Turns, item: BatchItem<Input>): Promise<void> {
  const { context } = deciding;
  const { processor } = context;
  const share = shareOf(context, item);
  if (putBehindAside(deciding, item)) return;
  if (turns.isOver(share, item.isAside)) {
    // What waits already, waits on.
    if (item.parkedNumber === undefined) putAside(deciding, item);
    return;
  }
  // Others of its key come first.
  if (item.isAside === true && !context.partitions.get(item.partition)!.parked.isFirst(item.parkedKey!, item.parkedNumber!)) return;
  turns.begin(share);
  try {
    for (let loads = 0; decideItem(deciding, item) === 'lacking'; loads += 1) {
      if (loads === LOADS_MAX || processor.loadMore === undefined) throw new Error('a decision goes on lacking rows');
      await processor.loadMore(item.input!);
    }
  } finally {
    turns.end();
  }
}

/** Puts an item aside whose key has others waiting for their turn. */
function putBehindAside<Input extends InputHeader, Effects>(deciding: Deciding<Input, Effects>, item: BatchItem<Input>): boolean {
  const { partitions } = deciding.context;
  if (item.parkedNumber !== undefined || !partitions.get(item.partition)!.parked.isAside(item.key!)) return false;
  putAside(deciding, item);
  return true;
}

function putAside<Input extends InputHeader, Effects>({ context, plan }: Deciding<Input, Effects>, item: BatchItem<Input>): void {
  parkRow(plan, context.partitions.get(item.partition)!, item, { key: item.key!, untilMs: PUT_ASIDE, reason: ASIDE_REASON });
}

function isRemembered<Input extends InputHeader, Effects>(processor: Processor<Input, Effects>, input: Input): boolean {
  return processor.knowsRepeated?.(input) !== true;
}

function decodeItem<Input extends InputHeader, Effects>(context: BatchContext<Input, Effects>, plan: BatchPlan<Effects>, item: BatchItem<Input>): boolean {
  try {
    item.input = context.processor.decode(item.record);
    item.key = context.processor.keyOf(item.input);
    if (item.input.inputId === '') throw new PoisonRecord('an input without an ID');
    return true;
  } catch (error) {
    bury(plan, item, error);
    return false;
  }
}

interface Deciding<Input extends InputHeader, Effects> {
  readonly context: BatchContext<Input, Effects>;
  readonly plan: BatchPlan<Effects>;
  readonly known: Map<string, Outcome>;
  readonly nowMs: number;
}

function decideItem<Input extends InputHeader, Effects>(deciding: Deciding<Input, Effects>, item: BatchItem<Input>): 'done' | 'lacking' {
  const { context, plan, known, nowMs } = deciding;
  const input = item.input!;
  const at = context.partitions.get(item.partition)!;
  const key = item.parkedKey ?? item.key!;
  const earlier = known.get(input.inputId);
  if (earlier !== undefined || isLate(item, nowMs)) {
    unparkRow(plan, at, item, key);
    plan.tally[earlier !== undefined ? 'repeated' : 'late'] += 1;
    if (earlier !== undefined) answer(plan, input, earlier);
    if (item.parkedNumber !== undefined && context.processor.repeated !== undefined) plan.accepted.push({ place: placeOf(at, item, nowMs), effects: context.processor.repeated(input) });
    return 'done';
  }
  if (queuesBehind(at, item, key)) {
    if (item.parkedNumber === undefined && isFull(at.parked, key)) reject(deciding, item, TOO_MANY_WAIT);
    else parkRow(plan, at, item, { key, untilMs: Number.MAX_SAFE_INTEGER, reason: 'behind a parked input' });
    return 'done';
  }
  const place = placeOf(at, item, nowMs);
  let decision: Decision<Effects>;
  try {
    decision = context.processor.decide(input, place);
  } catch (error) {
    unparkRow(plan, at, item, key);
    bury(plan, item, error);
    return 'done';
  }
  if (decision.kind === 'lacking') return 'lacking';
  carryOut(deciding, { item, key, place, at }, decision);
  return 'done';
}

function placeOf<Input>(at: BatchPartition, { partition, parkedNumber, isAside }: BatchItem<Input>, nowMs: number): InputPlace {
  return { partition, epoch: at.epoch, nextSequence: at.sequence + 1, nowMs, isAgain: parkedNumber !== undefined && isAside !== true };
}

/** A later input of a parked key waits its turn; the first parked one itself does not. */
function queuesBehind<Input>(at: BatchPartition, item: BatchItem<Input>, key: string): boolean {
  if (!at.parked.isParked(key)) return false;
  return item.parkedNumber === undefined || !at.parked.isFirst(key, item.parkedNumber);
}

function isFull(parked: ParkedIndex, key: string): boolean {
  return parked.count(key) >= PARKED_MAX.key || parked.total() >= PARKED_MAX.partition;
}

function carryOut<Input extends InputHeader, Effects>(
  deciding: Deciding<Input, Effects>,
  placed: { item: BatchItem<Input>; key: string; place: InputPlace; at: BatchPartition },
  decision: Exclude<Decision<Effects>, { kind: 'lacking' }>,
): void {
  const { context, plan, known } = deciding;
  const { item, key, place, at } = placed;
  const input = item.input!;
  if (decision.kind === 'parked') {
    park(deciding, placed, decision);
    return;
  }
  unparkRow(plan, at, item, key);
  if (decision.kind === 'rejected') {
    if (decision.effects !== undefined) plan.accepted.push({ place, effects: decision.effects });
    reject(deciding, item, decision.outcome);
    return;
  }
  writeOutputs(plan, placed, decision.outputs);
  const outcome: Outcome = {
    inputId: input.inputId,
    partition: place.partition,
    sequence: decision.outputs.length > 0 ? at.sequence : 0,
    result: Buffer.from(JSON.stringify(decision.result)),
    errcode: '', error: '', status: 200, errorFields: NO_BYTES,
  };
  plan.accepted.push({ place, effects: decision.effects });
  if (isRemembered(context.processor, input)) plan.remembered.push(outcome);
  known.set(input.inputId, outcome);
  plan.tally.accepted += 1;
  logVerdict(deciding, input, { partition: place.partition, sequence: outcome.sequence });
  answer(plan, input, outcome);
  for (const freed of decision.unpark ?? []) at.parked.release(freed);
}

function park<Input extends InputHeader, Effects>(
  deciding: Deciding<Input, Effects>,
  placed: { item: BatchItem<Input>; key: string; place: InputPlace; at: BatchPartition },
  decision: Extract<Decision<Effects>, { kind: 'parked' }>,
): void {
  const { plan, nowMs } = deciding;
  const { place, at } = placed;
  const item = begun(plan, placed, decision.key);
  const key = item.parkedKey ?? decision.key ?? placed.key;
  const isOver = decision.untilMs <= nowMs;
  if (isOver || (item.parkedNumber === undefined && isFull(at.parked, key))) {
    unparkRow(plan, at, item, key);
    reject(deciding, item, isOver ? { status: 504, errcode: 'M_UNKNOWN', error: `Gave up waiting: ${decision.reason}` } : TOO_MANY_WAIT);
    return;
  }
  parkRow(plan, at, item, { key, untilMs: decision.untilMs, reason: decision.reason });
  writeOutputs(plan, placed, decision.outputs ?? []);
  if (decision.effects !== undefined) plan.accepted.push({ place, effects: decision.effects });
}

/** What was put aside keeps its place in its queue, unless it is to wait in another one. */
function begun<Input, Effects>(plan: BatchPlan<Effects>, { item, at }: { item: BatchItem<Input>; at: BatchPartition }, key: string | undefined): BatchItem<Input> {
  if (item.isAside !== true || key === undefined || key === item.parkedKey) return item;
  unparkRow(plan, at, item, item.parkedKey!);
  const { parkedNumber: _, parkedKey: __, ...others } = item;
  return others;
}

function reject<Input extends InputHeader, Effects>(deciding: Deciding<Input, Effects>, { input, partition }: BatchItem<Input>, why: RejectedOutcome): void {
  const { plan } = deciding;
  plan.tally.rejected += 1;
  logVerdict(deciding, input!, { partition, errcode: why.errcode });
  answer(plan, input!, rejectedOutcome(input!.inputId, partition, why));
}

function writeOutputs<Effects>(plan: BatchPlan<Effects>, { place, at }: { place: InputPlace; at: BatchPartition }, outputs: readonly Uint8Array[]): void {
  for (const record of outputs) {
    at.sequence += 1;
    plan.outputs.push({ partition: place.partition, envelope: { sequence: at.sequence, epoch: at.epoch, record } });
  }
}

/** A step of the trace that leads from a request through the logs to /sync. */
function logVerdict<Input extends InputHeader, Effects>({ context }: Deciding<Input, Effects>, input: Input, said: object): void {
  context.runtime.logger.debug({ consumer: context.consumer, traceId: input.traceId, inputId: input.inputId, ...said }, 'input decided');
}

export function rejectedOutcome(inputId: string, partition: number, why: RejectedOutcome): Outcome {
  return {
    inputId, partition, sequence: 0, result: NO_BYTES, errcode: why.errcode, error: why.error, status: why.status,
    errorFields: why.fields === undefined ? NO_BYTES : Buffer.from(JSON.stringify(why.fields)),
  };
}

/** An input that was begun (it waits for another server) has its own time. */
function isLate<Input extends InputHeader>({ input, parkedNumber, isAside }: BatchItem<Input>, nowMs: number): boolean {
  return (parkedNumber === undefined || isAside === true) && input!.deadlineMs > 0 && nowMs > input!.deadlineMs;
}

function answer<Effects>(plan: BatchPlan<Effects>, input: InputHeader, outcome: Outcome): void {
  if (input.replyTo !== '') plan.answers.push({ replyTo: input.replyTo, outcome });
}

function parkRow<Input, Effects>(plan: BatchPlan<Effects>, at: BatchPartition, item: BatchItem<Input>, why: { key: string; untilMs: number; reason: string }): void {
  plan.tally.parked += 1;
  const number = item.parkedNumber ?? at.parked.add(why.key, why.untilMs);
  if (item.parkedNumber !== undefined) at.parked.wait(why.key, number, why.untilMs);
  plan.parked.push({ partition: item.partition, number, parked: { ...why, record: item.record } });
}

function unparkRow<Input, Effects>(plan: BatchPlan<Effects>, at: BatchPartition, item: BatchItem<Input>, key: string): void {
  if (item.parkedNumber === undefined) return;
  at.parked.remove(key, item.parkedNumber);
  plan.parked.push({ partition: item.partition, number: item.parkedNumber });
}

/** It is told in the log after the commit: an owner that was replaced, and does not know it yet, finds things that cannot be. */
function bury<Input extends InputHeader, Effects>(plan: BatchPlan<Effects>, item: BatchItem<Input>, error: unknown): void {
  const reason = error instanceof Error ? error.message : String(error);
  plan.tally.dead += 1;
  plan.deadLetters.push({ partition: item.partition, position: item.offset, reason, record: item.record, error });
  plan.answers.push(...failureAnswer(item));
}

/** What the waiting caller of an input is told that went to the dead letters; nothing when it could not even be read, or nobody waits. */
export function failureAnswer<Input extends InputHeader>({ input, partition }: BatchItem<Input>): { replyTo: string; outcome: Outcome }[] {
  if (input === undefined || input.replyTo === '') return [];
  return [{ replyTo: input.replyTo, outcome: rejectedOutcome(input.inputId, partition, { status: 500, errcode: 'M_UNKNOWN', error: 'The server failed to process this request' }) }];
}
