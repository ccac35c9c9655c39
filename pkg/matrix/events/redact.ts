/** The redaction algorithm (spec: rooms/, "Redactions"): what of an event survives, and what its signatures and its ID cover. */
import type { RedactionRules, RoomVersion } from '../room-versions/room-versions.ts';
import type { Pdu } from './pdu.ts';

/** A redacted copy of the event; what survives is shared with `pdu`, not copied. `unsigned` is gone too. */
export function redact<T extends Partial<Pdu>>(pdu: T, version: RoomVersion): T {
  const rules = version.redaction;
  const source = pdu as Readonly<Record<string, unknown>>;
  const redacted: Record<string, unknown> = {};
  for (const key of rules.eventKeys) {
    if (source[key] !== undefined && Object.hasOwn(source, key)) redacted[key] = source[key];
  }
  redacted.content = redactContent(pdu.type ?? '', pdu.content ?? {}, rules);
  return redacted as T;
}

/** What survives of the content of an event of this type: `content` itself when all of it does. */
export function redactContent(type: string, content: Record<string, unknown>, rules: RedactionRules): Record<string, unknown> {
  const allowed = Object.hasOwn(rules.contentKeys, type) ? rules.contentKeys[type] : undefined;
  if (allowed === 'all') return content;
  const redacted: Record<string, unknown> = {};
  for (const entry of allowed ?? []) {
    const key = typeof entry === 'string' ? entry : entry[0];
    if (!Object.hasOwn(content, key) || content[key] === undefined) continue;
    if (typeof entry === 'string') redacted[key] = content[key];
    else keepInner(redacted, key, content[key], entry[1]);
  }
  return redacted;
}

/** Puts an object with those of the `inner` keys that the object `value` has under `key`, an empty one too: the key itself is not redacted (rooms/v11). */
function keepInner(redacted: Record<string, unknown>, key: string, value: unknown, inner: readonly string[]): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  const kept = inner.filter((innerKey) => Object.hasOwn(value, innerKey));
  redacted[key] = Object.fromEntries(kept.map((innerKey) => [innerKey, (value as Record<string, unknown>)[innerKey]]));
}
