/** Identifiers in paths and bodies. All throw 400 M_INVALID_PARAM. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { fitsIdLimit } from '../../../pkg/matrix/ids/byte-length.ts';
import { isEventId } from '../../../pkg/matrix/ids/event-id.ts';
import { isRoomAlias, isRoomId } from '../../../pkg/matrix/ids/room-id.ts';
import { isUserId } from '../../../pkg/matrix/ids/user-id.ts';

function invalid(value: unknown, what: string): MatrixError {
  return new MatrixError(400, 'M_INVALID_PARAM', `${JSON.stringify(String(value).slice(0, 100))} is not ${what}`);
}

export function requireRoomId(value: string | undefined): string {
  if (!isRoomId(value)) throw invalid(value, 'a room ID');
  return value;
}

export function requireRoomAlias(value: string | undefined): string {
  if (!isRoomAlias(value)) throw invalid(value, 'a room alias');
  return value;
}

export function requireEventId(value: string | undefined): string {
  if (!isEventId(value)) throw invalid(value, 'an event ID');
  return value;
}

export function requireUserId(value: string | undefined): string {
  if (!isUserId(value)) throw invalid(value, 'a user ID');
  return value;
}

/** An event type or state key: at most 255 bytes. */
export function requireShort(value: string | undefined, what: string): string {
  if (value === undefined || !fitsIdLimit(value)) throw invalid(value, what);
  return value;
}
