/** Where strings end, and what stands outside them: the same as who looks at every byte finds, also in what is no JSON. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createJsonScan } from './json-scan.ts';
import { depthOf } from './json.ts';
import { closingQuote, endsWithinEscape } from './json-string.ts';

/** Byte by byte: the deepest nesting, and where each string begins and ends (-1: it does not). */
function lookAtEach(bytes: Uint8Array): { deepest: number; strings: [number, number][]; isEscapeOpen: boolean } {
  let [depth, deepest, begin] = [0, 0, -1];
  let isEscaped = false;
  const strings: [number, number][] = [];
  for (const [at, byte] of bytes.entries()) {
    const char = String.fromCharCode(byte);
    if (begin >= 0) {
      if (isEscaped) isEscaped = false;
      else if (char === '\\') isEscaped = true;
      else if (char === '"') {
        strings.push([begin, at]);
        begin = -1;
      }
    } else if (char === '"') begin = at + 1;
    else if ('{['.includes(char)) deepest = Math.max(deepest, (depth += 1));
    else if ('}]'.includes(char)) depth -= 1;
  }
  if (begin >= 0) strings.push([begin, -1]);
  return { deepest, strings, isEscapeOpen: isEscaped };
}

/** Always the same texts: of characters that matter, with long strings between them. */
function* texts(count: number): Generator<Buffer> {
  let seed = 1;
  const next = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
  const pieces = ['"', '"', '\\', '\\\\', '\\"', '{', '[', '}', ']', ',', 'a', 'é', 'x'.repeat(40), '\\"'.repeat(20), '\\'.repeat(33)];
  for (let text = 0; text < count; text += 1) yield Buffer.from(Array.from({ length: next(30) }, () => pieces[next(pieces.length)]!).join(''));
}

test('every string is seen to end where it does, and nothing in it counts', () => {
  for (const bytes of texts(5000)) {
    const { deepest, strings, isEscapeOpen } = lookAtEach(bytes);
    assert.equal(depthOf(bytes), deepest, bytes.toString());
    for (const [begin, end] of strings) assert.equal(closingQuote(bytes, begin), end, bytes.toString());
    const [begin, end] = strings.at(-1) ?? [0, 0];
    if (end < 0) assert.equal(endsWithinEscape(bytes, begin), isEscapeOpen, bytes.toString());
  }
});

test('in chunks of any length the same is seen', () => {
  for (const bytes of texts(1000)) {
    const { deepest } = lookAtEach(bytes);
    for (const step of [1, 2, 3, 7, 50]) {
      for (const depthMax of deepest === 0 ? [0] : [deepest, deepest - 1]) {
        const scan = createJsonScan(depthMax);
        let said: string | undefined;
        for (let at = 0; at < bytes.length && said === undefined; at += step) said = scan.take(bytes.subarray(at, at + step));
        assert.equal(said, depthMax < deepest ? 'nested too deep' : undefined, `${bytes.toString()} by ${step}`);
      }
    }
  }
});
