/** What of other servers' events this server has already. */
import type { IntactEvent } from '../../../pkg/matrix/events/check-received.ts';
import type { NeedTools } from './job.ts';

const LOOKED_UP_AT_ONCE = 2000;

/** Those of the events that are known here, whatever was thought of them. */
export async function knownIds({ roomQuery, clock }: Pick<NeedTools, 'roomQuery' | 'clock'>, eventIds: readonly string[]): Promise<Set<string>> {
  const known = new Set<string>();
  for (let from = 0; from < eventIds.length; from += LOOKED_UP_AT_ONCE) {
    for (const eventId of await roomQuery.knownEventIds(eventIds.slice(from, from + LOOKED_UP_AT_ONCE))) known.add(eventId);
    await clock.yield();
  }
  return known;
}

export async function withoutKnown(tools: Pick<NeedTools, 'roomQuery' | 'clock'>, events: readonly IntactEvent[]): Promise<IntactEvent[]> {
  const known = await knownIds(tools, events.map(({ eventId }) => eventId));
  return events.filter(({ eventId }) => !known.has(eventId));
}
