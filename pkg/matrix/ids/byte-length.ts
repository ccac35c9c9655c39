/** Longest ID of any kind, and longest event type and state key, in bytes of UTF-8 (spec: appendices; client-server, "Size limits"). */
export const ID_BYTES_MAX = 255;

/** Length of `text` in bytes of UTF-8. */
export function byteLength(text: string): number {
  return Buffer.byteLength(text);
}

/** Whether `text` has at most 255 bytes. */
export function fitsIdLimit(text: string): boolean {
  // No UTF-16 unit takes more than three bytes and none less than one: most texts need no count.
  if (text.length * 3 <= ID_BYTES_MAX) return true;
  return text.length <= ID_BYTES_MAX && byteLength(text) <= ID_BYTES_MAX;
}
