/** PURE. What users report to the administrators (Client-Server API, "Reporting Content"). Whether they may has been looked at; the text has been cut. */
import type { Report } from '../../../schemas/log/user-input.ts';
import { accepted, type Draft, type Verdict } from './draft.ts';

export function decideReport(draft: Draft, { roomId, eventId, reportedUser, reason }: Report): Verdict {
  draft.writes.push({ kind: 'report', reportId: draft.input.inputId, roomId, eventId, reportedUser, reason });
  return accepted(draft);
}
