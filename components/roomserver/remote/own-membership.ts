import type { SendEvent } from '../../../schemas/log/room-input.ts';
import type { Deciding } from '../input/decision.ts';
import type { RoomHead } from '../input/room-head.ts';
import type { OutsideMember } from './facts.ts';

/** Somebody's own join, leave or knock. */
export interface OwnMembership {
  readonly deciding: Deciding;
  /** Of the room as far as it is known here. */
  readonly head: RoomHead | undefined;
  readonly send: SendEvent;
  readonly membership: 'join' | 'leave' | 'knock';
  readonly content: Record<string, unknown>;
  /** What the user is to the room, as the other servers see it. */
  readonly outside: OutsideMember | undefined;
}
