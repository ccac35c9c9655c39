/** The m.room.create event, which clientapi builds itself: in room version 12 its hash is the room ID, and so the key of the command. */
import { buildEvent } from '../../../pkg/matrix/events/build-event.ts';
import { domainRoomId, roomIdOfCreateEvent } from '../../../pkg/matrix/ids/room-id.ts';
import type { RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { Context } from '../context.ts';

const OPAQUE_LENGTH = 18;
const NONCE_LENGTH = 16;

export interface CreatedRoom {
  readonly roomId: string;
  /** The signed PDU as JSON. */
  readonly createEvent: Uint8Array;
  readonly originServerTs: number;
}

export function buildCreateEvent(context: Pick<Context, 'runtime' | 'serverName' | 'signingKey'>, version: RoomVersion, creator: string, content: Record<string, unknown>): CreatedRoom {
  const { runtime, serverName, signingKey } = context;
  const originServerTs = runtime.clock.now();
  const hashed = version.roomIdFormat === 'create-hash';
  const roomId = hashed ? undefined : domainRoomId(runtime.random.token(OPAQUE_LENGTH), serverName);
  // Without it, two equal requests in one millisecond would make the same event, and so the same room.
  const unique = hashed ? { ...content, 'myelin.nonce': runtime.random.token(NONCE_LENGTH) } : content;
  const built = buildEvent({
    version,
    draft: { type: 'm.room.create', sender: creator, state_key: '', content: unique },
    roomId,
    prevEvents: [],
    authEvents: [],
    depth: 1,
    originServerTs,
    serverName,
    signingKey,
  });
  return { roomId: roomId ?? roomIdOfCreateEvent(built.eventId), createEvent: Buffer.from(built.json), originServerTs };
}
