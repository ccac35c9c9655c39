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
  deviceList?: DeviceListChanged | null;
  keyCounts?: { deviceId: string; counts: string; unusedFallbacks: string } | null;
}

/** Of a user of another server nothing is set. */
export interface DeviceListChanged {
  /** Empty: the cross-signing keys. */
  deviceId: string;
  deleted: boolean;
  displayName: string;
  /** JSON object; empty: the device has none. */
  keys: Uint8Array;
  /** JSON object: master_key, self_signing_key. */
  crossSigning: Uint8Array;
  /** Sequence number of the change of a device before this one; 0: none. */
  previous: number;
}
