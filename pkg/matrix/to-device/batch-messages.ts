/** Messages for devices, cut into batches that fit into one record each: all users of a batch are of one partition, and a content that is sent to many stands in it once. */

export interface DeviceMessage {
  readonly userId: string;
  /** `*`: all devices of the user. */
  readonly deviceId: string;
  /** JSON. Bytes that several messages have in common are the same `Uint8Array`. */
  readonly content: string | Uint8Array;
}

export interface MessageBatch {
  readonly partition: number;
  /** Counts the batches of the partition: equal messages make equal batches. */
  readonly number: number;
  /** One of the users. */
  readonly userId: string;
  readonly targets: { readonly userId: string; readonly deviceId: string; readonly content: number }[];
  readonly contents: Uint8Array[];
}

/** Of a batch; one content may go beyond it. */
const BYTES_MAX = 192 * 1024;
const TARGETS_MAX = 2000;
/** Of a target, beside its names. */
const TARGET_BYTES = 16;

interface Open {
  readonly batch: MessageBatch;
  readonly places: Map<string | Uint8Array, number>;
  bytes: number;
}

export function batchMessages(messages: readonly DeviceMessage[], partitionOf: (userId: string) => number): MessageBatch[] {
  const open = new Map<number, Open>();
  const batches: MessageBatch[] = [];
  for (const { userId, deviceId, content } of messages) {
    const partition = partitionOf(userId);
    let current = open.get(partition);
    if (current === undefined || current.bytes >= BYTES_MAX || current.batch.targets.length >= TARGETS_MAX) {
      current = { batch: { partition, number: (current?.batch.number ?? -1) + 1, userId, targets: [], contents: [] }, places: new Map(), bytes: 0 };
      open.set(partition, current);
      batches.push(current.batch);
    }
    current.batch.targets.push({ userId, deviceId, content: placeOf(current, content) });
    current.bytes += userId.length + deviceId.length + TARGET_BYTES;
  }
  return batches;
}

function placeOf(current: Open, content: string | Uint8Array): number {
  const known = current.places.get(content);
  if (known !== undefined) return known;
  const place = current.batch.contents.length;
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  current.places.set(content, place);
  current.batch.contents.push(bytes);
  current.bytes += bytes.length;
  return place;
}
