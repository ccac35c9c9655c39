/** An input being decided: what the user is now, and what is collected to be written and told. */
import { userOutputCodec } from '../../../pkg/log/codec.ts';
import type { Decision, InputPlace } from '../../../pkg/log/processor.ts';
import type { UserInput } from '../../../schemas/log/user-input.ts';
import type { UserOutput } from '../../../schemas/log/user-output.ts';
import type { UserEffects, UserWrite } from './effects.ts';
import type { UserPicture } from './picture.ts';

export type Verdict = Decision<UserEffects>;
/** What an output record tells. */
type Change = Omit<UserOutput, 'userId' | 'inputId' | 'traceId' | 'sealed'>;

/** Collects writes and the output records that go with them, in order. */
export interface Draft {
  readonly input: UserInput;
  readonly picture: UserPicture;
  /** Others of the partition, whom inputs to many are about. */
  userOf(userId: string): UserPicture | undefined;
  readonly writes: UserWrite[];
  readonly outputs: Uint8Array[];
  /** Adds an output record; the result is its sequence number. */
  emit(change: Change): number;
}

export function rejected(status: number, errcode: string, error: string): Verdict {
  return { kind: 'rejected', outcome: { status, errcode, error } };
}

export function accepted(draft: Draft, result: Record<string, unknown> = {}): Verdict {
  const effects = { userId: draft.input.userId, ts: draft.input.ts, writes: draft.writes };
  return { kind: 'accepted', effects, outputs: draft.outputs, result };
}

/** Where an input stands, and who else of its partition was loaded with it. */
export type DraftPlace = Pick<InputPlace, 'nextSequence'> & { readonly pictures?: ReadonlyMap<string, UserPicture> | undefined };

export function openDraft(picture: UserPicture, input: UserInput, place: DraftPlace): Draft {
  const outputs: Uint8Array[] = [];
  return {
    input,
    picture,
    userOf: (userId) => place.pictures?.get(userId),
    writes: [],
    outputs,
    emit: (change) => {
      const { userId, inputId, traceId } = input;
      outputs.push(userOutputCodec.encode({ userId, inputId, traceId, ...change }));
      return place.nextSequence + outputs.length - 1;
    },
  };
}
