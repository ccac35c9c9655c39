/** Types of `user-output.proto`. Exactly one of the kinds is set. */
export interface UserOutput {
  userId: string;
  inputId: string;
  traceId: string;
  accountData?: { roomId: string; type: string; content: Uint8Array } | null;
  profileField?: { key: string; value: Uint8Array } | null;
  device?: { deviceId: string; removed: boolean } | null;
  deactivated?: { erased: boolean; roomSequences: number[] } | null;
  /** Messages lie ready for devices of these users of the partition; they stay with the owner until they are acknowledged. */
  toDeviceArrived?: { userIds: string[] } | null;
  /** `content`: JSON object, of the m.direct_to_device EDU. */
  toDeviceLeaving?: { messages: { destination: string; content: Uint8Array }[] } | null;
}
