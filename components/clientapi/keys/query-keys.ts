/** Keys of users here and elsewhere, as texts. */
import { queryUserKeys } from '../../../pkg/federation/user-keys.ts';
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import { withSignatures, type JsonObject } from '../../../pkg/matrix/e2ee/key-object.ts';
import type { Context } from '../context.ts';
import { askServers, byServer, ofThisServer, type Failures } from './ask-servers.ts';

export interface QueriedKeys {
  /** JSON texts by device, by user. */
  readonly devices: Map<string, ReadonlyMap<string, string>>;
  /** JSON texts by user. */
  readonly master: Map<string, string>;
  readonly selfSigning: Map<string, string>;
  readonly userSigning: ReadonlyMap<string, string>;
  readonly failures: Failures;
}

export interface KeysWish {
  /** Who sees them. */
  readonly viewer: string;
  /** Users map to the devices that are wanted; empty: all. */
  readonly users: ReadonlyMap<string, readonly string[]>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Servers that cannot be asked stand in `failures`. Users of other servers whose devices are known here as they are now (their servers tell of each change, as long as a room is shared) need not be asked for.
 */
export async function queryAllKeys(context: Context, { viewer, users, timeoutMs, signal }: KeysWish): Promise<QueriedKeys> {
  const remembered = await rememberedUsers(context, users);
  const known = await context.userQuery.keysOf(new Map([...ofThisServer(context, users), ...remembered]), viewer);
  const servers = byServer(context, new Map([...users].filter(([userId]) => !remembered.has(userId))));
  const result = { devices: new Map(known.devices), master: new Map(known.master), selfSigning: new Map(known.selfSigning), userSigning: known.userSigning };
  if (servers.size === 0) return { ...result, failures: {} };
  const masters = new Map<string, JsonObject>();
  const { signedTransport } = context;
  const failures = signedTransport === undefined ? Object.fromEntries([...servers.keys()].map((server) => [server, {}])) : await askServers(context, [...servers.keys()], {
    timeoutMs,
    async ask(server, deadlineMs) {
      const told = await queryUserKeys(signedTransport, servers.get(server)!, { destination: server, deadlineMs, signal });
      for (const [userId, ofUser] of told.devices) result.devices.set(userId, new Map([...ofUser].map(([deviceId, keys]) => [deviceId, JSON.stringify(keys)])));
      for (const [userId, key] of told.master) masters.set(userId, key);
      for (const [userId, key] of told.selfSigning) result.selfSigning.set(userId, JSON.stringify(key));
    },
  });
  await addOwnSignatures(context, viewer, masters);
  for (const [userId, key] of masters) result.master.set(userId, JSON.stringify(key));
  return { ...result, failures };
}

/** Those of the users of other servers whose devices are known here. Who shares no room with anybody here (any more) may have changed them without a word. */
async function rememberedUsers({ serverName, syncQuery, userQuery }: Context, users: ReadonlyMap<string, readonly string[]>): Promise<Map<string, readonly string[]>> {
  const elsewhere = [...users.keys()].filter((userId) => !isLocalUser(userId, serverName));
  const fresh = elsewhere.length === 0 ? new Set<string>() : await userQuery.knownDeviceLists(elsewhere);
  const rooms = fresh.size === 0 ? new Map<string, string[]>() : await syncQuery.joinedRoomsOf([...fresh], Number.MAX_SAFE_INTEGER);
  return new Map([...users].filter(([userId]) => fresh.has(userId) && rooms.has(userId)));
}

/** What the viewer has signed of others' master keys, only this server knows. */
async function addOwnSignatures({ userQuery }: Context, viewer: string, masters: Map<string, JsonObject>): Promise<void> {
  for (const { targetUser, key, keyId, signature } of await userQuery.masterSignatures(viewer, [...masters.keys()])) {
    const master = masters.get(targetUser);
    if (master === undefined || !Object.hasOwn((master['keys'] ?? {}) as object, `ed25519:${key}`)) continue;
    masters.set(targetUser, withSignatures(master, [{ signer: viewer, keyId, signature }]));
  }
}
