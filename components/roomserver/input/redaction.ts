/** PURE. Redactions (spec: rooms/, "Handling redactions"; client-server, "Redactions"). */
import type { RejectedOutcome } from '../../../pkg/log/processor.ts';
import { actionPower, roomPower, userPower } from '../../../pkg/matrix/auth/power-levels.ts';
import { eventText } from '../../../pkg/matrix/events/event-text.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { redact } from '../../../pkg/matrix/events/redact.ts';
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import type { Redaction } from './effects.ts';
import type { Picture } from './picture.ts';
import { forbidden, refused } from './refused.ts';
import { lookupIn } from './restricted-join.ts';
import type { RoomHead } from './room-head.ts';

/** `redaction` is undefined when the event was redacted before: its first redaction stays the one that is told. */
export type RedactionVerdict =
  | { readonly kind: 'granted'; readonly redaction: Redaction | undefined }
  | { readonly kind: 'refused'; readonly why: RejectedOutcome };

/**
 * Whether a local user's redaction, which the authorisation rules allow, may be applied: to an event of the same room, which is their own or which their power lets them redact; for an
 * administrator also to those of all users here.
 * The create event holds up the room and stays.
 */
export function judgeRedaction(picture: Picture, head: RoomHead, by: { eventId: string; sender: string; redacts: string; byAdmin: boolean; serverName: string }): RedactionVerdict {
  const target = picture.events.get(by.redacts);
  if (target === undefined || target.roomId !== head.roomId) return { kind: 'refused', why: refused(404, 'M_NOT_FOUND', 'The event to redact is not in this room') };
  if (target.type === 'm.room.create') return { kind: 'refused', why: forbidden('The create event of a room cannot be redacted') };
  const power = roomPower(lookupIn(head), head.version);
  const isOfOurs = by.byAdmin && isLocalUser(target.sender, by.serverName);
  if (target.sender !== by.sender && !isOfOurs && userPower(power, by.sender) < actionPower(power, 'redact')) {
    return { kind: 'refused', why: forbidden(`${by.sender} may not redact events of others: power ${userPower(power, by.sender)} of ${actionPower(power, 'redact')}`) };
  }
  if (target.redacted) return { kind: 'granted', redaction: undefined };
  const pdu = JSON.parse(Buffer.from(target.bytes).toString()) as Pdu;
  return { kind: 'granted', redaction: { eventId: by.redacts, redactedBy: by.eventId, bytes: Buffer.from(eventText(redact(pdu, head.version), head.version)) } };
}
