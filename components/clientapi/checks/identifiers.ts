/** Identifiers in paths and bodies. All throw 400 M_INVALID_PARAM, and those of an event's own fields 413 M_TOO_LARGE. */
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

/** An event type, or what else has at most 255 bytes. */
export function requireShort(value: string | undefined, what: string): string {
  if (value === undefined || !fitsIdLimit(value)) throw invalid(value, what);
  return value;
}

/** The same, of an event that is to be sent: one with a longer field is too large (Client-Server API, "Size limits"). */
export function requireEventField(value: string, what: 'event type' | 'state key'): string {
  if (!fitsIdLimit(value)) throw new MatrixError(413, 'M_TOO_LARGE', `The ${what} of an event has at most 255 bytes`);
  return value;
}
