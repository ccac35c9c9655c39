/** The aliases that a room says it has: m.room.canonical_alias (Client-Server API, "Room aliases"). */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest } from '../../../pkg/http/route.ts';
import { isRoomAlias } from '../../../pkg/matrix/ids/room-id.ts';
import type { Requester } from '../../../schemas/ports/user-query.ts';
import { contentBytes } from '../checks/event-content.ts';
import type { Context } from '../context.ts';
import { submitRoomCommand } from '../outcome/submit.ts';
import { resolveAlias } from './resolve-alias.ts';

type Content = Readonly<Record<string, unknown>>;

const TYPE = 'm.room.canonical_alias';
/** Each alias that is new in the event may cost a request to another server. */
const NEW_ALIASES_MAX = 50;

/**
 * Throws 400 M_INVALID_PARAM for what is no alias, and M_BAD_ALIAS for a new one that does not point to the room (PUT /rooms/{roomId}/state). Aliases that the room has by the present
 * event are not asked after again: one that was deleted since must not keep the others from being changed.
 */
export async function requireAliases(context: Context, content: Content, place: { roomId: string; stateKey: string; signal: AbortSignal }): Promise<void> {
  const { alias, alt_aliases: others = [] } = content;
  if (!Array.isArray(others)) throw new MatrixError(400, 'M_BAD_JSON', 'alt_aliases must be a list');
  const aliases: unknown[] = alias === undefined || alias === null || alias === '' ? others : [alias, ...others];
  const malformed = aliases.find((one) => !isRoomAlias(one));
  if (malformed !== undefined) throw new MatrixError(400, 'M_INVALID_PARAM', `${JSON.stringify(malformed)} is not a room alias`);
  const present = new Set(aliases.length === 0 ? [] : aliasesIn(await presentContent(context, place.roomId, place.stateKey)));
  const fresh = [...new Set(aliases as string[])].filter((one) => !present.has(one));
  if (fresh.length > NEW_ALIASES_MAX) throw new MatrixError(400, 'M_INVALID_PARAM', `One event adds ${NEW_ALIASES_MAX} aliases at most`);
  await Promise.all(fresh.map((one) => requirePointsTo(context, one, place)));
}

async function requirePointsTo(context: Context, alias: string, { roomId, signal }: { roomId: string; signal: AbortSignal }): Promise<void> {
  const entry = await resolveAlias(context, alias, { signal, whenDown: 404 }).catch((error: unknown) => {
    if (error instanceof MatrixError && error.errcode === 'M_NOT_FOUND') return undefined;
    throw error;
  });
  if (entry?.roomId !== roomId) throw new MatrixError(400, 'M_BAD_ALIAS', `${alias} does not point to this room`);
}

/** Takes a deleted alias out of the room's event, where the requester may; the alias is gone all the same (DELETE /directory/room). */
export async function withdrawAlias(context: Context, request: ApiRequest, requester: Requester, gone: { roomId: string; alias: string }): Promise<void> {
  const { roomId, alias } = gone;
  const content = await presentContent(context, roomId, '');
  if (content === undefined || !aliasesIn(content).includes(alias)) return;
  const { alias: main, alt_aliases: others, ...rest } = content;
  const left = Array.isArray(others) ? others.filter((one) => one !== alias) : [];
  const next = { ...rest, ...(main !== undefined && main !== alias && { alias: main }), ...(left.length > 0 && { alt_aliases: left }) };
  const event = { type: TYPE, stateKey: '', content: contentBytes(next) };
  try {
    await submitRoomCommand(context, request, { roomId, sendEvent: { sender: requester.userId, deviceId: requester.deviceId, txnId: '', event } });
  } catch (error) {
    if (!(error instanceof MatrixError)) throw error;
    request.logger.debug({ roomId, alias, errcode: error.errcode }, 'a deleted alias stays in the event of its room');
  }
}

async function presentContent({ roomQuery }: Pick<Context, 'roomQuery'>, roomId: string, stateKey: string): Promise<Content | undefined> {
  const [event] = await roomQuery.currentState(roomId, [[TYPE, stateKey]]);
  return event && (JSON.parse(Buffer.from(event.pdu).toString()) as { content: Content }).content;
}

function aliasesIn(content: Content | undefined): string[] {
  const others = content?.['alt_aliases'];
  return [content?.['alias'], ...(Array.isArray(others) ? others : [])].filter((one): one is string => typeof one === 'string');
}
