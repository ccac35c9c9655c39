/** What an accepted input changes, as values: `decide.ts` makes them, `picture.ts` and `commit.ts` apply them. */
import type { BackupWrite } from '../key-backup/backup-writes.ts';
import type { KeyWrite } from '../keys/key-writes.ts';
import type { LifecycleWrite } from './lifecycle-writes.ts';
import type { NoteWrite } from './note-writes.ts';
import type { ToDeviceWrite } from '../to-device/to-device-writes.ts';
import type { SessionWrite } from './session-writes.ts';

export type UserWrite =
  | SessionWrite
  | LifecycleWrite
  | NoteWrite
  | KeyWrite
  | ToDeviceWrite
  | BackupWrite
  | { readonly kind: 'account'; readonly passwordHash: string; readonly accountKind: string; readonly isAdmin: boolean }
  | { readonly kind: 'device'; readonly deviceId: string; readonly displayName: string; readonly sequence: number }
  | { readonly kind: 'device-removed'; readonly deviceId: string; readonly sequence: number }
  /** JSON object: what the device is made of again; null: it is no dehydrated one any more. */
  | { readonly kind: 'dehydrated'; readonly deviceId: string; readonly data: Uint8Array | null }
  /** `value` is a JSON value; empty: the field is removed. */
  | { readonly kind: 'profile'; readonly field: string; readonly value: Uint8Array; readonly sequence: number }
  | { readonly kind: 'account-data'; readonly roomId: string; readonly type: string; readonly content: Uint8Array; readonly sequence: number }
  /** The room that the server's notices for the user are in. */
  | { readonly kind: 'notice-room'; readonly roomId: string }
  | { readonly kind: 'filter'; readonly filterId: string; readonly definition: Uint8Array };

export interface UserEffects {
  readonly userId: string;
  /** Wall-clock ms, for the times of creation. */
  readonly ts: number;
  /** In order. */
  readonly writes: readonly UserWrite[];
}
