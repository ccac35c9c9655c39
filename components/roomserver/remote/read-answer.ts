import { CanonicalJsonError } from '../../../pkg/matrix/canonical-json/canonical-json.ts';
import { eventText } from '../../../pkg/matrix/events/event-text.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { Answer } from '../../../schemas/log/room-input.ts';
import { parseContent } from '../input/parse-content.ts';

/** PURE. The membership event of an answer, as it is stored; or why it is not the one that was asked for. Its signatures and its hash were checked by who asked for it. */
export function readAnsweredMember(
  answer: Answer, asked: { readonly roomId: string; readonly version: RoomVersion; readonly userId: string; readonly membership: string },
): { readonly pdu: Pdu; readonly bytes: Uint8Array } | { readonly problem: string } {
  const parsed = parseContent(answer.pdu) as Pdu | undefined;
  if (parsed === undefined) return { problem: 'there is no event in it' };
  const { unsigned: _unsigned, ...pdu } = parsed;
  const isMember = pdu.type === 'm.room.member' && pdu.sender === asked.userId && pdu.state_key === asked.userId;
  if (!isMember || pdu.room_id !== asked.roomId || pdu.content.membership !== asked.membership) return { problem: `the event is not the ${asked.membership} of ${asked.userId}` };
  try {
    return { pdu, bytes: Buffer.from(eventText(pdu, asked.version)) };
  } catch (error) {
    if (error instanceof CanonicalJsonError) return { problem: error.message };
    throw error;
  }
}
