/**
 * PURE. Puts events from before what is known of a room below it in its timeline: their order keys count down. They were checked by what authorises them when they were imported; the state before
 * them is not known here, so they are in no graph: they are followed by nothing that is made here, and change neither the forward extremities nor the current state, and nobody is judged by them.
 */
import { mayRedact } from '../../../pkg/matrix/auth/may-redact.ts';
import { roomPower } from '../../../pkg/matrix/auth/power-levels.ts';
import { eventText } from '../../../pkg/matrix/events/event-text.ts';
import { authEventIds, prevEventIds, redactsOf, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { redact } from '../../../pkg/matrix/events/redact.ts';
import type { HistoryChanges, NewEvent, Redaction } from '../input/effects.ts';
import { DEFAULT_VISIBILITY, visibilityIn } from '../input/history-visibility.ts';
import { isShown } from '../input/shown.ts';
import { redactedEarly } from '../receive/early-redactions.ts';
import type { GraphAt } from '../receive/overlay.ts';
import { isLacking, lookForEvent, type GraphEvent } from '../receive/room-graph.ts';

export interface HistoryWish {
  /** Events that were asked for: the walk begins with them. */
  readonly eventIds: readonly string[];
  /** See `Frontier`. */
  readonly historyAt: number;
  readonly visibility: string;
  /** The events come below it. */
  readonly lowestKey: number;
  readonly purgedDepth: number;
  /** Of the first record. */
  readonly sequence: number;
  readonly limit: number;
}

export interface PlacedHistory {
  /** The newest first. */
  readonly events: readonly NewEvent[];
  readonly redactions: readonly Redaction[];
  readonly history: HistoryChanges;
}

interface Step {
  readonly event: GraphEvent;
  readonly follower: GraphEvent;
}

interface Walk {
  readonly found: GraphEvent[];
  readonly walked: Set<string>;
  readonly missing: { readonly prevEventId: string; readonly follower: GraphEvent }[];
  /** Of the events that were asked for, those that did not come. */
  readonly tried: string[];
}

/** undefined: lacking. */
export function placeHistory(at: GraphAt, wish: HistoryWish): PlacedHistory | undefined {
  const walk = walkBack(at, wish);
  if (isLacking(at.graph)) return undefined;
  const shown = visibilities(walk.found, wish.visibility);
  const made = makeEvents(at, wish, { walk, shown });
  if (isLacking(at.graph)) return undefined;
  const edges = walk.missing.map(({ prevEventId, follower }) => ({ prevEventId, eventId: follower.eventId, depth: follower.pdu.depth, historyAt: wish.historyAt, visibility: shown.below }));
  return { ...made, history: { walked: [...walk.walked], edges, tried: walk.tried } };
}

/** From what was asked for to what precedes it, the deepest first, through events that are known here and have no place yet. */
function walkBack({ head, graph }: GraphAt, { eventIds, purgedDepth, limit }: HistoryWish): Walk {
  const walk: Walk = { found: [], walked: new Set(), missing: [], tried: [] };
  const seen = new Set<string>();
  let ahead: Step[] = [];
  const look = (eventId: string, follower: GraphEvent | undefined): void => {
    if (seen.has(eventId)) return;
    seen.add(eventId);
    const event = lookForEvent(graph, eventId);
    if (event === undefined) return;
    if (event !== null && (isPlaced(event) || event.roomId !== head.roomId || event.pdu.depth <= purgedDepth)) walk.walked.add(eventId);
    else if (event !== null) ahead.push({ event, follower: follower ?? event });
    else if (follower === undefined) walk.tried.push(eventId);
    else walk.missing.push({ prevEventId: eventId, follower });
  };
  for (const eventId of eventIds) look(eventId, undefined);
  for (let steps = 0; ahead.length > 0 && walk.found.length < limit && steps < limit * 2; steps += 1) {
    ahead = ahead.sort((left, right) => right.event.pdu.depth - left.event.pdu.depth || (left.event.eventId < right.event.eventId ? -1 : 1));
    const { event } = ahead.shift()!;
    walk.walked.add(event.eventId);
    // What follows rejected events is looked for behind them.
    if (!event.rejected) walk.found.push(event);
    for (const prev of prevEventIds(event.pdu)) look(prev, event);
  }
  // Events that were asked for have their edges still.
  for (const { event, follower } of ahead) if (follower !== event) walk.missing.push({ prevEventId: event.eventId, follower });
  return walk;
}

function isPlaced({ stateId, orderKey }: GraphEvent): boolean {
  return stateId !== null || orderKey !== null;
}

/**
 * The history visibility at each of the events (the newest first), and below the last. What was in force before it was changed is told by the change before that; where that is not known, nobody
 * is shown what lies between.
 */
function visibilities(found: readonly GraphEvent[], visibility: string): { readonly at: readonly string[]; readonly below: string } {
  const isBegun = found.some(({ pdu }) => pdu.type === 'm.room.create');
  const settings = found.map(({ pdu }) => (pdu.type === 'm.room.history_visibility' && pdu.state_key === '' ? visibilityIn(pdu.content) : undefined));
  let now = visibility;
  const at = settings.map((setting, index) => {
    const here = setting ?? now;
    if (setting !== undefined) now = settings.slice(index + 1).find((before) => before !== undefined) ?? (isBegun ? DEFAULT_VISIBILITY : 'joined');
    return here;
  });
  return { at, below: now };
}

function makeEvents(at: GraphAt, wish: HistoryWish, { walk, shown }: { walk: Walk; shown: ReturnType<typeof visibilities> }): Omit<PlacedHistory, 'history'> {
  const unplaced = Map.groupBy(walk.missing, ({ follower }) => follower.eventId);
  const events: NewEvent[] = [];
  const redactions: Redaction[] = [];
  for (const [index, event] of walk.found.entries()) {
    if (!isShown(event.pdu)) continue;
    const { left, redacting } = redactingOf(at, event, redactions);
    const visibility = shown.at[index]!;
    events.push({
      eventId: event.eventId, pdu: left, bytes: Buffer.from(eventText(left, at.head.version)), kind: 'history', verdict: 'accepted',
      orderKey: Math.min(wish.lowestKey, 0) - 1 - events.length, sequence: wish.sequence + events.length, stateId: null, states: [], historyVisibility: visibility,
      deviceId: '', txnId: '', stateBeforeDiffers: false, relayOf: '', historyAt: visibility === 'shared' || visibility === 'world_readable' ? wish.historyAt : 0,
      unplacedPrevs: (unplaced.get(event.eventId) ?? []).map(({ prevEventId }) => prevEventId), ...redacting,
    });
  }
  return { events, redactions };
}

/** What is left of the event, and what it redacts; `redactions`: those so far, which are added to. */
function redactingOf(at: GraphAt, event: GraphEvent, redactions: Redaction[]): { readonly left: Pdu; readonly redacting: Pick<NewEvent, 'redacts' | 'redactedBy' | 'waitsFor'> } {
  const byLater = redactions.some(({ eventId }) => eventId === event.eventId);
  const early = event.redacted || byLater ? undefined : redactedEarly(at, event.eventId, event.pdu);
  const own = redactionBy(at, event, redactions);
  redactions.push(...[early?.redaction, own?.known].filter((one) => one !== undefined));
  return {
    left: byLater ? redact(event.pdu, at.head.version) : early?.pdu ?? event.pdu,
    redacting: { redacts: own?.known?.eventId, ...(early !== undefined && { redactedBy: early.redaction.redactedBy }), ...(own?.waitsFor !== undefined && { waitsFor: own.waitsFor }) },
  };
}

interface Redacting {
  readonly known?: Redaction;
  readonly waitsFor?: NewEvent['waitsFor'];
}

/** What the event redacts, by the power that its auth events give its sender. An event that has no place here yet, and does not come with it, is redacted when it comes. */
function redactionBy({ head, graph }: GraphAt, { eventId, pdu }: GraphEvent, others: readonly Redaction[]): Redacting | undefined {
  const redacts = redactsOf(pdu, head.version);
  if (redacts === undefined) return undefined;
  const target = lookForEvent(graph, redacts);
  const cited = [head.createEventId, ...authEventIds(pdu)].flatMap((authId) => lookForEvent(graph, authId) ?? []);
  if (target === undefined || isLacking(graph)) return undefined;
  const power = roomPower((type, stateKey): Pdu | undefined => cited.find((event) => event.pdu.type === type && event.pdu.state_key === stateKey)?.pdu, head.version);
  if (target === null) return { waitsFor: { eventId: redacts, byPower: mayRedact(pdu, { sender: '' }, { power, version: head.version }) } };
  const isVain = target.roomId !== head.roomId || target.redacted || target.pdu.type === 'm.room.create' || others.some((other) => other.eventId === redacts);
  if (isVain || !mayRedact(pdu, target.pdu, { power, version: head.version })) return undefined;
  return { known: { eventId: redacts, redactedBy: eventId, bytes: Buffer.from(eventText(redact(target.pdu, head.version), head.version)) } };
}
