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
        ofUser.set(deviceId, withName(sign(userId, deviceId, keys), toldName ?? ownName));
      }
      for (const { user_id: userId, usage, key } of cross) {
        if (usage === 'master') found.master.set(userId, sign(userId, nameOf(JSON.parse(key) as JsonObject) ?? '', key));
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

    async knownDeviceLists(userIds) {
      if (userIds.length === 0) return new Set();
      const rows = await database.queryIn<{ user_id: string }>('SELECT user_id FROM device_lists WHERE is_fresh = 1 AND user_id IN (??)', [], userIds);
      return new Set(rows.map((row) => row.user_id));
    },

    async staleDeviceLists(after, limit) {
      const rows = await database.query<{ user_id: string }>('SELECT user_id FROM device_lists WHERE is_fresh = 0 AND user_id > ? ORDER BY user_id LIMIT ?', [after, limit]);
      return rows.map((row) => row.user_id);
    },

    async deviceList(userId) {
      const [list] = await database.query<{ stream_id: number }>('SELECT stream_id FROM device_lists WHERE user_id = ?', [userId]);
      const { devices, cross, sign } = await read([userId], '');
      const keyOf = (wanted: string): string | undefined => cross.find(({ usage }) => usage === wanted)?.key;
      const master = keyOf('master');
      return {
        streamId: list?.stream_id ?? 0,
        devices: devices.map((row) => ({ deviceId: row.device_id, displayName: row.told_name ?? row.own_name, keys: sign(userId, row.device_id, row.keys) })),
        master: master && sign(userId, nameOf(JSON.parse(master) as JsonObject) ?? '', master),
        selfSigning: keyOf('self_signing'),
      };
    },
  };
}

/** Adds the signatures of a key to its text. */
function signer(rows: readonly SignatureRow[]): (userId: string, key: string, text: string) => string {
  const byKey = Map.groupBy(rows, (row) => JSON.stringify([row.target_user, row.target_key]));
  return (userId, key, text) => {
    const own = byKey.get(JSON.stringify([userId, key]));
    if (own === undefined) return text;
    const added = own.map((row) => ({ signer: row.user_id, keyId: row.signing_key, signature: row.signature }));
    return JSON.stringify(withSignatures(JSON.parse(text) as JsonObject, added));
  };
}

/** The text is an object that is not empty. */
function withName(text: string, displayName: string): string {
  const unsigned = displayName === '' ? '{}' : JSON.stringify({ device_display_name: displayName });
  return `${text.slice(0, -1)},"unsigned":${unsigned}}`;
}
