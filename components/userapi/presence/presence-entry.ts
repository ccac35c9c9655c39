/** PURE. What is known of one user's presence, and what follows from it (Client-Server API, "Presence"). */
import type { PresenceKind, PresenceState } from '../../../schemas/log/presence.ts';

/** Who has done nothing for this long is idle. */
export const IDLE_MS = 5 * 60_000;
/** For this long after an action readers need no news of later ones. */
export const ACTIVE_MS = 2 * 60_000;
/** How long it holds what a process says of whom it sees: it says it again every minute. */
export const CLAIM_MS = 100_000;
/** How long somebody is here who said so, and whom nobody sees syncing. */
export const WISH_MS = 30_000;
/** What another server says of its user holds so long. */
const REMOTE_MS = 30 * 60_000;

export interface PresenceEntry {
  readonly userId: string;
  readonly partition: number;
  /** By process: what the user's clients let be seen, and until when that counts. */
  readonly claims: Map<string, { readonly kind: PresenceKind; readonly untilMs: number }>;
  /** What the user has asked for, until they do something else. */
  wish: { readonly kind: PresenceKind; readonly untilMs: number } | undefined;
  /** Of a user of another server. */
  remote: { readonly state: PresenceState; readonly untilMs: number } | undefined;
  lastActiveMs: number;
  /** undefined: not read yet. */
  statusMsg: string | undefined;
  told: PresenceState | undefined;
  toldAtMs: number;
  /** Place of what was told last. */
  counter: number;
}

export function newEntry(userId: string, partition: number): PresenceEntry {
  return { userId, partition, claims: new Map(), wish: undefined, remote: undefined, lastActiveMs: 0, statusMsg: undefined, told: undefined, toldAtMs: 0, counter: 0 };
}

/** A process sees the user, or no longer does. */
export function claim(entry: PresenceEntry, from: string, { kind, nowMs, lastActiveMs }: { kind: PresenceKind; nowMs: number; lastActiveMs?: number | undefined }): void {
  const before = entry.claims.get(from);
  if (kind === 'offline') {
    entry.claims.delete(from);
    return;
  }
  entry.claims.set(from, { kind, untilMs: nowMs + CLAIM_MS });
  if (lastActiveMs !== undefined) entry.lastActiveMs = Math.max(entry.lastActiveMs, Math.min(lastActiveMs, nowMs));
  // Said again: nothing has happened.
  if (before?.kind === kind && before.untilMs > nowMs) return;
  entry.wish = undefined;
  if (kind === 'online' && lastActiveMs === undefined) entry.lastActiveMs = nowMs;
}

/** The user has done something: they are there, unless they want to be taken for offline. */
export function act(entry: PresenceEntry, nowMs: number): void {
  entry.lastActiveMs = nowMs;
  if (entry.wish?.kind === 'unavailable') entry.wish = undefined;
}

/** The user has said what they are. */
export function wish(entry: PresenceEntry, { kind, statusMsg, nowMs }: { kind: PresenceKind; statusMsg: string; nowMs: number }): void {
  entry.wish = { kind, untilMs: nowMs + WISH_MS };
  entry.statusMsg = statusMsg;
  if (kind !== 'offline') entry.lastActiveMs = nowMs;
}

export function hear(entry: PresenceEntry, state: PresenceState, nowMs: number): void {
  entry.remote = { state: { ...state, lastActiveMs: Math.min(state.lastActiveMs, nowMs) }, untilMs: nowMs + REMOTE_MS };
  entry.statusMsg = state.statusMsg;
}

/** What others are to see now. Also drops what no longer counts. */
export function stateOf(entry: PresenceEntry, nowMs: number): PresenceState {
  const statusMsg = entry.statusMsg ?? '';
  if (entry.remote !== undefined) return entry.remote.untilMs > nowMs ? entry.remote.state : { ...entry.remote.state, kind: 'offline', isActive: false };
  for (const [from, { untilMs }] of entry.claims) if (untilMs <= nowMs) entry.claims.delete(from);
  const kind = kindOf(entry, nowMs);
  const sinceMs = nowMs - entry.lastActiveMs;
  const seen = kind === 'online' && sinceMs > IDLE_MS ? 'unavailable' : kind;
  return { kind: seen, lastActiveMs: entry.lastActiveMs, isActive: seen === 'online' && sinceMs < ACTIVE_MS, statusMsg };
}

function kindOf({ claims, wish: wanted }: PresenceEntry, nowMs: number): PresenceKind {
  const kinds = new Set([...claims.values()].map(({ kind }) => kind));
  if (kinds.size === 0) return wanted !== undefined && wanted.untilMs > nowMs ? wanted.kind : 'offline';
  return wanted?.kind ?? (kinds.has('online') ? 'online' : 'unavailable');
}

/** Whether readers have to be told of `now`; later times of action count only where they were not told to take the user for active. */
export function differs(told: PresenceState | undefined, now: PresenceState): boolean {
  if (told === undefined) return true;
  return told.kind !== now.kind || told.isActive !== now.isActive || told.statusMsg !== now.statusMsg || (now.kind !== 'offline' && !now.isActive && told.lastActiveMs !== now.lastActiveMs);
}
