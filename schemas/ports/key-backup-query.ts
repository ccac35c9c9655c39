/** Read-only questions about key backups; fulfilled by `components/userapi/key-backup`. */

export interface StoredBackup {
  readonly version: string;
  readonly algorithm: string;
  /** JSON object. */
  readonly authData: Uint8Array;
  readonly etag: string;
  /** Keys in it. */
  readonly count: number;
}

export interface StoredBackupKey {
  readonly roomId: string;
  readonly sessionId: string;
  /** KeyBackupData as JSON text. */
  readonly json: string;
}

export interface BackupKeysWish {
  /** Empty: all rooms. */
  readonly roomId: string;
  /** Empty: all sessions. */
  readonly sessionId: string;
  /** Those that sort after this one, by room and session. */
  readonly after: Pick<StoredBackupKey, 'roomId' | 'sessionId'>;
  readonly limit: number;
}

export interface KeyBackupQuery {
  /** The user's backup of this version, or the current one; undefined: there is none. */
  keyBackup(userId: string, version?: string): Promise<StoredBackup | undefined>;
  /** In the order of rooms and sessions. */
  backupKeys(userId: string, version: string, wish: BackupKeysWish): Promise<StoredBackupKey[]>;
}
