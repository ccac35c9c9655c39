import type { InputHeader } from './room-input.ts';

/** Types of `user-input.proto`. */
export interface NewDevice {
  deviceId: string;
  /** SHA-256 of the access token. */
  tokenHash: Uint8Array;
  displayName: string;
}

export interface Register {
  /** scrypt as a PHC string. */
  passwordHash: string;
  kind: string;
  device?: NewDevice | null;
  /** An administrator of this server. */
  admin?: boolean;
}

export interface UserInput extends InputHeader {
  ts: number;
  userId: string;
  register?: Register | null;
  login?: { device: NewDevice } | null;
  logout?: { deviceId: string } | null;
  setProfileField?: { key: string; value: Uint8Array } | null;
  setAccountData?: { roomId: string; type: string; content: Uint8Array } | null;
  putFilter?: { filterId: string; definition: Uint8Array } | null;
}
