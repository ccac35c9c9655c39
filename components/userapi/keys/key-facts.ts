/** What `decide` knows of a user's keys: loaded for a batch, and carried forward by the writes of the inputs before. */
import type { Reader } from '../../../pkg/storage/database.ts';
import { isUsage, type Usage } from '../../../pkg/matrix/e2ee/cross-signing.ts';
import type { UserInput } from '../../../schemas/log/user-input.ts';
import type { KeyWrite } from './key-writes.ts';
import type { FallbackKey, KeyCounts, KeySignature, OneTimeKey } from './stored-keys.ts';

/** Only what the inputs of the batch need; the rest is empty. */
export interface KeyFacts {
  /** JSON objects by device ID. */
  readonly devices: Map<string, string>;
  /** By name: those that are uploaded anew. */
  readonly oneTime: Map<string, OneTimeKey>;
  /** By `placeOf`, in the order in which they are given out: as many as are claimed. */
  readonly claimable: Map<string, OneTimeKey[]>;
  /** By `placeOf`. */
  readonly fallbacks: Map<string, FallbackKey>;
  /** By device ID. */
  readonly counts: Map<string, KeyCounts>;
  /** JSON objects. */
  readonly crossSigning: Map<Usage, string>;
  /** The user's own, of own keys. */
  signatures: readonly KeySignature[];
  list: { readonly streamId: number; readonly isFresh: boolean; readonly sequence: number } | undefined;
}

/** The facts when the device is gone; those that are given stay as they are. */
export function withoutDevice(facts: KeyFacts, deviceId: string): KeyFacts {
  const { devices, oneTime, claimable, fallbacks, counts } = facts;
  const copy = { ...facts, devices: new Map(devices), oneTime: new Map(oneTime), claimable: new Map(claimable), fallbacks: new Map(fallbacks), counts: new Map(counts) };
  forgetDevice(copy, deviceId);
  return copy;
}

export function emptyKeyFacts(): KeyFacts {
  return { devices: new Map(), oneTime: new Map(), claimable: new Map(), fallbacks: new Map(), counts: new Map(), crossSigning: new Map(), signatures: [], list: undefined };
}

export function nameOfKey(userId: string, deviceId: string, algorithm: string, keyId: string): string {
  return JSON.stringify([userId, deviceId, algorithm, keyId]);
}

export function placeOf(deviceId: string, algorithm: string): string {
  return JSON.stringify([deviceId, algorithm]);
}

type DeviceRow = { user_id: string; device_id: string; keys: string };
type OneTimeRow = { name: string; user_id: string; device_id: string; algorithm: string; key_id: string; key: string; position: number; claimed: number };
type FallbackRow = { user_id: string; device_id: string; algorithm: string; key_id: string; key: string; used: number };
type CrossRow = { user_id: string; usage: string; key: string };
type SignatureRow = { user_id: string; target_user: string; target_key: string; signing_key: string; signature: string };
type ListRow = { user_id: string; stream_id: number; is_fresh: number; sequence: number };
type CountRow = { user_id: string; device_id: string; counts: string; unused_fallbacks: string };

const ONE_TIME = 'name, user_id, device_id, algorithm, key_id, key, position, claimed';
const CLAIMABLE = `SELECT ${ONE_TIME} FROM (SELECT ${ONE_TIME}, ROW_NUMBER() OVER (PARTITION BY user_id, device_id, algorithm ORDER BY position, key_id) AS number
  FROM one_time_keys WHERE claimed = 0) AS numbered WHERE number <= ? AND user_id IN (??) ORDER BY position, key_id`;

/** Facts by user; no query for what no input needs. */
export async function loadKeyFacts(reader: Reader, inputs: readonly UserInput[]): Promise<Map<string, KeyFacts>> {
  const usersOf = (needed: (input: UserInput) => unknown) => [...new Set(inputs.filter(needed).map((input) => input.userId))];
  const claiming = inputs.filter((input) => input.claimKeys);
  const changing = usersOf((input) => input.uploadKeys ?? input.uploadCrossSigning ?? input.uploadSignatures ?? input.remoteKeys ?? changesDevices(input));
  const naming = usersOf((input) => input.login ?? input.putDevice);
  const giving = usersOf((input) => uploadIn(input) ?? input.claimKeys);
  if (changing.length + naming.length + giving.length === 0) return new Map();
  const facts = new Map<string, KeyFacts>();
  const of = (userId: string): KeyFacts => facts.get(userId) ?? facts.set(userId, emptyKeyFacts()).get(userId)!;
  const read = <Row extends { user_id: string }>(sql: string, users: readonly string[], take: (facts: KeyFacts, row: Row) => void): Promise<void> =>
    users.length === 0 ? Promise.resolve() : reader.queryIn<Row>(sql, [], users).then((rows) => rows.forEach((row) => take(of(row.user_id), row)));
  await Promise.all([
    read<DeviceRow>('SELECT user_id, device_id, keys FROM device_keys WHERE user_id IN (??)', changing, (known, row) => void known.devices.set(row.device_id, row.keys)),
    read<CrossRow>('SELECT user_id, usage, key FROM cross_signing_keys WHERE user_id IN (??)', [...new Set([...changing, ...naming])], (known, row) => {
      if (isUsage(row.usage)) known.crossSigning.set(row.usage, row.key);
    }),
    read<SignatureRow>('SELECT user_id, target_user, target_key, signing_key, signature FROM key_signatures WHERE target_user = user_id AND user_id IN (??)', changing, (known, row) => {
      known.signatures = [...known.signatures, signatureOf(row)];
    }),
    read<ListRow>('SELECT user_id, stream_id, is_fresh, sequence FROM device_lists WHERE user_id IN (??)', changing, (known, row) => {
      known.list = { streamId: row.stream_id, isFresh: row.is_fresh !== 0, sequence: row.sequence };
    }),
    read<FallbackRow>('SELECT user_id, device_id, algorithm, key_id, key, used FROM fallback_keys WHERE user_id IN (??)', giving, (known, row) => {
      known.fallbacks.set(placeOf(row.device_id, row.algorithm), { deviceId: row.device_id, algorithm: row.algorithm, keyId: row.key_id, key: row.key, isUsed: row.used !== 0 });
    }),
    read<CountRow>('SELECT user_id, device_id, counts, unused_fallbacks FROM device_key_counts WHERE user_id IN (??)', giving, (known, row) => {
      known.counts.set(row.device_id, { counts: JSON.parse(row.counts) as Record<string, number>, unusedFallbacks: JSON.parse(row.unused_fallbacks) as string[] });
    }),
    loadUploaded(reader, inputs, of),
    loadClaimable(reader, claiming, of),
  ]);
  return facts;
}

function changesDevices(input: UserInput): unknown {
  return input.putDehydratedDevice ?? input.removeDehydratedDevice ?? input.logout ?? input.removeDevices ?? input.putDevice ?? input.changePassword ?? input.deactivate ?? input.upgradeGuest;
}

/** The keys that the input brings. */
function uploadIn({ uploadKeys, putDehydratedDevice }: UserInput): UserInput['uploadKeys'] {
  return uploadKeys ?? putDehydratedDevice?.keys;
}

type FactsOf = (userId: string) => KeyFacts;

async function loadUploaded(reader: Reader, inputs: readonly UserInput[], of: FactsOf): Promise<void> {
  const names = new Set(inputs.flatMap((input) => namesIn(input.userId, uploadIn(input))));
  if (names.size === 0) return;
  for (const row of await reader.queryIn<OneTimeRow>(`SELECT ${ONE_TIME} FROM one_time_keys WHERE name IN (??)`, [], [...names])) of(row.user_id).oneTime.set(row.name, oneTimeOf(row));
}

function namesIn(userId: string, upload: UserInput['uploadKeys']): string[] {
  if (!upload || upload.oneTimeKeys.length === 0) return [];
  const keys = Object.keys(JSON.parse(Buffer.from(upload.oneTimeKeys).toString('utf8')) as object);
  return keys.map((key) => nameOfKey(userId, upload.deviceId, key.slice(0, key.indexOf(':')), key.slice(key.indexOf(':') + 1)));
}

async function loadClaimable(reader: Reader, claiming: readonly UserInput[], of: FactsOf): Promise<void> {
  if (claiming.length === 0) return;
  const wanted = new Map<string, number>();
  for (const { userId, claimKeys } of claiming) {
    for (const { deviceId, algorithm } of claimKeys!.claims) {
      const key = JSON.stringify([userId, deviceId, algorithm]);
      wanted.set(key, (wanted.get(key) ?? 0) + 1);
    }
  }
  const most = Math.max(0, ...wanted.values());
  for (const row of await reader.queryIn<OneTimeRow>(CLAIMABLE, [most], [...new Set(claiming.map(({ userId }) => userId))])) {
    append(of(row.user_id).claimable, placeOf(row.device_id, row.algorithm), oneTimeOf(row));
  }
}

function append(lists: Map<string, OneTimeKey[]>, place: string, key: OneTimeKey): void {
  const list = lists.get(place);
  if (list === undefined) lists.set(place, [key]);
  else list.push(key);
}

function oneTimeOf(row: OneTimeRow): OneTimeKey {
  return { name: row.name, deviceId: row.device_id, algorithm: row.algorithm, keyId: row.key_id, key: row.key, position: row.position, isClaimed: row.claimed !== 0 };
}

function signatureOf(row: SignatureRow): KeySignature {
  return { targetUser: row.target_user, targetKey: row.target_key, signingKey: row.signing_key, signature: row.signature };
}

/** Carries the facts forward over a write. */
export function advanceKeys(facts: KeyFacts, write: KeyWrite): void {
  switch (write.kind) {
    case 'device-keys':
      return void facts.devices.set(write.deviceId, write.keys);
    case 'device-keys-gone':
      return forgetDevice(facts, write.deviceId);
    case 'one-time-keys':
      return write.keys.forEach((key) => takeIn(facts, key));
    case 'fallback-key':
      return void facts.fallbacks.set(placeOf(write.key.deviceId, write.key.algorithm), write.key);
    case 'cross-signing':
      return write.key === '' ? void facts.crossSigning.delete(write.usage) : void facts.crossSigning.set(write.usage, write.key);
    case 'signatures':
      facts.signatures = [...facts.signatures, ...write.signatures];
      return;
    case 'signatures-gone':
      facts.signatures = facts.signatures.filter(({ targetKey, signingKey }) => !write.targetKeys.includes(targetKey) && !write.signingKeys.includes(signingKey));
      return;
    case 'device-list':
      facts.list = { streamId: write.streamId, isFresh: write.isFresh, sequence: write.sequence };
      return;
    case 'key-counts':
      return void facts.counts.set(write.deviceId, write.counts);
    case 'remote-keys-gone':
      facts.devices.clear();
      facts.crossSigning.clear();
      if (write.withList) facts.list = undefined;
      return;
  }
}

/** A key that was uploaded, or one that is claimed. */
function takeIn(facts: KeyFacts, key: OneTimeKey): void {
  const isNew = !facts.oneTime.has(key.name) && !key.isClaimed;
  facts.oneTime.set(key.name, key);
  const place = placeOf(key.deviceId, key.algorithm);
  if (isNew) append(facts.claimable, place, key);
  else if (key.isClaimed) facts.claimable.set(place, (facts.claimable.get(place) ?? []).filter(({ name }) => name !== key.name));
}

function forgetDevice(facts: KeyFacts, deviceId: string): void {
  facts.devices.delete(deviceId);
  facts.counts.delete(deviceId);
  facts.signatures = facts.signatures.filter(({ targetKey }) => targetKey !== deviceId);
  for (const [place, { deviceId: of }] of facts.fallbacks) if (of === deviceId) facts.fallbacks.delete(place);
  for (const [name, { deviceId: of }] of facts.oneTime) if (of === deviceId) facts.oneTime.delete(name);
  for (const [place, [first]] of facts.claimable) if (first?.deviceId === deviceId) facts.claimable.delete(place);
}
