/**
 * Encodes and decodes the records of `schemas/log` with protobufjs. The `.proto` files are read once at start; protobufjs compiles a
 * codec for each type. 64-bit numbers are plain numbers (they stay below 2^53).
 */
import protobuf from 'protobufjs';
import { readSchema } from '../runtime/schema-file.ts';
import type { Applied, Outcome, Outcomes, OutputEnvelope, TypingNow } from '../../schemas/log/envelope.ts';
import type { RoomInput } from '../../schemas/log/room-input.ts';
import type { RoomOutput } from '../../schemas/log/room-output.ts';
import type { UserInput } from '../../schemas/log/user-input.ts';
import type { UserOutput } from '../../schemas/log/user-output.ts';
import { PoisonRecord } from './log.ts';

export interface Codec<T> {
  encode(value: T): Uint8Array;
  /** Absent messages and `optional` fields are null, other absent fields empty. Throws `PoisonRecord` on bytes that are not such a record. */
  decode(bytes: Uint8Array): T;
}

// kafkajs brings the package `long`, which protobufjs would then use for every 64-bit field.
protobuf.util.Long = null as never;
protobuf.configure();

/** The codec of the message `typeName` (of package myelin.log) in `schemas/log/<file>.proto`. */
function codecOf<T>(file: string, typeName: string): Codec<T> {
  const root = protobuf.parse(readSchema(`log/${file}.proto`)).root;
  const type = root.lookupType(`myelin.log.${typeName}`);
  giveEmptyBytes(root.lookup('myelin.log') as protobuf.Namespace);
  return {
    encode: (value) => type.encode(value as protobuf.Message).finish(),
    decode: (bytes) => {
      try {
        return type.decode(bytes) as unknown as T;
      } catch (cause) {
        throw new PoisonRecord(`not a ${typeName}`, { cause });
      }
    },
  };
}

const NO_BYTES = Buffer.alloc(0);

/** Absent `bytes` fields: protobufjs gives an empty array, which is no Uint8Array and which no database takes. */
function giveEmptyBytes(namespace: protobuf.Namespace): void {
  for (const type of namespace.nestedArray.filter((nested) => nested instanceof protobuf.Type)) {
    for (const field of type.fieldsArray) {
      if (field.type === 'bytes' && !field.repeated) type.ctor.prototype[field.name] = NO_BYTES;
    }
  }
}

export const roomInputCodec = codecOf<RoomInput>('room-input', 'RoomInput');
export const roomOutputCodec = codecOf<RoomOutput>('room-output', 'RoomOutput');
export const userInputCodec = codecOf<UserInput>('user-input', 'UserInput');
export const userOutputCodec = codecOf<UserOutput>('user-output', 'UserOutput');
export const envelopeCodec = codecOf<OutputEnvelope>('envelope', 'OutputEnvelope');
export const outcomeCodec = codecOf<Outcome>('envelope', 'Outcome');
export const outcomesCodec = codecOf<Outcomes>('envelope', 'Outcomes');
export const appliedCodec = codecOf<Applied>('envelope', 'Applied');
export const typingCodec = codecOf<TypingNow>('envelope', 'TypingNow');
