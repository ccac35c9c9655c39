import type { PresenceState } from '../../../schemas/log/presence.ts';

/** Wire object: content of m.presence, and the answer to GET /presence/{userId}/status. Of who is offline only what they want to be read is told beside it. */
export function presenceContent({ kind, lastActiveMs, isActive, statusMsg }: PresenceState, nowMs: number): Record<string, unknown> {
  return {
    presence: kind,
    ...(lastActiveMs > 0 && { last_active_ago: Math.max(0, nowMs - lastActiveMs) }),
    ...(kind !== 'offline' && { currently_active: isActive }),
    ...(statusMsg !== '' && { status_msg: statusMsg }),
  };
}
