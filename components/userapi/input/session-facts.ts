/** What `decide` knows of sessions: tokens of devices, tokens that were issued for a short while, user-interactive authentication. */
import type { Reader } from '../../../pkg/storage/database.ts';
import type { UserInput } from '../../../schemas/log/user-input.ts';

/** An access token of a device, and the refresh token that came with it. */
export interface DeviceToken {
  readonly tokenHash: Uint8Array;
  readonly createdAt: number;
  /** Wall-clock ms; 0: never. */
  readonly expiresMs: number;
  /** Came of a refresh and was not used yet. */
  readonly isNew: boolean;
  /** null: its client does not refresh. */
  readonly familyHash: Uint8Array | null;
  /** null: used up. */
  readonly refreshHash: Uint8Array | null;
  readonly refreshExpiresMs: number;
}

export interface IssuedToken {
  readonly tokenHash: Uint8Array;
  readonly purpose: string;
  /** Wall-clock ms. */
  readonly expiresMs: number;
}

export interface UiaFact {
  /** Completed, in order. */
  readonly stages: readonly string[];
  readonly isUsedUp: boolean;
}

export interface SessionFacts {
  /** By device ID; only of users whose inputs need them. */
  readonly tokens: Map<string, readonly DeviceToken[]>;
  /** By hash (`keyOfHash`); only of users whose inputs need them. */
  readonly issued: Map<string, IssuedToken>;
  /** Of inputs whose key is a session of user-interactive authentication. */
  uia: UiaFact | undefined;
}

export function emptySessionFacts(): SessionFacts {
  return { tokens: new Map(), issued: new Map(), uia: undefined };
}

/** How a hash names what is of it. */
export function keyOfHash(hash: Uint8Array): string {
  return Buffer.from(hash).toString('base64url');
}

type TokenRow = {
  token_hash: Uint8Array; user_id: string; device_id: string; created_at: number; expires_at: number; is_new: number;
  family_hash: Uint8Array | null; refresh_hash: Uint8Array | null; refresh_expires_at: number;
};
type IssuedRow = { token_hash: Uint8Array; user_id: string; purpose: string; expires_at: number };
type UiaRow = { session: string; stages: string; used_up: number };

const TOKENS = `SELECT token_hash, user_id, device_id, created_at, expires_at, is_new, family_hash, refresh_hash, refresh_expires_at
  FROM access_tokens WHERE user_id IN (??) ORDER BY created_at, token_hash`;

/** Facts by the key of the input; no query for what no input needs. */
export async function loadSessionFacts(reader: Reader, inputs: readonly UserInput[]): Promise<Map<string, SessionFacts>> {
  const facts = new Map<string, SessionFacts>();
  const of = (key: string): SessionFacts => facts.get(key) ?? facts.set(key, emptySessionFacts()).get(key)!;
  const keysOf = (needed: (input: UserInput) => unknown) => [...new Set(inputs.filter(needed).map((input) => input.userId))];
  const ofTokens = keysOf((input) => input.refreshTokens ?? input.confirmToken);
  const ofIssued = keysOf((input) => input.issueToken ?? (input.login && (input.login.loginTokenHash?.length ?? 0) > 0));
  const ofUia = keysOf((input) => input.uiaStep);
  const [tokens, issued, uia] = await Promise.all([
    ofTokens.length === 0 ? [] : reader.queryIn<TokenRow>(TOKENS, [], ofTokens),
    ofIssued.length === 0 ? [] : reader.queryIn<IssuedRow>('SELECT token_hash, user_id, purpose, expires_at FROM issued_tokens WHERE user_id IN (??)', [], ofIssued),
    ofUia.length === 0 ? [] : reader.queryIn<UiaRow>('SELECT session, stages, used_up FROM uia_sessions WHERE session IN (??)', [], ofUia),
  ]);
  for (const row of tokens) of(row.user_id).tokens.set(row.device_id, [...(of(row.user_id).tokens.get(row.device_id) ?? []), tokenOf(row)]);
  for (const row of issued) of(row.user_id).issued.set(keyOfHash(row.token_hash), { tokenHash: row.token_hash, purpose: row.purpose, expiresMs: row.expires_at });
  for (const row of uia) of(row.session).uia = { stages: JSON.parse(row.stages) as string[], isUsedUp: row.used_up !== 0 };
  return facts;
}

function tokenOf(row: TokenRow): DeviceToken {
  return {
    tokenHash: row.token_hash, createdAt: row.created_at, expiresMs: row.expires_at, isNew: row.is_new !== 0, familyHash: row.family_hash, refreshHash: row.refresh_hash,
    refreshExpiresMs: row.refresh_expires_at,
  };
}
