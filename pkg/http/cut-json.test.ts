import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutJson } from './cut-json.ts';
import { MatrixError } from './matrix-error.ts';

function cutOf(text: string, depthKept = 2) {
  const { rest, cut } = cutJson(Buffer.from(text), depthKept);
  return { rest, cut: cut.map((bytes) => Buffer.from(bytes).toString()) };
}

function refusal(text: string): string {
  try {
    cutOf(text);
  } catch (error) {
    if (error instanceof MatrixError) return error.errcode;
    throw error;
  }
  return 'none';
}

test('what stands deep is cut out as it was written; the rest is parsed', () => {
  assert.deepEqual(cutOf('{"a é":{"b": {"n":1.50, "t":"}\\"{"} ,"c":[1,[2]],"d":7}, "e":[3]}'), {
    rest: { 'a é': { b: [0], c: [1], d: 7 }, e: [3] },
    cut: ['{"n":1.50, "t":"}\\"{"}', '[1,[2]]'],
  });
  assert.deepEqual(cutOf('{}'), { rest: {}, cut: [] });
  assert.deepEqual(cutOf('{"a":{"b":[]}}'), { rest: { a: { b: [0] } }, cut: ['[]'] });
});

test('of what is written twice the last counts, as everywhere', () => {
  assert.deepEqual(cutOf('{"a":{"b":{"n":1},"b":{"n":2}}}'), { rest: { a: { b: [1] } }, cut: ['{"n":1}', '{"n":2}'] });
});

test('equal values are the same view, also with another one between them', () => {
  const [a, b] = [`{"x":"${'1'.repeat(50)}"}`, `{"x":"${'2'.repeat(50)}"}`];
  const { cut } = cutJson(Buffer.from(`{"u":{"1":${a},"2":${b},"3":${a},"4":${b}}}`), 2);
  assert.equal(new Set(cut).size, 2);
  assert.equal(cut[0], cut[2]);
  const nearly = `{"x":"${'1'.repeat(49)}3"}`;
  const others = cutJson(Buffer.from(`{"u":{"1":${a},"2":${nearly},"3":${a}}}`), 2).cut.map((bytes) => Buffer.from(bytes).toString());
  assert.deepEqual(others, [a, nearly, a]);
});

test('what is no JSON is refused, inside and outside of what is cut', () => {
  for (const text of ['', '{', '{"a":{"b":{}}', '{"a":{"b":{}}}}', '{"a":{"b":{]}}', '{"a":{"b":{"c"}}}', '{"a":{"b":{},}}', '{"a":{"b":{"c":"}}}', '{"a":{"b":{"c":tru}}}', '{"a":{"b":{}{}}}', '[[]', '{"a":{"b":"\\']) {
    assert.equal(refusal(text), 'M_NOT_JSON', text);
  }
  assert.equal(refusal(`{"a":{"b":${'['.repeat(101)}${']'.repeat(101)}}}`), 'M_BAD_JSON');
  assert.equal(refusal('{"a":{"b":{"c":"\\ud800"}}}'), 'M_BAD_JSON');
  assert.equal(refusal('{"a\\ud800":{"b":{}}}'), 'M_BAD_JSON');
  assert.equal(refusal('{"a":{"b":{"c":"\\ud83d\\ude00"}}}'), 'none');
});
