/** Answers about keys of end-to-end encryption: a few queries, however many users are asked for. */
import { withSignatures, type JsonObject } from '../../../pkg/matrix/e2ee/key-object.ts';
import { nameOf } from '../../../pkg/matrix/e2ee/cross-signing.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import type { KeyQuery, KnownKeys } from '../../../schemas/ports/key-query.ts';

type DeviceRow = { user_id: string; device_id: string; keys: string; own_name: string; told_name: string | null };
type CrossRow = { user_id: string; usage: string; key: string };
type SignatureRow = { target_user: string; target_key: string; user_id: string; signing_key: string; signature: string };

const DEVICES = `SELECT k.user_id AS user_id, k.device_id AS device_id, k.keys AS keys, k.display_name AS own_name, d.display_name AS told_name
  FROM device_keys k LEFT JOIN devices d ON d.user_id = k.user_id AND d.device_id = k.device_id WHERE k.user_id IN (??)`;
const SIGNATURES = 'SELECT target_user, target_key, user_id, signing_key, signature FROM key_signatures WHERE (user_id = target_user OR user_id = ?) AND target_user IN (??)';

export function keyQuery(database: Reader): KeyQuery {
  async function read(userIds: readonly string[], viewer: string) {
    const [devices, cross, signatures] = await Promise.all([
      database.queryIn<DeviceRow>(DEVICES, [], userIds),
      database.queryIn<CrossRow>('SELECT user_id, usage, key FROM cross_signing_keys WHERE user_id IN (??)', [], userIds),
      database.queryIn<SignatureRow>(SIGNATURES, [viewer], userIds),
    ]);
    return { devices, cross, sign: signer(signatures) };
  }

  return {
    async keysOf(wanted, viewer): Promise<KnownKeys> {
      const found = { devices: new Map<string, Map<string, string>>(), master: new Map<string, string>(), selfSigning: new Map<string, string>(), userSigning: new Map<string, string>() };
      if (wanted.size === 0) return found;
      const [{ devices, cross, sign }, users] = await Promise.all([
        read([...wanted.keys()], viewer),
        database.queryIn<{ user_id: string }>('SELECT user_id FROM accounts WHERE user_id IN (??)', [], [...wanted.keys()]),
      ]);
      for (const row of users) found.devices.set(row.user_id, new Map());
      for (const { user_id: userId, device_id: deviceId, keys, own_name: ownName, told_name: toldName } of devices) {
        const ids = wanted.get(userId) ?? [];
        if (ids.length > 0 && !ids.includes(deviceId)) continue;
        const ofUser = found.devices.get(userId) ?? found.devices.set(userId, new Map()).get(userId)!;
        ofUser.set(deviceId, withName(sign.device(userId, deviceId, keys), toldName ?? ownName));
      }
      for (const { user_id: userId, usage, key } of cross) {
        if (usage === 'master') found.master.set(userId, sign.master(userId, key));
        if (usage === 'self_signing') found.selfSigning.set(userId, key);
        if (usage === 'user_signing' && userId === viewer) found.userSigning.set(userId, key);
      }
      return found;
    },

    async masterSignatures(viewer, userIds) {
      if (userIds.length === 0) return [];
      const rows = await database.queryIn<SignatureRow>('SELECT target_user, target_key, user_id, signing_key, signature FROM key_signatures WHERE user_id = ? AND target_user IN (??)', [viewer], userIds);
      return rows.map((row) => ({ targetUser: row.target_user, key: row.target_key, keyId: row.signing_key, signature: row.signature }));
    },

    async signedUsers(signer) {
      const rows = await database.query<{ target_user: string }>('SELECT DISTINCT target_user FROM key_signatures WHERE user_id = ? AND target_user <> ?', [signer, signer]);
      return rows.map((row) => row.target_user);
    },

    async knownDeviceLists(userIds) {
      if (userIds.length === 0) return new Set();
      const rows = await database.queryIn<{ user_id: string }>('SELECT user_id FROM device_lists WHERE is_fresh = 1 AND user_id IN (??)', [], userIds);
      return new Set(rows.map((row) => row.user_id));
    },

    async staleDeviceLists(after, limit) {
      const rows = await database.query<{ user_id: string }>('SELECT user_id FROM device_lists WHERE is_fresh = 0 AND user_id > ? ORDER BY user_id LIMIT ?', [after, limit]);
      return rows.map((row) => row.user_id);
    },

    async knownUsers(after, limit) {
      const rows = await database.query<{ user_id: string }>('SELECT user_id FROM device_lists WHERE user_id > ? ORDER BY user_id LIMIT ?', [after, limit]);
      return rows.map((row) => row.user_id);
    },

    async deviceList(userId) {
      const [list] = await database.query<{ stream_id: number }>('SELECT stream_id FROM device_lists WHERE user_id = ?', [userId]);
      const { devices, cross, sign } = await read([userId], '');
      const keyOf = (wanted: string): string | undefined => cross.find(({ usage }) => usage === wanted)?.key;
      const master = keyOf('master');
      return {
        streamId: list?.stream_id ?? 0,
        devices: devices.map((row) => ({ deviceId: row.device_id, displayName: row.told_name ?? row.own_name, keys: sign.device(userId, row.device_id, row.keys) })),
        master: master && sign.master(userId, master),
        selfSigning: keyOf('self_signing'),
      };
    },
  };
}

interface KeySigner {
  device(userId: string, deviceId: string, text: string): string;
  master(userId: string, text: string): string;
}

/** Adds the signatures of a key to its text. */
function signer(rows: readonly SignatureRow[]): KeySigner {
  const byUser = new Map<string, Map<string, SignatureRow[]>>();
  for (const row of rows) {
    const ofUser = byUser.get(row.target_user) ?? byUser.set(row.target_user, new Map()).get(row.target_user)!;
    const ofKey = ofUser.get(row.target_key);
    if (ofKey === undefined) ofUser.set(row.target_key, [row]);
    else ofKey.push(row);
  }
  return {
    device: (userId, deviceId, text) => signed(text, byUser.get(userId)?.get(deviceId)),
    master: (userId, text) => {
      const ofUser = byUser.get(userId);
      // Most signatures are of devices: only what may be of this key is worth a look.
      const isLikely = ofUser !== undefined && [...ofUser.keys()].some((key) => text.includes(key));
      return isLikely ? signed(text, ofUser.get(nameOf(JSON.parse(text) as JsonObject) ?? '')) : text;
    },
  };
}

/** One more signature of a user who has signed the key already is put into the text, without taking it apart, where there is no doubt about the place. */
function signed(text: string, rows: readonly SignatureRow[] | undefined): string {
  const [row] = rows ?? [];
  if (rows === undefined || row === undefined) return text;
  const place = `"signatures":{${JSON.stringify(row.user_id)}:{"`;
  const at = text.indexOf(place);
  if (rows.length === 1 && at >= 0 && text.lastIndexOf(place) === at && !text.includes(row.signing_key)) {
    return `${text.slice(0, at + place.length - 1)}${JSON.stringify(row.signing_key)}:${JSON.stringify(row.signature)},${text.slice(at + place.length - 1)}`;
  }
  return JSON.stringify(withSignatures(JSON.parse(text) as JsonObject, rows.map((one) => ({ signer: one.user_id, keyId: one.signing_key, signature: one.signature }))));
}

/** The text is an object that is not empty. */
function withName(text: string, displayName: string): string {
  const unsigned = displayName === '' ? '{}' : JSON.stringify({ device_display_name: displayName });
  return `${text.slice(0, -1)},"unsigned":${unsigned}}`;
}
