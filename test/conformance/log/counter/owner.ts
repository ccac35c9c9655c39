/** A child: owns and reads counters until it is killed or told to end by SIGTERM; with `load` it also puts load on them itself. */
import { writeSync } from 'node:fs';
import { childSettings } from '../child.ts';
import { quietRuntime } from '../harness.ts';
import { createCounterClient } from './client.ts';
import { startCounter, type CounterSettings } from './component.ts';
import { runLoad, type LoadSettings } from './load.ts';

const settings = childSettings<CounterSettings & { load?: LoadSettings }>();
const runtime = quietRuntime();
const say = (line: string): void => void writeSync(1, `${line}\n`);
const component = await startCounter(settings, runtime);
process.once('SIGTERM', () => void component.stop().then(() => process.exit(0)));
say('ready');
if (settings.load) {
  const partitionMap = { version: 1, partitions: settings.address.partitions };
  const client = await createCounterClient({ driver: component.driver, runtime, partitionMap, durable: false });
  await runLoad(client, settings.load, say);
  say('done');
}
