/**
 * Submitting inputs and waiting for their outcomes: `CommandClient` is what clientapi, syncapi and federationapi write with.
 */
import type { InputLogName } from './log.ts';
import type { Outcome } from '../../schemas/log/envelope.ts';
import type { RoomInput } from '../../schemas/log/room-input.ts';
import type { UserInput } from '../../schemas/log/user-input.ts';

/** Asked when outcome signals may have been lost: what the owner remembers of these inputs, by input ID (absent: not accepted, or not yet). */
export type OutcomeLookup = (log: InputLogName, inputIds: readonly string[]) => Promise<ReadonlyMap<string, Outcome>>;

export class OutcomeTimeout extends Error {
  override readonly name = 'OutcomeTimeout';
}

export interface SubmitOptions {
  /** Instead of the 30 s, in ms from now: for what has to ask another server first, or whose caller does not wait as long. */
  readonly deadlineMs?: number | undefined;
}

export interface CommandClient {
  /**
   * Appends the input to its log under `roomId` and resolves with the owner's outcome, accepted or rejected. `inputId`, `replyTo` and `deadlineMs` are filled in here
   * (`inputId` when empty: random). Rejects with `OutcomeTimeout` a little after the deadline (30 s): the owner drops the input by then, so the caller may try again;
   * rejects with `LogUnavailable` when the log takes no records, or when too many callers wait already.
   */
  submitRoomInput(input: Omit<RoomInput, 'replyTo' | 'deadlineMs'>, options?: SubmitOptions): Promise<Outcome>;
  /** The same for user-input, under `userId`. */
  submitUserInput(input: Omit<UserInput, 'replyTo' | 'deadlineMs'>, options?: SubmitOptions): Promise<Outcome>;
  close(): Promise<void>;
}
