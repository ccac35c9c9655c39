/**
 * What is soft between two Myelins, each way: who types, has read and is there. The brokers and the database of servers of many processes are those of MYELIN_TEST_POSTGRES_URL,
 * MYELIN_TEST_NATS_URL and MYELIN_TEST_KAFKA_BROKERS, which `npm test` starts.
 */
import { test } from 'node:test';
import { ephemeral } from './federation-users.ts';
import { instanceModes, type Mode } from './modes.ts';
import { neighbourhood } from './peers.ts';

const TIMEOUT_MS = 240_000;
const MODES: readonly (Mode | undefined)[] = [undefined, ...instanceModes().flatMap(({ of, log, two }) => (of === 'one role a process' && log === 'NATS' ? [two] : []))];

for (const mode of MODES) {
  test(`typing, receipts and presence between ${mode === undefined ? 'two Myelins' : `Myelin as ${mode.name} and as one process`}`, { skip: mode?.missing ?? false, timeout: TIMEOUT_MS }, async () => {
    const place = neighbourhood();
    try {
      const [one, other] = [await place.start('Myelin', mode === undefined ? {} : { mode }), await place.start('Myelin')];
      await ephemeral(one, other, mode === undefined).catch((error: unknown) => {
        for (const { serverName, recentLog } of [one, other]) console.log(`The log of ${serverName}:\n${recentLog()}`);
        throw error;
      });
    } finally {
      await place.stop();
    }
  });
}
