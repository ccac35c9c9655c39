import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fitsIdLimit } from './byte-length.ts';
import { domainOf, localpartOf } from './domain-of.ts';
import { isEventId, isEventIdOf } from './event-id.ts';
import { createEventIdOfRoom, domainRoomId, isRoomAlias, isRoomId, isRoomIdOf, roomAlias, roomIdOfCreateEvent } from './room-id.ts';
import { isServerName, parseServerName } from './server-name.ts';
import { isCompliantUserId, isLocalUser, isStrictUserId, isUserId, localpartProblem, userId, userIdFromLogin } from './user-id.ts';

const HASH = 'Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg';

test('server names', () => {
  const good = ['matrix.org', 'matrix.org:8888', '1.2.3.4', '1.2.3.4:1234', '[1234:5678::abcd]', '[1234:5678::abcd]:5678', 'localhost', 'MATRIX.org', '[::1]', '[::ffff:1.2.3.4]', '[1:2:3:4:5:6:7:8]', '1.2.3', 'x:65535'];
  const bad = ['', ':80', 'a_b.org', 'a b', 'ä.de', '256.1.1.1', 'x:', 'x:123456', 'x:65536', 'x:y', '::1', '[::1', '[]', '[1::2::3]', '[1:2]', '[12345::]', '[1:2:3:4:5:6:7:8:9]', '[::1.2.3]', 'x:80:80', 'x\n', 'a'.repeat(256), '[1.2.3.4::1]'];
  assert.deepEqual(good.filter((name) => !isServerName(name)), []);
  assert.deepEqual(bad.filter((name) => isServerName(name)), []);
});

test('server names are taken apart', () => {
  assert.deepEqual(parseServerName('one.test'), { host: 'one.test', isIpLiteral: false, port: undefined });
  assert.deepEqual(parseServerName('[::1]:8448'), { host: '::1', isIpLiteral: true, port: 8448 });
  assert.deepEqual(parseServerName('10.0.0.1:1'), { host: '10.0.0.1', isIpLiteral: true, port: 1 });
  assert.equal(parseServerName('a b'), undefined);
});

test('user IDs: of today, to be shown, and to be accepted', () => {
  const cases: [id: string, accepted: boolean, compliant: boolean, strict: boolean][] = [
    ['@alice:one.test', true, true, true],
    ['@a.b_c=d-e/f+9:one.test:8448', true, true, true],
    ['@Alice:one.test', true, true, false],
    ['@a!~:one.test', true, true, false],
    ['@ä b:one.test', true, false, false],
    ['@:one.test', true, false, false],
    ['@a\0:one.test', false, false, false],
    ['@a\ud800:one.test', false, false, false],
    ['@alice', false, false, false],
    ['@alice:', false, false, false],
    ['alice:one.test', false, false, false],
    ['@alice:one_test', false, false, false],
    [`@${'a'.repeat(245)}:one.test`, true, true, true],
    [`@${'a'.repeat(246)}:one.test`, false, false, false],
    [`@${'ä'.repeat(123)}:one.test`, false, false, false],
  ];
  assert.deepEqual(cases.map(([id]) => [id, isUserId(id), isCompliantUserId(id), isStrictUserId(id)]), cases);
  assert.ok(!isUserId(5));
});

test('parts of IDs', () => {
  assert.equal(userId('alice', 'one.test'), '@alice:one.test');
  assert.equal(domainOf('@alice:one.test:8448'), 'one.test:8448');
  assert.equal(localpartOf('@alice:one.test:8448'), 'alice');
  assert.equal(domainOf(`!${HASH}`), '');
  assert.equal(localpartOf(`!${HASH}`), HASH);
  assert.ok(isLocalUser('@alice:one.test', 'one.test'));
  assert.ok(!isLocalUser('@alice:one.test:8448', 'one.test'));
});

test('localparts of new accounts', () => {
  assert.equal(localpartProblem('alice', 'one.test'), undefined);
  assert.match(localpartProblem('', 'one.test') ?? '', /empty/);
  for (const bad of ['Alice', 'ä', 'a b', 'a:b', '@a', 'a\n']) assert.match(localpartProblem(bad, 'one.test') ?? '', /may only contain/);
  assert.match(localpartProblem('a'.repeat(250), 'one.test') ?? '', /255 bytes/);
});

test('what is typed at login', () => {
  assert.equal(userIdFromLogin('Alice', 'one.test'), '@alice:one.test');
  assert.equal(userIdFromLogin('@Alice:one.test', 'one.test'), '@Alice:one.test');
  assert.equal(userIdFromLogin('@alice:two.test', 'one.test'), undefined);
  assert.equal(userIdFromLogin('a:b', 'one.test'), undefined);
});

test('room IDs and aliases', () => {
  assert.ok(isRoomId('!a:one.test') && isRoomId(`!${HASH}`));
  assert.ok(![`!${HASH}x`, '!', '!a', '!a:', `$${HASH}`, '#a:one.test', null].some(isRoomId));
  assert.ok(isRoomIdOf({ roomIdFormat: 'domain' }, '!a:one.test') && !isRoomIdOf({ roomIdFormat: 'domain' }, `!${HASH}`));
  assert.ok(isRoomIdOf({ roomIdFormat: 'create-hash' }, `!${HASH}`) && !isRoomIdOf({ roomIdFormat: 'create-hash' }, '!a:one.test'));
  assert.ok(!isRoomIdOf({ roomIdFormat: 'domain' }, undefined));
  assert.equal(roomIdOfCreateEvent(`$${HASH}`), `!${HASH}`);
  assert.equal(createEventIdOfRoom(`!${HASH}`), `$${HASH}`);
  assert.equal(domainRoomId('abc', 'one.test'), '!abc:one.test');
  assert.ok(isRoomAlias(roomAlias('tea room', 'one.test')) && !isRoomAlias('#tea') && !isRoomAlias(5));
});

test('event IDs', () => {
  assert.ok(isEventId(`$${HASH}`) && isEventId('$x:one.test'));
  assert.ok(![`!${HASH}`, '$', `$${'x'.repeat(255)}`, 5].some(isEventId));
  assert.ok(isEventIdOf({ eventIdFormat: 'base64url' }, `$${HASH}`));
  assert.ok(!isEventIdOf({ eventIdFormat: 'base64url' }, `$${HASH.replace('-', '+')}`));
  assert.ok(!isEventIdOf({ eventIdFormat: 'base64' }, `$${HASH}`));
  assert.ok(isEventIdOf({ eventIdFormat: 'base64' }, `$${HASH.replaceAll('-', '+').replaceAll('_', '/')}`));
  assert.ok(isEventIdOf({ eventIdFormat: 'opaque' }, '$x:one.test'));
  assert.ok(!isEventIdOf({ eventIdFormat: 'opaque' }, 5));
});

test('the limit counts bytes', () => {
  assert.ok(fitsIdLimit('a'.repeat(255)) && fitsIdLimit('ä'.repeat(127)) && fitsIdLimit('😀'.repeat(63)));
  assert.ok(!fitsIdLimit('a'.repeat(256)) && !fitsIdLimit('ä'.repeat(128)) && !fitsIdLimit('😀'.repeat(64)));
});
