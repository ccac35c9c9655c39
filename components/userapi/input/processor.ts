/** The userapi as the input runner sees it: load, decide, commit. */
import { userInputCodec } from '../../../pkg/log/codec.ts';
import { PoisonRecord } from '../../../pkg/log/log.ts';
import type { PlacedInput, Processor } from '../../../pkg/log/processor.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import type { PresenceKind } from '../../../schemas/log/presence.ts';
import type { UserInput } from '../../../schemas/log/user-input.ts';
import { commitUserEffects } from './commit.ts';
import { TOKEN_KEY_SIGIL } from './decide-registration-token.ts';
import { UIA_KEY_SIGIL } from './decide-sessions.ts';
import { decideUserInput } from './decide.ts';
import type { UserEffects } from './effects.ts';
import { advance, loadPictures, type UserPicture } from './picture.ts';

export interface UserProcessorDeps {
  readonly database: Reader;
  /** An account is over. */
  readonly onDeactivated?: (() => void) | undefined;
  /** Rooms are to hear of a user's new name or picture. */
  readonly onProfileChanged?: (() => void) | undefined;
  /** A user has said what others are to see of their presence. */
  readonly onPresence?: ((userId: string, wanted: { readonly kind: PresenceKind; readonly statusMsg: string }) => void) | undefined;
}

/**
 * Nothing is kept from batch to batch: every batch reads its users' pictures anew, and they go
 * with it. So a lost lease or a failed commit leaves nothing stale behind.
 */
export function createUserProcessor(deps: UserProcessorDeps): Processor<UserInput, UserEffects> {
  const picturesOf = new Map<number, Map<string, UserPicture>>();

  return {
    decode(record) {
      const input = userInputCodec.decode(record);
      if (!input.userId.startsWith(sigilOf(input))) throw new PoisonRecord('a user input without a user');
      return input;
    },
    keyOf: (input) => input.userId,
    // A device that is seen twice is seen, and what it has it has.
    knowsRepeated: (input) => Boolean(input.seeDevice ?? input.ackToDevice),
    async load(inputs) {
      for (const [partition, ofPartition] of byPartition(inputs)) picturesOf.set(partition, await loadPictures(deps.database, ofPartition));
    },
    decide(input, place) {
      const pictures = picturesOf.get(place.partition);
      const picture = pictures?.get(input.userId);
      if (picture === undefined) throw new Error('an input is decided that was not loaded');
      const decision = decideUserInput(picture, input, { ...place, pictures });
      if (decision.kind === 'accepted') advance(picture, decision.effects);
      return decision;
    },
    commit: commitUserEffects,
    committed(accepted) {
      for (const { place, effects } of accepted) {
        picturesOf.delete(place.partition);
        if (effects.writes.some(({ kind }) => kind === 'deactivated')) deps.onDeactivated?.();
        if (effects.writes.some(({ kind }) => kind === 'profile-changed')) deps.onProfileChanged?.();
        for (const write of effects.writes) if (write.kind === 'presence') deps.onPresence?.(effects.userId, { kind: write.presence, statusMsg: write.statusMsg });
      }
    },
    forget(partition) {
      picturesOf.delete(partition);
    },
  };
}

function byPartition(inputs: readonly PlacedInput<UserInput>[]): Map<number, UserInput[]> {
  const result = new Map<number, UserInput[]>();
  for (const { input, partition } of inputs) {
    const present = result.get(partition);
    if (present) present.push(input);
    else result.set(partition, [input]);
  }
  return result;
}

/** What the key of an input begins with: most are about users. */
function sigilOf(input: UserInput): string {
  if (input.uiaStep) return UIA_KEY_SIGIL;
  return input.putRegistrationToken ?? input.useRegistrationToken ? TOKEN_KEY_SIGIL : '@';
}
