/** One need at work: until when, for whom, and what its work is done with. */
import type { FederationRequest } from '../../../pkg/federation/transport.ts';
import type { IntactEvent } from '../../../pkg/matrix/events/check-received.ts';
import type { RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { SigningKey } from '../../../pkg/matrix/signing/signing-key.ts';
import type { Lane } from '../fetch/lane.ts';
import type { Clock, Random } from '../../../pkg/runtime/runtime.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import type { Logger } from '../../../pkg/telemetry/logger.ts';
import type { Answer, RoomInput } from '../../../schemas/log/room-input.ts';
import type { AboutEvent } from '../../../schemas/log/room-output.ts';
import type { RoomHistoryQuery, RoomQuery } from '../../../schemas/ports/room-query.ts';
import type { KeyRing } from '../fetch/key-ring.ts';
import type { Staged } from '../storage/stages.ts';

export interface NeedJob {
  readonly needId: string;
  /** Names this telling of the need, in input and stage IDs: the same after a crash, another when the roomserver tells the need again. */
  readonly runId: string;
  readonly roomId: string;
  /** As the roomserver knows it; empty for a room that it does not know. */
  readonly roomVersion: string;
  /** Wall-clock ms after which nobody waits. */
  readonly deadlineMs: number;
  /** Aborted when the work should end: time is over, the partition is lost, the process stops. */
  readonly signal: AbortSignal;
  /** Throws `NeedFailure` (504) when time is over, `Abandoned` when the work is not ours any more. Called before everything that leaves traces. */
  check(): void;
}

export interface Question extends Pick<FederationRequest, 'destination' | 'method' | 'path' | 'query' | 'body' | 'json' | 'answersInPair' | 'responseBytesMax'> {
  /** How long the answer may take, in ms; never longer than the need's own time. */
  readonly limitMs: number;
  /** Asks also a server that failed lately: a user waits for this very answer. */
  readonly insistent?: boolean;
  /** Under which name its failures are counted; the destination's by default. */
  readonly pausedAs?: string;
}

export type RoomInputKind = Partial<Pick<RoomInput, 'receivePdu' | 'importState' | 'answer'>>;

export interface NewRoomInput {
  readonly inputId: string;
  readonly kind: RoomInputKind;
}

export interface NeedTools {
  readonly serverName: string;
  readonly signingKey: SigningKey;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly database: Database;
  readonly roomQuery: Pick<RoomQuery, 'knownEventIds' | 'placedEventIds' | 'eventsById'>;
  readonly roomHistoryQuery: Pick<RoomHistoryQuery, 'timestampToEvent'>;
  readonly keyRing: Pick<KeyRing, 'keys'>;
  /** Answers that may be very big are fetched a few at a time; by the name of the server that is asked. */
  readonly bigAnswers: Lane;
  /**
   * `values` as events, in their places; undefined for those that are not what their senders signed, and for those of other rooms. `patient`: keys that cannot be had are waited for
   * while there is hope of them, at most half of the job's time; then what they sign is left out, too.
   */
  intact(job: NeedJob, values: readonly unknown[], how: { version: RoomVersion; patient?: boolean }): Promise<(IntactEvent | undefined)[]>;
  /** The body of another server's answer. Rejects with `FederationError`, and with what `job.check` throws. */
  ask(job: NeedJob, question: Question): Promise<Readonly<Record<string, unknown>>>;
  /** Whether a server that has just failed may well be back in a moment. */
  mayRecover(destination: string): boolean;
  /** Keeps word of events that are given up because their server did not answer: they are fetched once more later. Rejects with `StorageError`. */
  later(job: NeedJob, events: readonly AboutEvent[]): Promise<void>;
  /** Appends to room-input, in order. Rejects with what `job.check` throws. */
  append(job: NeedJob, inputs: readonly NewRoomInput[]): Promise<void>;
  /** Appends one input and waits until it is decided. Rejects with `NeedFailure` when it is refused, and with what `job.check` throws. */
  submit(job: NeedJob, input: NewRoomInput): Promise<void>;
}

/** What came of a need: its answer, and the state that is to be imported before. */
export interface Fulfilled {
  readonly answer: Pick<Answer, 'origin'> & Partial<Pick<Answer, 'eventId' | 'pdu' | 'roomVersion' | 'strippedState' | 'membersOmitted' | 'serversInRoom'>>;
  /** Staged under the job's `runId`. */
  readonly state?: Staged;
}

/** Room input of the kinds that other servers cause; nobody waits for its outcome. */
export function roomInputOf(job: Pick<NeedJob, 'roomId'>, { inputId, kind }: NewRoomInput, nowMs: number): RoomInput {
  return { inputId, replyTo: '', deadlineMs: 0, traceId: '', originServerTs: nowMs, roomId: job.roomId, ...kind };
}

/** What the answer `status` says; fields that are not given are empty. */
export function answerOf({ needId, runId }: Pick<NeedJob, 'needId' | 'runId'>, status: number, fields: Partial<Answer>): NewRoomInput {
  const nothing = { errcode: '', error: '', origin: '', eventId: '', pdu: new Uint8Array(), stageId: '', roomVersion: '' };
  return { inputId: `answer:${runId}`, kind: { answer: { ...nothing, ...fields, needId, status } } };
}
