/** Read-only questions about messages to devices; fulfilled by `components/userapi/to-device`. */

export interface StoredMessage {
  /** Of user-output, in the user's partition: the device's messages have different ones, in their order. */
  readonly sequence: number;
  /** JSON text as clients get it. */
  readonly event: string;
}

export interface ToDeviceQuery {
  /** What the device has not acknowledged of what came in (after, upTo], the first `limit` of them, in order. */
  toDevice(device: { readonly userId: string; readonly deviceId: string }, range: { readonly after: number; readonly upTo: number; readonly limit: number }): Promise<StoredMessage[]>;
}
