/** Read-only questions about keys of end-to-end encryption to the userapi's tables; fulfilled by `components/userapi/keys`. */

/** JSON texts, by user. */
export interface KnownKeys {
  /** By user, then by device. */
  readonly devices: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly master: ReadonlyMap<string, string>;
  readonly selfSigning: ReadonlyMap<string, string>;
  /** Only the viewer's. */
  readonly userSigning: ReadonlyMap<string, string>;
}

/** What others may know of all devices of a user that can encrypt. */
export interface DeviceList {
  /** Of the last change of a device. */
  readonly streamId: number;
  readonly devices: readonly { readonly deviceId: string; readonly displayName: string; /** JSON object. */ readonly keys: string }[];
  /** JSON objects. */
  readonly master: string | undefined;
  readonly selfSigning: string | undefined;
}

export interface KeyQuery {
  /**
   * Keys of these users as `viewer` may see them (empty: another server): with the signatures of each user's own keys, and those that the viewer has made. Users map to the devices that are wanted,
   * all of them if the list is empty; users that there are have an entry, if an empty one. Of users of other servers what is known here (`knownDeviceLists`).
   */
  keysOf(wanted: ReadonlyMap<string, readonly string[]>, viewer: string): Promise<KnownKeys>;
  /** What the signer has signed of these users' master keys; `key`: public key that it is of. */
  masterSignatures(signer: string, userIds: readonly string[]): Promise<{ readonly targetUser: string; readonly key: string; readonly keyId: string; readonly signature: string }[]>;
  /** Other users of whose keys the signer has signed one: only the signer's own devices are to know. */
  signedUsers(signer: string): Promise<string[]>;
  /** Of users of other servers: those whose devices are known here as they are now. */
  knownDeviceLists(userIds: readonly string[]): Promise<Set<string>>;
  /** Users of other servers whose devices have to be asked for, after this one. */
  staleDeviceLists(after: string, limit: number): Promise<string[]>;
  /** Users of whose devices something is known, here or of other servers, after this one. */
  knownUsers(after: string, limit: number): Promise<string[]>;
  /** Of a user of this server. */
  deviceList(userId: string): Promise<DeviceList>;
}
