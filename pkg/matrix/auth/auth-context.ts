/** What the authorisation rules look at: their input and what was looked up for it once. */
import type { Pdu } from '../events/pdu.ts';
import type { RoomVersion } from '../room-versions/room-versions.ts';
import type { RoomPower, StateLookup } from './power-levels.ts';

export interface Authorize {
  readonly event: Pdu;
  readonly version: RoomVersion;
  /**
   * The state to judge by; must hold all that `authTypesFor` names as far as the room has it, and the create event in every version (where it is not among the auth events,
   * the room ID names it), which must be an accepted one.
   */
  readonly state: StateLookup;
  readonly roomId: string;
  /**
   * Whether the event is validly signed by that server (rule 4.2/5.2). Signatures are checked once, on receipt (`requiredSigners`), not by these rules: without this function
   * the event need only carry a signature in that server's name.
   */
  readonly signedBy?: (serverName: string) => boolean;
}

export interface AuthContext extends Required<Authorize> {
  readonly create: Pdu;
  readonly createEventId: string;
  readonly power: RoomPower;
  /** The sender's power level. */
  readonly senderPower: number;
}

/** The same for a membership event. */
export interface MemberContext extends AuthContext {
  /** The user whose membership it is. */
  readonly target: string;
  /** The target's membership before. */
  readonly targetBefore: string | undefined;
  /** The sender's membership before. */
  readonly senderBefore: string | undefined;
}

/** The user's membership in that state; undefined when there is none. */
export function membershipOf(state: StateLookup, userId: string): string | undefined {
  const membership = state('m.room.member', userId)?.content.membership;
  return typeof membership === 'string' ? membership : undefined;
}
