/** What keys/upload refuses, and who is told of whose devices. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClientWorld, type ClientWorld, type Session } from '../../../test/kit/client-world.ts';
import { testDevice } from '../../../test/kit/e2ee-keys.ts';

const V3 = '/_matrix/client/v3';
const post = (world: ClientWorld, { token }: Session, path: string, body: object) => world.call('POST', `${V3}/${path}`, { token, body });

test('signed one-time and fallback keys have to be signed by their device', async () => {
  const world = await createClientWorld();
  const alice = await world.register('alice');
  const device = testDevice(alice.userId, alice.deviceId);
  const thief = testDevice(alice.userId, alice.deviceId, 'other key');
  const upload = async (body: object) => {
    const answer = await post(world, alice, 'keys/upload', body);
    return answer.status === 200 ? 200 : `${answer.status} ${answer.body.errcode as string}`;
  };
  const unsigned = { key: 'x', signatures: {} };
  assert.equal(await upload({ device_keys: device.deviceKeys, one_time_keys: thief.oneTimeKeys(1, 2) }), '400 M_INVALID_SIGNATURE', 'with the device keys');
  assert.equal(await upload({ device_keys: device.deviceKeys, one_time_keys: device.oneTimeKeys(1, 2), fallback_keys: device.fallbackKey(9) }), 200);
  assert.equal(await upload({ one_time_keys: { ...device.oneTimeKeys(3, 1), ...thief.oneTimeKeys(4, 1) } }), '400 M_INVALID_SIGNATURE', 'by the device keys of before');
  assert.equal(await upload({ one_time_keys: { 'signed_curve25519:U': unsigned } }), '400 M_INVALID_SIGNATURE');
  assert.equal(await upload({ fallback_keys: thief.fallbackKey(10) }), '400 M_INVALID_SIGNATURE');
  assert.equal(await upload({ fallback_keys: { 'signed_curve25519:F': { ...(device.fallbackKey(10)['signed_curve25519:K00010'] as object), fallback: false } } }), '400 M_INVALID_SIGNATURE', 'changed after signing');
  assert.equal(await upload({ one_time_keys: { 'signed_curve25519:T': 'text' } }), '400 M_BAD_JSON');
  assert.equal(await upload({ fallback_keys: { ...device.fallbackKey(11), ...device.fallbackKey(12) } }), '400 M_INVALID_PARAM', 'two of an algorithm');
  assert.equal(await upload({ one_time_keys: { 'curve25519:A': 'text' } }), 200, 'keys of other algorithms have no signatures');
  assert.equal(await upload({ one_time_keys: device.oneTimeKeys(1, 2) }), 200, 'the same again');
  assert.equal(await upload({ one_time_keys: { 'signed_curve25519:K00001': device.oneTimeKeys(2, 1)['signed_curve25519:K00002'] } }), '400 M_INVALID_PARAM', 'another key under the same name');
  assert.deepEqual((await post(world, alice, 'keys/upload', {})).body, { one_time_key_counts: { curve25519: 1, signed_curve25519: 2 } }, 'what is refused leaves nothing');
  await world.close();
});

test('with the guard, who shares no room with a user learns nothing of their devices', async () => {
  for (const guard of ['everyone', 'other_servers', 'off'] as const) {
    const world = await createClientWorld({ deviceKeysGuard: guard });
    const [alice, bob, carol] = [await world.register('alice'), await world.register('bob'), await world.register('carol')];
    const device = testDevice(alice.userId, alice.deviceId);
    await post(world, alice, 'keys/upload', { device_keys: device.deviceKeys, one_time_keys: device.oneTimeKeys(1, 4) });
    const seenBy = async (who: Session): Promise<[devices: number, keys: number]> => {
      const { body: found } = await post(world, who, 'keys/query', { device_keys: { [alice.userId]: [] } });
      const { body: claimed } = await post(world, who, 'keys/claim', { one_time_keys: { [alice.userId]: { [alice.deviceId]: 'signed_curve25519' } } });
      return [Object.keys(found.device_keys[alice.userId] ?? {}).length, Object.keys(claimed.one_time_keys).length];
    };
    const isHidden = guard === 'everyone';
    assert.deepEqual(await seenBy(bob), isHidden ? [0, 0] : [1, 1], guard);
    assert.deepEqual(await seenBy(alice), [1, 1]);
    if (isHidden) {
      const { body } = await post(world, bob, 'createRoom', { invite: [alice.userId] });
      assert.deepEqual(await seenBy(bob), [1, 1], 'who was invited will need keys');
      await post(world, alice, `rooms/${encodeURIComponent(body.room_id as string)}/leave`, {});
      assert.deepEqual(await seenBy(bob), [0, 0]);
      const { body: room } = await post(world, alice, 'createRoom', { preset: 'public_chat' });
      await post(world, bob, `join/${encodeURIComponent(room.room_id as string)}`, {});
      assert.deepEqual([await seenBy(bob), await seenBy(carol)], [[1, 1], [0, 0]]);
    }
    await world.close();
  }
});
