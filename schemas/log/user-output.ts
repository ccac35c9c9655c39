/** Types of `user-output.proto`. Exactly one of the kinds is set. */
export interface UserOutput {
  userId: string;
  inputId: string;
  traceId: string;
  accountData?: { roomId: string; type: string; content: Uint8Array } | null;
  profileField?: { key: string; value: Uint8Array } | null;
  device?: { deviceId: string; removed: boolean } | null;
  deactivated?: { erased: boolean; roomSequences: number[] } | null;
}
