import type { InputHeader } from './room-input.ts';

/** Types of `user-input.proto`. */
export interface NewDevice {
  deviceId: string;
  /** SHA-256 of the access token. */
  tokenHash: Uint8Array;
  displayName: string;
  /** Of the access token, wall-clock ms; 0: never. */
  expiresMs?: number;
  /** SHA-256 of what all refresh tokens of this session have in common; empty: its client does not refresh. */
  familyHash?: Uint8Array;
  refreshHash?: Uint8Array;
  refreshExpiresMs?: number;
  /** Of the client; empty: not told. */
  ip?: string;
}

export interface Register {
  /** scrypt as a PHC string. */
  passwordHash: string;
  kind: string;
  device?: NewDevice | null;
  /** An administrator of this server. */
  admin?: boolean;
}

export interface PutRegistrationToken {
  removed: boolean;
  /** 0: any number. */
  usesAllowed: number;
  /** Wall-clock ms; 0: never. */
  expiresMs: number;
}

export interface RefreshTokens {
  deviceId: string;
  /** SHA-256 of the refresh token that the client has sent. */
  refreshHash: Uint8Array;
  newTokenHash: Uint8Array;
  /** Wall-clock ms; 0: never. */
  expiresMs: number;
  newRefreshHash: Uint8Array;
  refreshExpiresMs: number;
  /** Of all refresh tokens of the session. */
  familyHash: Uint8Array;
}

export interface PutPushRule {
  kind: string;
  ruleId: string;
  /** JSON object: actions, conditions, pattern. */
  rule: Uint8Array;
  /** Rule beside which it is put; empty: none. */
  before: string;
  after: string;
}

export interface ChangePushRule {
  kind: string;
  ruleId: string;
  /** `enabled` or `actions`. */
  property: string;
  /** JSON value. */
  value: Uint8Array;
}

/** The user has joined the room that replaces another one. */
export interface FollowUpgrade {
  oldRoomId: string;
  newRoomId: string;
}

/** The room that the server's notices for the user are in; the first one stands. */
export interface SetNoticeRoom {
  roomId: string;
  /** One that can be used no more; empty: none. */
  replaces: string;
}

/** The user reports what administrators should look at: a user, a room, or an event in it; what it is not about is empty. */
export interface Report {
  roomId: string;
  eventId: string;
  reportedUser: string;
  reason: string;
}

/** Messages for devices of users of one partition; the input's key is one of the users. */
export interface SendToDevice {
  sender: string;
  type: string;
  targets: ToDeviceTarget[];
  /** JSON objects, each once. */
  contents: Uint8Array[];
}

export interface ToDeviceTarget {
  userId: string;
  /** `*`: all devices of the user that have no target of their own. */
  deviceId: string;
  /** Place in the list of contents. */
  content: number;
}

export interface ServerMessages {
  serverName: string;
  /** The same when the request is repeated. */
  messageId: string;
  /** JSON object: user ID to device ID to content. */
  messages: Uint8Array;
}

export interface UpdateKeyBackup {
  version: string;
  /** Must be that of the backup. */
  algorithm: string;
  /** JSON object. */
  authData: Uint8Array;
}

/** Keys are put into a backup, or taken out of it. */
export interface ChangeBackupKeys {
  version: string;
  put: BackupKey[];
  /** Empty: of all rooms. */
  roomId: string;
  /** Empty: all of the room. */
  sessionId: string;
  /** What room and session name is taken out. */
  takesOut?: boolean;
}

export interface BackupKey {
  roomId: string;
  sessionId: string;
  firstMessageIndex: number;
  forwardedCount: number;
  isVerified: boolean;
  /** JSON object. */
  sessionData: Uint8Array;
}

/** Each is a JSON object, or empty: it stays as it is. */
export interface UploadKeys {
  deviceId: string;
  deviceKeys: Uint8Array;
  oneTimeKeys: Uint8Array;
  fallbackKeys: Uint8Array;
}

/** A device that nobody is logged in with; it replaces the one before. */
export interface PutDehydratedDevice {
  keys: UploadKeys;
  /** JSON object. */
  deviceData: Uint8Array;
  displayName: string;
}

export interface UserInput extends InputHeader {
  ts: number;
  userId: string;
  register?: Register | null;
  login?: { device: NewDevice; loginTokenHash?: Uint8Array } | null;
  logout?: { deviceId: string } | null;
  setProfileField?: { key: string; value: Uint8Array } | null;
  setAccountData?: { roomId: string; type: string; content: Uint8Array } | null;
  putFilter?: { filterId: string; definition: Uint8Array } | null;
  refreshTokens?: RefreshTokens | null;
  confirmToken?: { deviceId: string; tokenHash: Uint8Array } | null;
  issueToken?: { purpose: string; tokenHash: Uint8Array; expiresMs: number } | null;
  removeDevices?: { deviceIds: string[] } | null;
  putDevice?: { deviceId: string; displayName?: string | null; mayCreate: boolean } | null;
  seeDevice?: { deviceId: string; ip: string } | null;
  changePassword?: { passwordHash: string; logsOutOthers: boolean; deviceId: string } | null;
  uiaStep?: { stage: string; expiresMs: number } | null;
  deactivate?: { erase: boolean; roomSequences: number[] } | null;
  finishDeactivation?: Record<string, never> | null;
  setAccountFlag?: { flag: string; isSet: boolean } | null;
  acceptTerms?: { versions: Uint8Array } | null;
  putRegistrationToken?: PutRegistrationToken | null;
  useRegistrationToken?: { userId: string; insteadOf?: string } | null;
  upgradeGuest?: { passwordHash: string; device?: NewDevice | null } | null;
  /** `content` is a JSON object; empty: the tag is taken away. */
  setTag?: { roomId: string; tag: string; content: Uint8Array } | null;
  finishProfileSpread?: { mark: number } | null;
  report?: Report | null;
  putPushRule?: PutPushRule | null;
  deletePushRule?: { kind: string; ruleId: string } | null;
  changePushRule?: ChangePushRule | null;
  followUpgrade?: FollowUpgrade | null;
  setNoticeRoom?: SetNoticeRoom | null;
  setPresence?: { presence: string; statusMsg: string } | null;
  sendToDevice?: SendToDevice | null;
  /** The device has what it was sent up to this sequence number of user-output. */
  ackToDevice?: { deviceId: string; sequence: number } | null;
  sendToServers?: { type: string; servers: ServerMessages[] } | null;
  createKeyBackup?: { algorithm: string; authData: Uint8Array } | null;
  updateKeyBackup?: UpdateKeyBackup | null;
  deleteKeyBackup?: { version: string } | null;
  changeBackupKeys?: ChangeBackupKeys | null;
  uploadKeys?: UploadKeys | null;
  claimKeys?: { claims: { deviceId: string; algorithm: string }[] } | null;
  uploadCrossSigning?: { keys: Uint8Array; mayReplace: boolean } | null;
  uploadSignatures?: { signatures: Uint8Array; masters: Uint8Array } | null;
  remoteKeys?: { kind: string; content: Uint8Array } | null;
  putDehydratedDevice?: PutDehydratedDevice | null;
  removeDehydratedDevice?: Record<string, never> | null;
}
