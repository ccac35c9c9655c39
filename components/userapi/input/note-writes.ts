/** What is noted of a user beside the account: that a change of their profile is to be told in rooms, what they have reported, and what stands beside their presence. Rare: a statement or two each. */
import type { InputPlace } from '../../../pkg/log/processor.ts';
import type { Transaction } from '../../../pkg/storage/database.ts';
import type { PresenceKind } from '../../../schemas/log/presence.ts';
import { writeStatus } from '../presence/presence-status.ts';

export type NoteWrite =
  /** `mark` counts up. */
  | { readonly kind: 'profile-changed'; readonly mark: number }
  | { readonly kind: 'profile-spread'; readonly mark: number }
  /** Only the text is written; what the user is stays in memory. */
  | { readonly kind: 'presence'; readonly presence: PresenceKind; readonly statusMsg: string }
  /** `eventId` or `roomId` or `reportedUser` is empty where the report is not about one. */
  | { readonly kind: 'report'; readonly reportId: string; readonly roomId: string; readonly eventId: string; readonly reportedUser: string; readonly reason: string };

export interface PlacedNote {
  readonly userId: string;
  /** Wall-clock ms. */
  readonly ts: number;
  readonly place: InputPlace;
  readonly write: NoteWrite;
}

const KINDS: ReadonlySet<string> = new Set<NoteWrite['kind']>(['profile-changed', 'profile-spread', 'presence', 'report']);
/** Of one user; the oldest go. */
const REPORTS_MAX = 1000;

export function isNoteWrite(write: { readonly kind: string }): write is NoteWrite {
  return KINDS.has(write.kind);
}

/** In order. */
export async function writeNotes(tx: Transaction, notes: readonly PlacedNote[]): Promise<void> {
  for (const note of notes) await writeNote(tx, note);
}

async function writeNote(tx: Transaction, { userId, ts, place, write }: PlacedNote): Promise<void> {
  switch (write.kind) {
    case 'profile-changed':
      await tx.insertMany({
        into: 'profile_changes', columns: ['user_id', 'partition', 'mark', 'created_at'], rows: [[userId, place.partition, write.mark, ts]],
        onConflict: 'ON CONFLICT (user_id) DO UPDATE SET partition = excluded.partition, mark = excluded.mark, created_at = excluded.created_at',
      });
      return;
    case 'profile-spread':
      await tx.run('DELETE FROM profile_changes WHERE user_id = ? AND mark <= ?', [userId, write.mark]);
      return;
    case 'presence':
      await writeStatus(tx, userId, write.statusMsg);
      return;
    case 'report':
      await tx.insertMany({
        into: 'reports', columns: ['report_id', 'reporter', 'room_id', 'event_id', 'reported_user', 'reason', 'received_at'],
        rows: [[write.reportId, userId, write.roomId, write.eventId, write.reportedUser, write.reason, ts]], onConflict: 'ON CONFLICT (report_id) DO NOTHING',
      });
      await tx.run('DELETE FROM reports WHERE reporter = ? AND received_at < (SELECT received_at FROM reports WHERE reporter = ? ORDER BY received_at DESC LIMIT 1 OFFSET ?)', [userId, userId, REPORTS_MAX - 1]);
      return;
  }
}
