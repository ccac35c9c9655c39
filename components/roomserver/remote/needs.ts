/** PURE. Needs of commands: how they are told, waited for, and what becomes of a command whose need was refused. */
import type { InputPlace, RejectedOutcome } from '../../../pkg/log/processor.ts';
import type { Answer, RoomInput } from '../../../schemas/log/room-input.ts';
import { parkingKey } from '../input/check-input.ts';
import type { Deciding, RoomDecision } from '../input/decision.ts';
import { openNeed as open, type NeedWish } from '../input/open-need.ts';
import { refused } from '../input/refused.ts';
import type { RemoteFacts, RemoteNeed } from './facts.ts';

/** A join over federation brings the state of a room: servers take their time. */
export const JOIN_MS_MAX = 120_000;
export const LEAVE_MS_MAX = 30_000;
export const KNOCK_MS_MAX = 60_000;
export const INVITE_MS_MAX = 60_000;

/** Under what a command waits that delays no other. */
export function inputKey({ roomId, inputId }: RoomInput): string {
  return parkingKey(roomId, 'input', inputId);
}

/** Joins of a room over federation come one after the other: each brings the room's whole state. */
export function joinKey({ roomId }: RoomInput): string {
  return parkingKey(roomId, 'join');
}

/** The same record has the same need, however often it is decided; a command that is tried again has a new one. */
export function needIdOf({ inputId, originServerTs }: RoomInput): string {
  return `${inputId}#${originServerTs}`;
}

/** Parks the input until the need is answered, whatever it is about. */
export function openNeed(deciding: Deciding, wish: Omit<NeedWish, 'needId' | 'reason'>): RoomDecision {
  return open(deciding, { ...wish, needId: needIdOf(deciding.input), reason: `needs another server (${wish.kind})` });
}

/** The need of this very record, if it was opened. */
export function ownNeed(facts: RemoteFacts, input: RoomInput): RemoteNeed | undefined {
  return facts.needs.get(needIdOf(input)) ?? undefined;
}

/** Parks the input until the need is answered or its time is over. */
export function waitFor(need: RemoteNeed): RoomDecision {
  return { kind: 'parked', reason: `needs another server (${need.kind})`, untilMs: need.deadlineMs, key: need.parkedKey };
}

/** A need that others wait for at this time. */
export function openNeeds(facts: RemoteFacts, nowMs: number): RemoteNeed[] {
  return [...facts.needs.values()].filter((need) => need !== null && need.answer === undefined && need.deadlineMs > nowMs) as RemoteNeed[];
}

/** The same command, sent twice at the same time: the second waits for the first, whose outcome it gets. */
export function sameAtWork({ picture, input, place }: Deciding): RoomDecision | undefined {
  const same = openNeeds(picture.remote, place.nowMs).find((need) => need.inputId === input.inputId);
  return same && waitFor(same);
}

/** A command whose caller has given up while it queued begins nothing any more. */
export function isTooLate({ input, place }: Deciding): boolean {
  return input.deadlineMs > 0 && place.nowMs > input.deadlineMs;
}

export const NOBODY_ANSWERED: RejectedOutcome = refused(504, 'M_UNKNOWN', 'No other server answered in time');

/** Errors that tell of a fault of this server, not of its client's (spec: server-server, PUT /invite). */
const OUR_FAULTS = new Set(['M_MISSING_PARAM', 'M_INVALID_PARAM', 'M_BAD_JSON', 'M_NOT_JSON', 'M_UNAUTHORIZED', 'M_MISSING_TOKEN', 'M_UNKNOWN_TOKEN']);

/** What the client is told of another server's refusal. */
export function refusalOf({ status, errcode, error }: Answer): RejectedOutcome {
  const code = errcode === '' ? 'M_UNKNOWN' : errcode;
  if (status < 400 || OUR_FAULTS.has(code)) return refused(502, 'M_UNKNOWN', `The other server refused: ${code} ${error}`);
  return refused(status, code, error === '' ? 'The other server refused' : error);
}

/** The end of an input whose need was in vain. */
export function giveUp({ input }: Deciding, needId: string, outcome: RejectedOutcome): RoomDecision {
  return { kind: 'rejected', outcome, effects: { inputId: input.inputId, roomId: input.roomId, events: [], redactions: [], needs: { closed: [needId] } } };
}

/** An answer that does not hold what it should. */
export function badAnswer(what: string): RejectedOutcome {
  return refused(502, 'M_UNKNOWN', `The other server's answer cannot be used: ${what}`);
}

/** Whether there is nothing to do yet but wait; a copy of the input that is waiting queues behind it. */
export function isPending(need: RemoteNeed, { nowMs, isAgain }: InputPlace): boolean {
  return isAgain !== true || (need.answer === undefined && nowMs < need.deadlineMs);
}
