/** The law that what was acknowledged reaches everybody who may see it: once, and what one user sent in the order in which it was sent. */
import type { FederatedWorld } from './federated-world.ts';
import type { SharedRoom } from './story.ts';

export function undelivered({ cores }: FederatedWorld, room: SharedRoom): string[] {
  const broken: string[] = [];
  for (const reader of cores) {
    const seen = (reader.seen.get(room.roomId) ?? []).map((event) => event.event_id);
    const places = new Map(seen.map((eventId, index) => [eventId, index]));
    for (const [index, eventId] of seen.entries()) if (places.get(eventId) !== index) broken.push(`${reader.userId} has seen ${eventId} twice`);
    for (const sender of cores) {
      const sent = [...sender.acked].filter(([body]) => room.owed.has(body));
      for (const [body, eventId] of sent) if (!places.has(eventId)) broken.push(`${reader.userId} has never seen ${eventId} (${body})`);
      const order = sent.map(([, eventId]) => places.get(eventId) ?? -1);
      if (order.some((place, index) => place < (order[index - 1] ?? -1))) broken.push(`${reader.userId} sees the sends of ${sender.userId} in another order`);
    }
  }
  return broken.map((sentence) => `room ${room.roomId}: ${sentence}`);
}
