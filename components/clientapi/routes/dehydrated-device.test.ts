import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createClientWorld, PASSWORD, type ClientWorld, type Session } from '../../../test/kit/client-world.ts';
import { testDevice } from '../../../test/kit/e2ee-keys.ts';

const PATH = '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device';
/** As identity keys in base64 are. */
const [ONE, TWO] = ['dehydrated/one+A', 'dehydrated/two+B'];
const DATA = { algorithm: 'org.matrix.msc3814.v2', device_pickle: 'pickle', nonce: 'nonce' };

let world: ClientWorld;
before(async () => void (world = await createClientWorld()));
after(() => world.close());

const eventsOf = (deviceId: string) => `${PATH}/${encodeURIComponent(deviceId)}/events`;
function bodyOf({ userId }: Session, deviceId: string) {
  const { sign, deviceKeys: { signatures: _, ...keys }, oneTimeKeys, fallbackKey } = testDevice(userId, deviceId);
  return { device_id: deviceId, device_data: DATA, initial_device_display_name: 'Dehydrated', device_keys: sign({ ...keys, dehydrated: true }), one_time_keys: oneTimeKeys(1, 2), fallback_keys: fallbackKey(90) };
}
const ask = ({ token }: Session, method: string, path = PATH, body?: unknown) => world.call(method, path, { token, ...(body !== undefined && { body }) });

/** `from` and on: contents of the messages `first` to `last`. */
async function send(from: Session, to: Session, deviceId: string, first: number, last: number): Promise<void> {
  for (let n = first; n <= last; n += 1) await world.call('PUT', `/_matrix/client/v3/sendToDevice/m.room.encrypted/${deviceId.length}-${n}`, { token: from.token, body: { messages: { [to.userId]: { [deviceId]: { n } } } } });
}
const numbers = (events: { content: { n: number } }[]): number[] => events.map(({ content }) => content.n);
const range = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, index) => first + index);

test('a dehydrated device is put, seen by others, replaced and removed', async () => {
  const [alice, bob] = [await world.register('alice'), await world.register('bob')];
  assert.deepEqual([(await ask(alice, 'GET')).body.errcode, (await ask(alice, 'DELETE')).status], ['M_NOT_FOUND', 404]);
  const body = bodyOf(alice, ONE);
  const put = await ask(alice, 'PUT', PATH, body);
  assert.deepEqual([put.status, put.body], [200, { device_id: ONE }]);
  assert.deepEqual((await ask(alice, 'GET')).body, { device_id: ONE, device_data: DATA });
  assert.equal((await ask(bob, 'GET')).status, 404);
  const query = () => world.call('POST', '/_matrix/client/v3/keys/query', { token: bob.token, body: { device_keys: { [alice.userId]: [] } } });
  assert.deepEqual((await query()).body.device_keys[alice.userId], { [ONE]: { ...body.device_keys, unsigned: { device_display_name: 'Dehydrated' } } });
  const claimed = await world.call('POST', '/_matrix/client/v3/keys/claim', { token: bob.token, body: { one_time_keys: { [alice.userId]: { [ONE]: 'signed_curve25519' } } } });
  assert.deepEqual(Object.keys(claimed.body.one_time_keys[alice.userId][ONE]), ['signed_curve25519:K00001']);
  assert.deepEqual((await ask(alice, 'GET', '/_matrix/client/v3/devices')).body.devices.map(({ device_id: id }: { device_id: string }) => id).sort(), [alice.deviceId, ONE].sort());
  assert.equal((await ask(alice, 'PUT', PATH, bodyOf(alice, TWO))).status, 200);
  assert.deepEqual(Object.keys((await query()).body.device_keys[alice.userId]), [TWO]);
  assert.deepEqual((await ask(alice, 'DELETE', PATH, {})).body, { device_id: TWO });
  assert.deepEqual([(await ask(alice, 'GET')).status, (await query()).body.device_keys[alice.userId]], [404, {}]);
});

test('its messages are read in order, in batches, as often as one likes', async () => {
  const [carol, dora] = [await world.register('carol'), await world.register('dora')];
  await ask(carol, 'PUT', PATH, bodyOf(carol, ONE));
  const empty = await ask(carol, 'GET', eventsOf(ONE));
  assert.deepEqual([empty.status, empty.body], [200, { events: [] }]);
  await send(dora, carol, ONE, 1, 100);
  const whole = (await ask(carol, 'GET', eventsOf(ONE))).body;
  assert.deepEqual([numbers(whole.events), whole.next_batch, whole.events[0].sender, whole.events[0].type], [range(1, 100), undefined, dora.userId, 'm.room.encrypted']);
  await send(dora, carol, ONE, 101, 250);
  for (let round = 0; round < 2; round += 1) {
    const pages: number[][] = [];
    for (let from: string | undefined = ''; from !== undefined;) {
      const { body } = await ask(carol, 'GET', `${eventsOf(ONE)}${from === '' ? '' : `?from=${from}`}`);
      pages.push(numbers(body.events));
      from = body.next_batch;
    }
    assert.deepEqual(pages, [range(1, 100), range(101, 200), range(201, 250)]);
  }
});

test('clients of the earlier proposal post, until there are no events', async () => {
  const [emil, fay] = [await world.register('emil'), await world.register('fay')];
  await ask(emil, 'PUT', PATH, bodyOf(emil, ONE));
  await send(fay, emil, ONE, 1, 130);
  const pages: number[][] = [];
  for (let next: string | undefined; pages.at(-1)?.length !== 0;) {
    const { body } = await ask(emil, 'POST', eventsOf(ONE), next === undefined ? {} : { next_batch: next });
    pages.push(numbers(body.events));
    next = body.next_batch;
    assert.equal(typeof next, 'string');
  }
  assert.deepEqual(pages, [range(1, 100), range(101, 130), []]);
});

test('what is wrong is refused', async () => {
  const gina = await world.register('gina');
  const refusal = async (method: string, path: string, body?: unknown) => {
    const answer = await ask(gina, method, path, body);
    return [answer.status, answer.body.errcode];
  };
  const good = bodyOf(gina, ONE);
  for (const name of ['device_id', 'device_data', 'device_keys'] as const) assert.deepEqual(await refusal('PUT', PATH, { ...good, [name]: undefined }), [400, 'M_MISSING_PARAM'], name);
  assert.deepEqual(await refusal('PUT', PATH, { ...good, device_keys: {} }), [400, 'M_MISSING_PARAM']);
  assert.deepEqual(await refusal('PUT', PATH, { ...good, device_data: { pickle: 'x' } }), [400, 'M_MISSING_PARAM']);
  assert.deepEqual(await refusal('PUT', PATH, { ...good, device_keys: { ...good.device_keys, algorithms: ['other'] } }), [400, 'M_INVALID_SIGNATURE']);
  assert.deepEqual(await refusal('PUT', PATH, { ...good, device_id: gina.deviceId }), [400, 'M_INVALID_PARAM']);
  assert.deepEqual(await refusal('GET', eventsOf(ONE)), [403, 'M_FORBIDDEN']);
  await ask(gina, 'PUT', PATH, good);
  assert.deepEqual(await refusal('GET', eventsOf(TWO)), [403, 'M_FORBIDDEN']);
  assert.deepEqual(await refusal('POST', eventsOf(TWO), {}), [403, 'M_FORBIDDEN']);
  assert.deepEqual(await refusal('GET', eventsOf(gina.deviceId)), [403, 'M_FORBIDDEN']);
  for (const from of ['x', '-1', '1.5', '']) assert.deepEqual(await refusal('GET', `${eventsOf(ONE)}?from=${from}`), [400, 'M_INVALID_PARAM'], from);
  const login = await world.call('POST', '/_matrix/client/v3/login', { body: { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'gina' }, password: PASSWORD, device_id: ONE } });
  assert.deepEqual([login.status, login.body.errcode], [403, 'M_FORBIDDEN']);
  assert.equal((await world.call('GET', PATH)).status, 401);
});
