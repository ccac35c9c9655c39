/** Whether a redaction that was accepted is also applied (spec: rooms/v3, "Handling redactions"). */
import type { Pdu } from '../events/pdu.ts';
import { domainOf } from '../ids/domain-of.ts';
import { actionPower, userPower } from './power-levels.ts';
import type { RoomPower } from './power-levels.ts';

/** Whether `redaction` takes effect on `original`; `power` is that of the state before the redaction. Both must be of the same room. */
export function mayRedact(redaction: Pick<Pdu, 'sender'>, original: Pick<Pdu, 'sender'>, power: RoomPower): boolean {
  // 1.
  if (userPower(power, redaction.sender) >= actionPower(power, 'redact')) return true;
  // 2.
  return domainOf(redaction.sender) === domainOf(original.sender);
}
