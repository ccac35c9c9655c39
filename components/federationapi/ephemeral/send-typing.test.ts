import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { createTypingSender } from './send-typing.ts';

test('other servers are told who of this one begins and ends to type, and again while it goes on', async () => {
  const runtime = createManualRuntime();
  const sent: string[] = [];
  const notice = createTypingSender({
    clock: runtime.clock, logger: runtime.logger, serverName: 'a.test', hosts: { of: async (ids) => new Map(ids.map((id) => [id, id === '!r' ? ['b.test', 'c.test'] : []])) },
    send: (units) => void sent.push(...units.map(({ destination, edu: { content } }) => `${destination} ${String(content['user_id'])} ${String(content['typing'])}`)),
  });
  const types = async (...userIds: string[]) => {
    sent.length = 0;
    notice({ roomId: '!r', partition: 0, epoch: 1, counter: 1, userIds, expiresMs: 0 });
    await runtime.settle();
    return [...sent];
  };
  assert.deepEqual(await types('@u:a.test', '@v:b.test'), ['b.test @u:a.test true', 'c.test @u:a.test true']);
  await runtime.advance(10_000);
  assert.deepEqual(await types('@u:a.test', '@w:a.test'), ['b.test @w:a.test true', 'c.test @w:a.test true']);
  await runtime.advance(10_000);
  assert.deepEqual(await types('@u:a.test'), ['b.test @u:a.test true', 'b.test @w:a.test false', 'c.test @u:a.test true', 'c.test @w:a.test false']);
  assert.deepEqual(await types(), ['b.test @u:a.test false', 'c.test @u:a.test false']);
  assert.deepEqual(await types('@v:b.test'), []);
});
