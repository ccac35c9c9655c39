/** Single rules of owners over each driver: poison, bugs, rejections, repeated commands, parked inputs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { partitionOf } from '../../../pkg/log/partition-map.ts';
import { bytes, pause, until } from './collect.ts';
import { createCounterClient, valueOf, type CounterClient } from './counter/client.ts';
import { startCounter, type CounterComponent } from './counter/component.ts';
import { quietRuntime, type DriverName } from './harness.ts';
import { makeStand, type Stand } from './stand.ts';

interface Running {
  readonly stand: Stand;
  component: CounterComponent;
  client: CounterClient;
  restart(): Promise<void>;
}

export function ownerRules(name: DriverName): void {
  test('poison and bugs go to the dead letters, their partition goes on', () => withComponent(name, async ({ stand, component, client }) => {
    const { partitions } = stand.settings.address;
    const partition = partitionOf({ version: 1, partitions }, 'a');
    await component.driver.append('room-input', partition, [bytes('poison')]);
    const crashed = await client.submit({ inputId: 'crash', kind: 'crash', key: 'a', by: 1 });
    assert.equal(crashed.status, 500);
    const counted = await client.submit({ inputId: 'after', kind: 'add', key: 'a', by: 1 });
    assert.equal(valueOf(counted), 1);
    await until('both are dead letters', async () => (await component.database.query('SELECT id FROM dead_letters')).length === 2);
    assert.equal(component.health(), undefined);
  }));

  test('a repeated accepted command gets its first outcome, a rejected one may be tried again', () => withComponent(name, async ({ client }) => {
    const first = await client.submit({ inputId: 'once', kind: 'add', key: 'a', by: 5 });
    await client.submit({ inputId: 'other', kind: 'add', key: 'a', by: 1 });
    const again = await client.submit({ inputId: 'once', kind: 'add', key: 'a', by: 5 });
    assert.equal(valueOf(again), valueOf(first));
    assert.equal(again.sequence, first.sequence);
    assert.equal((await client.submit({ inputId: 'no', kind: 'refuse', key: 'a', by: 1 })).status, 403);
    assert.equal(valueOf(await client.submit({ inputId: 'no', kind: 'add', key: 'a', by: 1 })), 7);
  }));

  test('a parked input holds back its key only, survives a restart, and goes on in order', () => withComponent(name, async (running) => {
    const done: string[] = [];
    const submit = (inputId: string, kind: 'add' | 'wait' | 'open', key: string): Promise<unknown> =>
      running.client.submit({ inputId, kind, key, by: 1 }).then((outcome) => done.push(`${inputId}=${valueOf(outcome)}`));
    const waiting = submit('w', 'wait', 'held');
    await until('it is parked', async () => (await running.component.database.query('SELECT number FROM parked_inputs')).length === 1);
    const behind = submit('b', 'add', 'held');
    await until('the next one queues behind it', async () => (await running.component.database.query('SELECT number FROM parked_inputs')).length >= 2);
    await submit('f', 'add', 'free');
    assert.deepEqual(done, ['f=1']);
    waiting.catch(() => undefined);
    behind.catch(() => undefined);
    await running.restart();
    done.length = 0;
    const repeated = [submit('w', 'wait', 'held'), submit('b', 'add', 'held')];
    await pause(300);
    assert.deepEqual(done, []);
    await submit('o', 'open', 'held');
    await Promise.all(repeated);
    assert.deepEqual([...done].sort(), ['b=3', 'o=1', 'w=2']);
  }));
}

async function withComponent(name: DriverName, work: (running: Running) => Promise<void>): Promise<void> {
  const stand = await makeStand(name);
  const start = async (): Promise<{ component: CounterComponent; client: CounterClient }> => {
    const runtime = quietRuntime();
    const component = await startCounter(stand.settings, runtime);
    const client = await createCounterClient({ driver: component.driver, runtime, partitionMap: { version: 1, partitions: stand.settings.address.partitions } });
    return { component, client };
  };
  const running: Running = {
    stand,
    ...(await start()),
    async restart() {
      await this.client.close();
      await this.component.stop();
      Object.assign(this, await start());
    },
  };
  try {
    await work(running);
  } finally {
    await running.client.close();
    await running.component.stop();
    await stand.release();
  }
}
