/** What is taken of rooms that this server is not in: that others have ended an invite or a knock of one of its users, and no more. */
import { isJsonObject } from '../../../pkg/http/json.ts';
import { roomInputCodec } from '../../../pkg/log/codec.ts';
import { isLocalUser, isUserId } from '../../../pkg/matrix/ids/user-id.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';
import type { KeyRing } from '../fetch/key-ring.ts';
import { verifyPdus } from '../verify/verify-pdus.ts';

export interface EndsDeps {
  readonly serverName: string;
  readonly clock: Clock;
  readonly roomQuery: Pick<RoomQuery, 'outsideMembership'>;
  readonly keyRing: Pick<KeyRing, 'keys'>;
}

/** Room inputs by event ID; the room's owner decides whom it believes. Usually there are none, and nothing is read. */
export async function receiveEnds({ serverName, clock, roomQuery, keyRing }: EndsDeps, origin: string, { roomId, values }: { roomId: string; values: readonly unknown[] }): Promise<Map<string, Uint8Array>> {
  const records = new Map<string, Uint8Array>();
  for (const value of values) {
    const userId = userOfEnd(value, serverName);
    const before = userId === undefined ? undefined : await roomQuery.outsideMembership(roomId, userId);
    const version = before?.membership === 'invite' || before?.membership === 'knock' ? roomVersion(before.roomVersion) : undefined;
    if (version === undefined) continue;
    const [event] = await verifyPdus({ keyRing, clock }, { values: [value], version, roomId });
    if (event === undefined || 'outcome' in event || event.redacted) continue;
    const { eventId, bytes } = event;
    records.set(eventId, roomInputCodec.encode({
      inputId: `end:${eventId}`, replyTo: '', deadlineMs: 0, traceId: '', originServerTs: clock.now(), roomId,
      receiveInvite: { eventId, pdu: bytes, origin, roomVersion: version.id, strippedState: Buffer.from('[]') },
    }));
  }
  return records;
}

/** The user here whose membership somebody else ends by the event; undefined: it is something else. */
function userOfEnd(value: unknown, serverName: string): string | undefined {
  if (!isJsonObject(value) || value['type'] !== 'm.room.member' || !isJsonObject(value['content'])) return undefined;
  const { state_key: userId, sender, content } = value;
  if (content['membership'] !== 'leave' && content['membership'] !== 'ban') return undefined;
  return isUserId(userId) && isLocalUser(userId, serverName) && sender !== userId ? userId : undefined;
}
