/** What a user has set for a room, and this server's names for it, go with them to the room that replaces it (Client-Server API, "Room Upgrades": when a user joins the new room). */
import type { ApiRequest } from '../../../pkg/http/route.ts';
import { isRoomId } from '../../../pkg/matrix/ids/room-id.ts';
import type { Context } from '../context.ts';
import { submitRoomCommand, submitUserCommand } from '../outcome/submit.ts';

type Deps = Pick<Context, 'roomQuery' | 'commands' | 'appliedPositions' | 'runtime'>;

/**
 * After a join. Does nothing unless the old room says, too, that this one replaces it: anybody can make a room that claims so. Never rejects: the user has joined in any case. Done twice within a
 * day, it is done once, so that what the user takes away from the new room stays away.
 */
export async function followUpgrade(context: Deps, request: Pick<ApiRequest, 'traceId' | 'logger'>, { userId, roomId }: { userId: string; roomId: string }): Promise<void> {
  try {
    const oldRoomId = await predecessorOf(context.roomQuery, roomId);
    if (oldRoomId === undefined) return;
    await submitUserCommand(context, request, { userId, inputId: `follow upgrade ${userId} ${oldRoomId} ${roomId}`, followUpgrade: { oldRoomId, newRoomId: roomId } });
    await moveNames(context, request, { userId, oldRoomId, roomId });
  } catch (error) {
    request.logger.warn({ userId, roomId, error }, 'what a user has set for a room was not taken along to the room that replaces it');
  }
}

/** Where another server has replaced the room, this one's aliases and its room directory still show the old one. Nothing is asked for here but to move on, so nobody's leave is needed. */
async function moveNames(context: Deps, request: Pick<ApiRequest, 'traceId' | 'logger'>, { userId, oldRoomId, roomId }: { userId: string; oldRoomId: string; roomId: string }): Promise<void> {
  const [aliases, isPublished] = await Promise.all([context.roomQuery.aliasesOf(oldRoomId), context.roomQuery.isPublished(oldRoomId)]);
  for (const alias of aliases) await submitRoomCommand(context, request, { roomId: alias, setAlias: { roomId, userId, reservedUntilMs: 0, movedFrom: oldRoomId } });
  if (!isPublished) return;
  for (const [of, isPublic] of [[roomId, true], [oldRoomId, false]] as const) await submitRoomCommand(context, request, { roomId: of, setRoomVisibility: { isPublic, network: '' } });
}

async function predecessorOf(roomQuery: Deps['roomQuery'], roomId: string): Promise<string | undefined> {
  const predecessor = (await contentOf(roomQuery, roomId, 'm.room.create'))?.['predecessor'] as { room_id?: unknown } | null | undefined;
  const oldRoomId = predecessor?.room_id;
  if (typeof oldRoomId !== 'string' || !isRoomId(oldRoomId)) return undefined;
  return (await contentOf(roomQuery, oldRoomId, 'm.room.tombstone'))?.['replacement_room'] === roomId ? oldRoomId : undefined;
}

async function contentOf(roomQuery: Deps['roomQuery'], roomId: string, type: string): Promise<Record<string, unknown> | undefined> {
  const [event] = await roomQuery.currentState(roomId, [[type, '']]);
  return event && (JSON.parse(Buffer.from(event.pdu).toString()) as { content: Record<string, unknown> }).content;
}
