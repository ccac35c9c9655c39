/** PURE. What users say of their presence (Client-Server API, "Presence"). Only the text that stands beside it is written; that others are told is a soft effect (`presence/presence.ts`). */
import { PoisonRecord } from '../../../pkg/log/log.ts';
import { accepted, rejected, type Draft, type Verdict } from './draft.ts';

/** In UTF-16 units. */
export const STATUS_LENGTH_MAX = 1024;

export function decideSetPresence(draft: Draft, { presence, statusMsg }: { presence: string; statusMsg: string }): Verdict {
  if (presence !== 'online' && presence !== 'unavailable' && presence !== 'offline') throw new PoisonRecord('a presence that there is not');
  if (statusMsg.length > STATUS_LENGTH_MAX) return rejected(413, 'M_TOO_LARGE', `status_msg has at most ${STATUS_LENGTH_MAX} characters`);
  draft.writes.push({ kind: 'presence', presence, statusMsg });
  return accepted(draft);
}
