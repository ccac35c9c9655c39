/** A new room and its alias: two owners, so the alias is reserved first, and the room is made only while the reservation stands. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest } from '../../../pkg/http/route.ts';
import { isRoomAlias, roomAlias } from '../../../pkg/matrix/ids/room-id.ts';
import type { Context } from '../context.ts';
import { submitRoomCommand } from '../outcome/submit.ts';
import { requireAliasAllowed } from './alias-namespace.ts';

/** Longer than a command to make a room may take: after that the owner of the room drops it. */
const RESERVED_MS = 60_000;

/** The alias of this server for `room_alias_name`. Throws 400 M_INVALID_PARAM and M_EXCLUSIVE. */
export function requireFreeName(context: Context, request: ApiRequest, name: string): string {
  const alias = roomAlias(name, context.serverName);
  if (name === '' || name.includes(':') || !isRoomAlias(alias)) throw new MatrixError(400, 'M_INVALID_PARAM', 'room_alias_name is not the local part of a room alias');
  requireAliasAllowed(context, request, alias);
  return alias;
}

/**
 * Reserves the alias and makes the room. Throws 400 M_ROOM_IN_USE when the alias is taken. A room that is refused gives the alias back; where its fate is not known, the
 * reservation runs out by itself.
 */
export async function underReservation(context: Context, request: ApiRequest, wish: { alias: string; roomId: string; userId: string }, create: () => Promise<unknown>): Promise<void> {
  const { alias, roomId, userId } = wish;
  await submitRoomCommand(context, request, { roomId: alias, setAlias: { roomId, userId, reservedUntilMs: context.runtime.clock.now() + RESERVED_MS, movedFrom: '' } });
  try {
    await create();
  } catch (error) {
    if (error instanceof MatrixError) await submitRoomCommand(context, request, { roomId: alias, deleteAlias: { roomId, reservedOnly: true } }).catch(() => undefined);
    throw error;
  }
}
