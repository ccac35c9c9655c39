/**
 * A pack as bytes: how the records of one or several appends travel as one broker entry or one table row. Format, version 1: the byte 1, then for
 * each record its length (4 bytes, big endian) and its bytes.
 */
import { PoisonRecord, RECORD_BYTES_MAX } from './log.ts';

/** Appends are packed up to this many bytes; a bigger single record gets a pack of its own. Brokers take 1 MB by default. */
export const PACK_BYTES_MAX = 256 * 1024;

const VERSION = 1;
const LENGTH_BYTES = 4;

/** Bytes that `records` take in a pack, without the version byte. */
export function packedBytes(records: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const record of records) bytes += LENGTH_BYTES + record.byteLength;
  return bytes;
}

export function packRecords(records: readonly Uint8Array[]): Uint8Array {
  const pack = Buffer.allocUnsafe(1 + packedBytes(records));
  pack[0] = VERSION;
  let at = 1;
  for (const record of records) {
    at = pack.writeUInt32BE(record.byteLength, at);
    pack.set(record, at);
    at += record.byteLength;
  }
  return pack;
}

/** The records of a pack, as views of its bytes. Throws `PoisonRecord` on bytes that are no pack. */
export function unpackRecords(pack: Uint8Array): Uint8Array[] {
  if (pack[0] !== VERSION) throw new PoisonRecord(`not a pack of version ${VERSION}`);
  const view = new DataView(pack.buffer, pack.byteOffset, pack.byteLength);
  const records: Uint8Array[] = [];
  let at = 1;
  while (at < pack.byteLength) {
    if (at + LENGTH_BYTES > pack.byteLength) throw new PoisonRecord('pack ends within a length');
    const end = at + LENGTH_BYTES + view.getUint32(at);
    if (end > pack.byteLength) throw new PoisonRecord('pack ends within a record');
    records.push(pack.subarray(at + LENGTH_BYTES, end));
    at = end;
  }
  return records;
}

/** Like `unpackRecords`; foreign bytes become one record, so that its consumer sends it to the dead letters and goes on. */
export function unpackOrPass(pack: Uint8Array): Uint8Array[] {
  try {
    return unpackRecords(pack);
  } catch {
    return [pack];
  }
}

/** `records` in order, in groups of at most `PACK_BYTES_MAX` (or one bigger record). Throws `RangeError` on a record over `RECORD_BYTES_MAX`. */
export function splitIntoPacks(records: readonly Uint8Array[]): Uint8Array[][] {
  const packs: Uint8Array[][] = [];
  let pack: Uint8Array[] = [];
  let bytes = 0;
  for (const record of records) {
    if (record.byteLength > RECORD_BYTES_MAX) throw new RangeError(`a record of ${record.byteLength} bytes is over the limit of ${RECORD_BYTES_MAX}`);
    const size = LENGTH_BYTES + record.byteLength;
    if (pack.length > 0 && bytes + size > PACK_BYTES_MAX) {
      packs.push(pack);
      pack = [];
      bytes = 0;
    }
    pack.push(record);
    bytes += size;
  }
  if (pack.length > 0) packs.push(pack);
  return packs;
}
