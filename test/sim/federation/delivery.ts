/**
 * The law that what was acknowledged reaches everybody who may see it, once; and what one user sent in the order in which it was sent, where there is nobody whose events some
 * servers have and others lack: what follows such an event can be late, and come after what follows it. Nor where a gap was bridged because the other server was silent for longer than it is asked
 * for: what it hides is fetched later.
 */
import type { FederatedWorld } from './federated-world.ts';
import type { SharedRoom } from './story.ts';

export function undelivered({ world, cores, liar, partitions }: FederatedWorld, room: SharedRoom): string[] {
  const broken: string[] = [];
  const inOrder = liar === undefined && !partitions && world.servers.length === 2;
  for (const reader of cores) {
    const seen = (reader.seen.get(room.roomId) ?? []).map((event) => event.event_id);
    const unfulfilled = new Set([...reader.server.unfulfilled].map((needId) => /^pdu:([^#]+)#/.exec(needId)?.[1]));
    const places = new Map(seen.map((eventId, index) => [eventId, index]));
    for (const [index, eventId] of seen.entries()) if (places.get(eventId) !== index) broken.push(`${reader.userId} has seen ${eventId} twice`);
    for (const sender of cores) {
      const sent = [...sender.acked].filter(([body]) => room.owed.has(body));
      for (const [body, eventId] of sent) if (!places.has(eventId)) broken.push(`${reader.userId} has never seen ${eventId} (${body})`);
      const arrived = sent.flatMap(([body, eventId]) => (places.has(eventId) ? [{ body, eventId, place: places.get(eventId)! }] : []));
      for (const [index, { body, eventId, place }] of arrived.entries()) {
        const before = arrived[index - 1];
        if (inOrder && before !== undefined && place < before.place && !seen.slice(0, before.place).some((one) => unfulfilled.has(one))) broken.push(`${reader.userId} sees ${eventId} (${body}) before ${before.eventId} (${before.body})`);
      }
    }
  }
  return broken.map((sentence) => `room ${room.roomId}: ${sentence}`);
}
