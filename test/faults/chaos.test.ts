/**
 * Two processes of every role while faults hit them, their broker and their database, one after the other, drawn from a seed that is printed. MYELIN_CHAOS_FAULTS says how
 * many (8), MYELIN_CHAOS_SEED repeats a draw.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { chat } from '../e2e/chat.ts';
import { drawFaults } from './draw.ts';
import { instancesMissing, startInstances, type BrokerName, type Instances } from './instances.ts';
import { createProbe, type Probe } from './probe.ts';

const FAULTS = Number(process.env['MYELIN_CHAOS_FAULTS'] ?? 8);
const SEED = Number(process.env['MYELIN_CHAOS_SEED'] ?? randomInt(1_000_000));
const RECOVERY_MS_MAX = 10_000;
/** From the stop of an owner until another one has its partitions, and until a client sees that: a little more. */
const REPLACED_MS_MAX = 6000;
const PACE_MS = 100;

for (const broker of ['NATS', 'Kafka'] as const) {
  const missing = instancesMissing(broker);
  test(`two instances of every role on ${broker} and PostgreSQL survive ${FAULTS} faults, seed ${SEED}`, { skip: missing ?? false, timeout: 120_000 + FAULTS * 40_000 }, async (t) => {
    const rows = await survive(broker, (end) => t.after(end));
    for (const row of rows) t.diagnostic(row);
  });
}

async function survive(broker: BrokerName, atEnd: (end: () => Promise<void>) => void): Promise<string[]> {
  const instances = await startInstances(broker);
  atEnd(() => instances.stop());
  const probe = await createProbe(instances.baseUrl);
  const rows: string[] = [];
  const slow: string[] = [];
  const work = async (retry: () => void): Promise<void> => {
    for (const fault of drawFaults(instances, FAULTS, SEED)) {
      const since = await fault.strike();
      // The SDK waits 5 to 10 s after a failed sync by itself.
      retry();
      const tookMs = (await probe.recovered()) - since;
      const row = `${(tookMs / 1000).toFixed(2).padStart(6)} s after ${fault.what}`;
      rows.push(row);
      if (tookMs > RECOVERY_MS_MAX) slow.push(row);
    }
    rows.push(await replaceStopped(instances, probe));
  };
  const report = await chat({ baseUrl: instances.baseUrl, messages: 0, during: { paceMs: PACE_MS, work } }).catch((error: unknown) => {
    for (const { name, program } of instances.all) console.log(`${name} says:\n${program.output().split('\n').filter((line) => /"level":(40|50)|warn|error/i.test(line)).slice(-15).join('\n')}`);
    throw new Error(`seed ${SEED}, after these recoveries:\n${rows.join('\n')}`, { cause: error });
  });
  const { acknowledged } = await probe.check();
  assert.deepEqual(slow, [], `seed ${SEED}: recovered too late`);
  return [...rows, `${report.messages} messages of a chat in ${report.seconds.toFixed(0)} s (${report.retriedSends} sends repeated) and ${acknowledged} of the probe: none lost, none doubled, no gap, no second initial sync`];
}

/** Owners that are stopped for good, as far as anybody knows, are replaced; when they wake they do no harm. */
async function replaceStopped(instances: Instances, probe: Probe): Promise<string> {
  const owners = instances.all.filter(({ name }) => ['roomserver-1', 'userapi-1'].includes(name));
  for (const { program } of owners) program.signal('SIGSTOP');
  const since = performance.now();
  const tookMs = (await probe.recovered()) - since;
  for (const { program } of owners) program.signal('SIGCONT');
  await probe.recovered();
  assert.ok(tookMs < REPLACED_MS_MAX, `stopped owners were replaced after ${tookMs} ms`);
  return `${(tookMs / 1000).toFixed(2).padStart(6)} s from the stop of a roomserver and a userapi until others have taken over for them`;
}
