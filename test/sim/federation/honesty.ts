/** The laws that nothing which is not allowed is ever shown: no words put into mouths, no power that was taken, nobody who speaks without being in the room. */
import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import { outboxReader } from '../../../pkg/log/outbox.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { RoomOutput, StateChange } from '../../../schemas/log/room-output.ts';
import { SIM_PARTITIONS, type SimServer } from '../server.ts';
import type { FederatedWorld } from './federated-world.ts';
import { readRoom } from './room-tables.ts';
import type { SharedRoom } from './story.ts';

/** Every message of a core user on every server is one that this user has sent, once; the liar has set nothing but its own membership. */
export async function forgeries({ world, cores, liar }: FederatedWorld, room: SharedRoom): Promise<string[]> {
  const broken: string[] = [];
  const sent = new Map(cores.map((core) => [core.userId, new Set(core.acked.values())]));
  for (const server of world.servers) {
    const { events, state } = await readRoom(server, room.roomId);
    for (const { eventId, pdu, verdict } of events.values()) {
      if (verdict === 'accepted' && pdu.type === 'm.room.message' && sent.get(pdu.sender)?.has(eventId) === false) broken.push(`${server.name} has accepted ${eventId}, which ${pdu.sender} has not sent`);
    }
    for (const [key, eventId] of state) {
      const sender = events.get(eventId)?.pdu.sender;
      if (sender === liar?.userId && key !== `m.room.member ${sender}`) broken.push(`on ${server.name} ${key} is of ${sender}`);
    }
  }
  return broken.map((sentence) => `room ${room.roomId}: ${sentence}`);
}

/** By the state that readers were told so far, whoever sends anything but memberships is joined at that moment. */
export async function speakersOutside(server: SimServer): Promise<string[]> {
  const broken: string[] = [];
  const outbox = outboxReader(server.databases.roomserver, 'room-output', 'roomserver');
  for (let partition = 0; partition < SIM_PARTITIONS; partition += 1) {
    const joined = new Map<string, Set<string>>();
    const { envelopes } = await outbox.read(partition, 0, Number.MAX_SAFE_INTEGER);
    for (const { sequence, record } of envelopes) {
      const output = roomOutputCodec.decode(record);
      const members = joined.get(output.roomId) ?? new Set();
      joined.set(output.roomId, members);
      const speaker = speakerOf(output);
      // A change of state that comes with it may have put the speaker out: what counts is the state before.
      if (speaker !== undefined && !members.has(speaker)) broken.push(`${server.name} shows ${output.event!.eventId} (${partition}/${sequence}) in ${output.roomId} of ${speaker}, who is not in the room`);
      if (output.stateSlice?.reset === true) members.clear();
      follow(members, output.event?.stateDelta ?? output.stateSlice?.changes ?? []);
    }
  }
  return broken;
}

function speakerOf({ event }: RoomOutput): string | undefined {
  if (!event) return undefined;
  const { type, sender } = JSON.parse(Buffer.from(event.pdu).toString()) as Pdu;
  return type === 'm.room.member' || type === 'm.room.create' ? undefined : sender;
}

function follow(members: Set<string>, changes: readonly StateChange[]): void {
  for (const { type, stateKey, membership } of changes) {
    if (type !== 'm.room.member') continue;
    if (membership === 'join') members.add(stateKey);
    else members.delete(stateKey);
  }
}
