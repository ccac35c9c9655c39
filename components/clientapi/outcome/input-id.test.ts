import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inputIdOf } from './input-id.ts';

const ALICE = { userId: '@alice:x', deviceId: 'PHONE' };
const PATH = '/_matrix/client/v3/rooms/!r:x/send/m.room.message/t1';
const put = (path: string) => ({ method: 'PUT', path }) as const;

test('a repeated request has the same ID, however its path is encoded and whichever old version it names', () => {
  const id = inputIdOf(ALICE, put(PATH));
  assert.equal(inputIdOf(ALICE, put(PATH)), id);
  assert.equal(inputIdOf(ALICE, put('/_matrix/client/v3/rooms/%21r%3Ax/send/m.room.message/t1')), id);
  assert.equal(inputIdOf(ALICE, put(PATH.replace('/v3/', '/r0/'))), id);
});

test('another user, device, method, room, event type or transaction ID makes another ID', () => {
  const others = [
    inputIdOf({ ...ALICE, userId: '@bob:x' }, put(PATH)),
    inputIdOf({ ...ALICE, deviceId: 'LAPTOP' }, put(PATH)),
    inputIdOf(ALICE, { method: 'POST', path: PATH }),
    inputIdOf(ALICE, put(PATH.replace('!r:x', '!s:x'))),
    inputIdOf(ALICE, put(PATH.replace('m.room.message', 'm.sticker'))),
    inputIdOf(ALICE, put(PATH.replace('/t1', '/t2'))),
    inputIdOf(ALICE, put(PATH.replace('/send/m.room.message/', '/redact/$e/'))),
  ];
  assert.equal(new Set([inputIdOf(ALICE, put(PATH)), ...others]).size, others.length + 1);
});

test('a slash inside a segment is not a border between segments', () => {
  assert.notEqual(inputIdOf(ALICE, put('/_matrix/client/v3/rooms/a%2Fsend/b/t')), inputIdOf(ALICE, put('/_matrix/client/v3/rooms/a/send/b/t')));
});
