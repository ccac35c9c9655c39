import { setTimeout as sleep } from 'node:timers/promises';
import type { LastEvents } from './feed.ts';
import type { ServerHere } from './server-here.ts';

const LOOK_EVERY_MS = 5;

/** Until the owner has decided about each room's last event, and the readers have applied all that came of it. */
export async function untilRead({ databases }: Pick<ServerHere, 'databases'>, last: LastEvents, readers: readonly ('syncapi' | 'federationapi')[] = ['syncapi']): Promise<void> {
  const isDecided = async (eventId: string): Promise<boolean> => (await databases.roomserver.query('SELECT event_id FROM events WHERE event_id = ? AND state_id IS NOT NULL', [eventId])).length > 0;
  for (const eventId of last.values()) while (!(await isDecided(eventId))) await sleep(LOOK_EVERY_MS);
  const positions = async (component: keyof ServerHere['databases'], consumer: string) => new Map((await databases[component].query<{ partition: number; sequence: number }>(
    'SELECT partition, sequence FROM positions WHERE consumer = ?', [consumer])).map(({ partition, sequence }) => [partition, sequence]));
  const written = await positions('roomserver', 'roomserver');
  for (const reader of readers) {
    const isThrough = async (): Promise<boolean> => {
      const applied = await positions(reader, `${reader}.room-output`);
      return [...written].every(([partition, sequence]) => (applied.get(partition) ?? 0) >= sequence);
    };
    while (!(await isThrough())) await sleep(LOOK_EVERY_MS);
  }
}
