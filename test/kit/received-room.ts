/** Rooms of other servers (`room-dag.ts`) for a roomserver that has just learnt of them: their create event as committed effects, the other events as inputs. */
import type { NewEvent, RoomEffects } from '../../components/roomserver/input/effects.ts';
import { partitionOf } from '../../pkg/log/partition-map.ts';
import { canonicalJson } from '../../pkg/matrix/canonical-json/canonical-json.ts';
import type { ReceivePdu } from '../../schemas/log/room-input.ts';
import type { RoomDag } from './room-dag.ts';
import { CREATOR } from './room-state.ts';

export function bytesOf(value: unknown): Uint8Array {
  return Buffer.from(canonicalJson(value));
}

/** What makes the room known with nothing but its create event, and the partition that this is committed in. */
export function beginning(dag: RoomDag, partitions: number): { partition: number; effects: RoomEffects } {
  const { pdu } = dag.events.get(dag.createId)!;
  const event: NewEvent = {
    eventId: dag.createId, pdu, bytes: bytesOf(pdu), kind: 'received', verdict: 'accepted', orderKey: 1, sequence: 1, stateId: 1,
    states: [{ stateId: 1, prevStateId: 0, depth: 1, isCurrent: true, steps: [{ type: pdu.type, stateKey: '', entry: { eventId: dag.createId, pdu }, replaces: undefined }] }],
    historyVisibility: 'shared', deviceId: '', txnId: '', redacts: undefined, stateBeforeDiffers: false, relayOf: '',
  };
  const partition = partitionOf({ version: 1, partitions }, dag.roomId);
  const room = {
    roomId: dag.roomId, roomVersion: dag.version.id, partition, creator: CREATOR, createEventId: dag.createId, orderKey: 1, depth: 1, stateId: 1, stateDepth: 1, lastStateId: 1,
    extremities: [dag.createId],
  };
  return { partition, effects: { inputId: 'create', roomId: dag.roomId, room, events: [event], redactions: [] } };
}

/** The event as `origin` sends it. */
export function received(dag: RoomDag, eventId: string, more: Partial<ReceivePdu> = {}): ReceivePdu {
  return { eventId, pdu: bytesOf(dag.events.get(eventId)!.pdu), origin: 'two.test', needId: '', relay: false, ...more };
}
