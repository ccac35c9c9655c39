/** Size limits of events (spec: client-server, "Size limits"). */
import { byteLength, fitsIdLimit } from '../ids/byte-length.ts';
import type { Pdu } from './pdu.ts';

/** Biggest event: its canonical JSON with signatures, in bytes. */
export const EVENT_BYTES_MAX = 65_536;

/** `json` is the event's canonical JSON, signatures included, without `unsigned`. */
export function checkSize({ pdu, eventId, json }: { pdu: Pdu; eventId: string; json: string }): 'ok' | 'too_large' {
  const ids = [pdu.sender, pdu.type, pdu.room_id ?? '', pdu.state_key ?? '', eventId];
  if (!ids.every(fitsIdLimit)) return 'too_large';
  // No UTF-16 unit takes more than three bytes.
  return json.length * 3 <= EVENT_BYTES_MAX || byteLength(json) <= EVENT_BYTES_MAX ? 'ok' : 'too_large';
}
