/** Accounts and registration tokens as administrators ask for them. */
import type { Reader } from '../../../pkg/storage/database.ts';
import type { AccountDetails, UserQuery } from '../../../schemas/ports/user-query.ts';
import { readRegistrationTokens, usesLeft } from '../input/registration-token-fact.ts';

type AccountRow = {
  user_id: string; kind: string; admin: number; deactivated: number; locked: number; suspended: number; accepted_terms: string; created_at: number; erased: number | null; finished_at: number | null;
};
type DeviceRow = { device_id: string; seen_at: number; seen_ip: string };
type TokenRow = { token: string; created_at: number };

const ACCOUNTS = `SELECT a.user_id AS user_id, a.kind AS kind, a.admin AS admin, a.deactivated AS deactivated, a.locked AS locked, a.suspended AS suspended,
  a.accepted_terms AS accepted_terms, a.created_at AS created_at, d.erased AS erased, d.finished_at AS finished_at FROM accounts a LEFT JOIN deactivations d ON d.user_id = a.user_id`;

export function accountQuery(database: Reader): Pick<UserQuery, 'account' | 'accountDetails' | 'listAccounts' | 'devicesSeen' | 'erasedAmong' | 'guestsAmong' | 'isRegistrationTokenValid' | 'reservedRegistrationToken' | 'registrationTokens'> {
  const accountDetails = async (userId: string): Promise<AccountDetails | undefined> => {
    const rows = await database.query<AccountRow>(`${ACCOUNTS} WHERE a.user_id = ?`, [userId]);
    return rows.map(detailsOf)[0];
  };
  return {
    account: accountDetails,
    accountDetails,
    async listAccounts({ search, after, limit }) {
      const pattern = `%${search.toLowerCase().replaceAll(/[\\%_]/g, '\\$&')}%`;
      const rows = await database.query<AccountRow>(`${ACCOUNTS} WHERE a.user_id > ? AND LOWER(a.user_id) LIKE ? ESCAPE '\\' ORDER BY a.user_id LIMIT ?`, [after, pattern, limit]);
      return rows.map(detailsOf);
    },
    async devicesSeen(userId) {
      const rows = await database.query<DeviceRow>('SELECT device_id, seen_at, seen_ip FROM devices WHERE user_id = ? AND removed = 0 ORDER BY device_id', [userId]);
      return rows.map((row) => ({ deviceId: row.device_id, seenAtMs: row.seen_at, seenIp: row.seen_ip }));
    },
    async erasedAmong(userIds) {
      if (userIds.length === 0) return new Set();
      const rows = await database.queryIn<{ user_id: string }>('SELECT user_id FROM deactivations WHERE erased = 1 AND user_id IN (??)', [], userIds);
      return new Set(rows.map((row) => row.user_id));
    },
    async guestsAmong(userIds) {
      if (userIds.length === 0) return new Set();
      const rows = await database.queryIn<{ user_id: string }>(`SELECT user_id FROM accounts WHERE kind = 'guest' AND user_id IN (??)`, [], userIds);
      return new Set(rows.map((row) => row.user_id));
    },
    async isRegistrationTokenValid(token, nowMs) {
      return usesLeft((await readRegistrationTokens(database, [token])).get(token), nowMs) > 0;
    },
    async reservedRegistrationToken(userId) {
      const rows = await database.query<{ token: string }>('SELECT token FROM registration_token_uses WHERE user_id = ?', [userId]);
      return rows[0]?.token;
    },
    async registrationTokens(nowMs) {
      const rows = await database.query<TokenRow>('SELECT token, created_at FROM registration_tokens ORDER BY token', []);
      const facts = await readRegistrationTokens(database, rows.map(({ token }) => token));
      return rows.flatMap(({ token, created_at: createdAtMs }) => {
        const fact = facts.get(token);
        if (fact === undefined) return [];
        const pending = [...fact.pending.values()].filter((untilMs) => untilMs > nowMs).length;
        return [{ token, createdAtMs, usesAllowed: fact.usesAllowed, expiresMs: fact.expiresMs, completed: fact.completed, pending }];
      });
    },
  };
}

function detailsOf(row: AccountRow): AccountDetails {
  return {
    userId: row.user_id, isGuest: row.kind === 'guest', isAdmin: row.admin !== 0, isDeactivated: row.deactivated !== 0, isLocked: row.locked !== 0, isSuspended: row.suspended !== 0,
    isErased: row.erased === 1, hasLeftRooms: row.finished_at !== null && row.finished_at > 0, createdAtMs: row.created_at, acceptedTerms: row.accepted_terms,
  };
}
