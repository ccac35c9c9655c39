/** Whether a redaction that was accepted is also applied (spec: rooms/v3, "Handling redactions"; in versions 1 and 2 the authorisation rules have said so, rule 11). */
import type { Pdu } from '../events/pdu.ts';
import type { RoomVersion } from '../room-versions/room-versions.ts';
import { domainOf } from '../ids/domain-of.ts';
import { actionPower, userPower } from './power-levels.ts';
import type { RoomPower } from './power-levels.ts';

/** Whether `redaction`, an accepted event, takes effect on `original`; `power` is that of the state before the redaction. Both must be of the same room. */
export function mayRedact(redaction: Pick<Pdu, 'sender'>, original: Pick<Pdu, 'sender'>, { power, version }: { readonly power: RoomPower; readonly version: Pick<RoomVersion, 'redactionAuthorised'> }): boolean {
  if (version.redactionAuthorised) return true;
  // 1.
  if (userPower(power, redaction.sender) >= actionPower(power, 'redact')) return true;
  // 2.
  return domainOf(redaction.sender) === domainOf(original.sender);
}
