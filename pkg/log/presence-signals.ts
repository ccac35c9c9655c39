/** The signals of presence, as JSON: they are never stored, so their form may change with the program; what cannot be read is passed over. */
import type { PresenceSeen, PresenceTold } from '../../schemas/log/presence.ts';

/** From owners to readers: `PresenceTold`. */
export const PRESENCE_CHANNEL = 'presence';
/** To owners: `PresenceSeen`. */
export const PRESENCE_SEEN_CHANNEL = 'presence-seen';
/** To owners, without content: a reader wants to know all. */
export const PRESENCE_ASK_CHANNEL = 'presence-ask';

/** Users of one signal, which has to fit into a message of a broker. */
export const PRESENCE_USERS_MAX = 100;

export function encodePresence(value: PresenceTold | PresenceSeen): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

/** undefined: it is not of this program. */
export function decodePresenceTold(bytes: Uint8Array): PresenceTold | undefined {
  const value = parsed(bytes);
  return value !== undefined && Array.isArray(value['users']) && typeof value['partition'] === 'number' ? (value as unknown as PresenceTold) : undefined;
}

export function decodePresenceSeen(bytes: Uint8Array): PresenceSeen | undefined {
  const value = parsed(bytes);
  return value !== undefined && typeof value['from'] === 'string' ? (value as unknown as PresenceSeen) : undefined;
}

function parsed(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
