/** Unsigned integers below 2^53 in as few bytes as they need (LEB128). */

export class MalformedBytes extends Error {
  override readonly name = 'MalformedBytes';
}

/** Appends `value` to `into`. */
export function writeVarint(into: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    into.push((rest % 0x80) + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  into.push(rest);
}

/** Reads numbers one after the other; throws `MalformedBytes` at the end of the bytes, on numbers of 2^53 or more, and on padded ones. */
export class VarintReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Bytes that have been read. */
  get at(): number {
    return this.#at;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  next(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new MalformedBytes('the number is cut off');
      value += (byte & 0x7f) * scale;
      if (!Number.isSafeInteger(value)) throw new MalformedBytes('the number is too big');
      if (byte < 0x80) {
        if (byte === 0 && scale > 1) throw new MalformedBytes('the number is padded');
        return value;
      }
      scale *= 0x80;
    }
  }

  /** The next `length` bytes. */
  take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw new MalformedBytes('the section is cut off');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}
