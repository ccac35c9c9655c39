/** PURE. Whether a room stands in the room directory (spec: client-server, PUT /directory/list/room; application-service, PUT /directory/list/appservice). */
import type { SetRoomVisibility } from '../../../schemas/log/room-input.ts';
import { headerOf, NO_EFFECTS, rejected, type Deciding, type RoomDecision } from '../input/decision.ts';
import { encodePublished } from '../input/outputs.ts';
import { refused, ROOM_NOT_FOUND } from '../input/refused.ts';
import type { RoomHead } from '../input/room-head.ts';

/** A room stands in few lists: one of this server, and one of each network that it is bridged to. */
const LISTS_MAX = 100;

/** Who may do so its writer has looked. What is so already is no change. */
export function decideVisibility({ input, picture, place }: Deciding, head: RoomHead | undefined, { isPublic, network }: SetRoomVisibility): RoomDecision {
  if (head === undefined) return rejected(ROOM_NOT_FOUND);
  const before = picture.published.get(input.roomId) ?? [];
  if (before.includes(network) === isPublic) return { kind: 'accepted', effects: NO_EFFECTS, outputs: [], result: {} };
  const networks = isPublic ? [...before, network].sort() : before.filter((one) => one !== network);
  if (networks.length > LISTS_MAX) return rejected(refused(400, 'M_INVALID_PARAM', 'The room stands in too many room directories'));
  const published = { networks, roomVersion: head.version.id, sequence: place.nextSequence };
  return {
    kind: 'accepted',
    effects: { inputId: input.inputId, roomId: input.roomId, events: [], redactions: [], published },
    outputs: [encodePublished(headerOf(input, head.version.id), published)],
    result: {},
  };
}
