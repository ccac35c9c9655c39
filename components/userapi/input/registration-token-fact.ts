/** What is known of a registration token: who may still use it is counted from the accounts that were made by it, and from those that are being made. */
import type { Reader } from '../../../pkg/storage/database.ts';

/** As long as a session of user-interactive authentication. */
export const RESERVED_MS = 15 * 60_000;

export interface RegistrationTokenFact {
  /** 0: any number. */
  readonly usesAllowed: number;
  /** Wall-clock ms; 0: never. */
  readonly expiresMs: number;
  /** Accounts that were made by it. */
  readonly completed: number;
  /** Accounts that are not there (yet), with the end of their reservations. */
  readonly pending: Map<string, number>;
}

type TokenRow = { token: string; uses_allowed: number; expires_at: number };
type UseRow = { token: string; pending_user: string; reserved_until: number; uses: number };

// One statement, so that an account that is being made just now is counted once.
const USES = `SELECT u.token AS token, CASE WHEN a.user_id IS NULL THEN u.user_id ELSE '' END AS pending_user, MAX(u.reserved_until) AS reserved_until, COUNT(*) AS uses
  FROM registration_token_uses u LEFT JOIN accounts a ON a.user_id = u.user_id WHERE u.token IN (??) GROUP BY u.token, CASE WHEN a.user_id IS NULL THEN u.user_id ELSE '' END`;

/** By token; those that do not exist are left out. Two queries. */
export async function readRegistrationTokens(reader: Reader, tokens: readonly string[]): Promise<Map<string, RegistrationTokenFact>> {
  if (tokens.length === 0) return new Map();
  const rows = await reader.queryIn<TokenRow>('SELECT token, uses_allowed, expires_at FROM registration_tokens WHERE token IN (??)', [], tokens);
  const uses = rows.length === 0 ? [] : await reader.queryIn<UseRow>(USES, [], rows.map(({ token }) => token));
  return new Map(rows.map((row) => [row.token, factOf(row, uses.filter(({ token }) => token === row.token))]));
}

function factOf({ uses_allowed: usesAllowed, expires_at: expiresMs }: TokenRow, uses: readonly UseRow[]): RegistrationTokenFact {
  const completed = Number(uses.find((use) => use.pending_user === '')?.uses ?? 0);
  const pending = new Map(uses.filter((use) => use.pending_user !== '').map((use) => [use.pending_user, use.reserved_until]));
  return { usesAllowed, expiresMs, completed, pending };
}

/** How many accounts may still be made by it; reservations for one of `users` do not count. Infinity: any number. */
export function usesLeft(fact: RegistrationTokenFact | undefined, nowMs: number, users: readonly string[] = []): number {
  if (fact === undefined || (fact.expiresMs > 0 && fact.expiresMs <= nowMs)) return 0;
  if (fact.usesAllowed === 0) return Infinity;
  const pending = [...fact.pending].filter(([user, untilMs]) => untilMs > nowMs && !users.includes(user)).length;
  return fact.usesAllowed - fact.completed - pending;
}
