/** Read-only questions about dehydrated devices (MSC3814); fulfilled by `components/userapi/query`. */
export interface DehydratedDeviceQuery {
  /** The one that the user has; `data` is a JSON object. */
  dehydratedDevice(userId: string): Promise<{ readonly deviceId: string; readonly data: Uint8Array } | undefined>;
}
