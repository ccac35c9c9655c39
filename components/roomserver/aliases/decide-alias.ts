/**
 * PURE. Room aliases of this server. An alias hashes to a partition of its own, whose owner decides who has it; that it counts only while its room exists is what makes a room and its
 * alias one: the alias is reserved, then the room made, which is refused without the reservation. Whoever dies in between leaves a reservation that runs out.
 */
import type { DeleteAlias, SetAlias } from '../../../schemas/log/room-input.ts';
import { NO_EFFECTS, rejected, type Deciding, type RoomDecision } from '../input/decision.ts';
import type { AliasChange } from '../input/effects.ts';
import { refused } from '../input/refused.ts';
import { isTaken } from './alias-row.ts';

const ALIAS_NOT_FOUND = refused(404, 'M_NOT_FOUND', 'There is no such room alias');

/** Refuses with 409 M_UNKNOWN (spec: PUT /directory/room) when the alias is taken, a reservation (createRoom) with 400 M_ROOM_IN_USE. */
export function decideSetAlias(deciding: Deciding, set: SetAlias): RoomDecision {
  const { input: { roomId: alias }, picture, place } = deciding;
  const present = picture.aliases.get(alias);
  const taken = isTaken(present, place.nowMs) ? present : undefined;
  if (set.movedFrom !== '') return decideMove(deciding, set);
  if (taken !== undefined) {
    return rejected(set.reservedUntilMs > 0 ? refused(400, 'M_ROOM_IN_USE', 'The room alias is taken') : refused(409, 'M_UNKNOWN', `The room alias ${alias} exists already`));
  }
  if (set.reservedUntilMs === 0 && !picture.rooms.has(set.roomId)) return rejected(refused(404, 'M_NOT_FOUND', 'This server does not know the room'));
  if (set.reservedUntilMs > 0 && set.reservedUntilMs <= place.nowMs) return rejected(refused(504, 'M_UNKNOWN', 'The time for making the room is over'));
  return changed(deciding, { alias, row: { alias, roomId: set.roomId, creator: set.userId, reservedUntilMs: set.reservedUntilMs } });
}

/** To the room that replaces another. What points elsewhere by now is left alone: whoever did that knew of no upgrade. */
function decideMove(deciding: Deciding, set: SetAlias): RoomDecision {
  const { input: { roomId: alias }, picture } = deciding;
  const present = picture.aliases.get(alias);
  if (present === undefined) return rejected(ALIAS_NOT_FOUND);
  if (present.roomId === set.roomId) return { kind: 'accepted', effects: NO_EFFECTS, outputs: [], result: {} };
  if (present.roomId !== set.movedFrom) return rejected(refused(409, 'M_UNKNOWN', `The room alias ${alias} points to another room`));
  return changed(deciding, { alias, row: { alias, roomId: set.roomId, creator: present.creator, reservedUntilMs: 0 } });
}

/** Who may do so its writer has looked; here only that it is still what they looked at. */
export function decideDeleteAlias(deciding: Deciding, wish: DeleteAlias): RoomDecision {
  const { input: { roomId: alias }, picture } = deciding;
  const present = picture.aliases.get(alias);
  if (present === undefined || present.roomId !== wish.roomId) return rejected(ALIAS_NOT_FOUND);
  if (present.roomExists === wish.reservedOnly) return rejected(ALIAS_NOT_FOUND);
  return changed(deciding, { alias, row: undefined });
}

function changed({ input, picture }: Deciding, alias: AliasChange): RoomDecision {
  const roomExists = alias.row !== undefined && picture.rooms.has(alias.row.roomId);
  return {
    kind: 'accepted', effects: { inputId: input.inputId, roomId: input.roomId, events: [], redactions: [], alias: { ...alias, roomExists } }, outputs: [], result: {},
  };
}
