import { setTimeout as sleep } from 'node:timers/promises';
import type { LastEvents } from './feed.ts';
import type { ServerHere } from './server-here.ts';

const LOOK_EVERY_MS = 5;

/** Until the owner has decided about each room's last event, and the reader has applied all that came of it. */
export async function untilRead({ databases }: Pick<ServerHere, 'databases'>, last: LastEvents): Promise<void> {
  const isDecided = async (eventId: string): Promise<boolean> => (await databases.roomserver.query('SELECT event_id FROM events WHERE event_id = ? AND state_id IS NOT NULL', [eventId])).length > 0;
  for (const eventId of last.values()) while (!(await isDecided(eventId))) await sleep(LOOK_EVERY_MS);
  const positions = async (component: 'roomserver' | 'syncapi', consumer: string) => new Map((await databases[component].query<{ partition: number; sequence: number }>(
    'SELECT partition, sequence FROM positions WHERE consumer = ?', [consumer])).map(({ partition, sequence }) => [partition, sequence]));
  const written = await positions('roomserver', 'roomserver');
  for (;;) {
    const applied = await positions('syncapi', 'syncapi.room-output');
    if ([...written].every(([partition, sequence]) => (applied.get(partition) ?? 0) >= sequence)) return;
    await sleep(LOOK_EVERY_MS);
  }
}
