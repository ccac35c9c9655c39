/**
 * What every log driver guarantees (`pkg/log/log.ts`), as tests: the same ones for all drivers. Restarts of a broker are in `test/faults`, what
 * needs owners in `owners.ts`.
 */
import { after, before, describe } from 'node:test';
import { makeAddress, openLog, unavailable, type Address, type DriverName, type OpenLog } from './harness.ts';
import { appendTests } from './append.ts';
import { backPressureTests } from './back-pressure.ts';
import { durabilityTests } from './durability.ts';
import { readTests } from './read.ts';
import { signalTests } from './signal.ts';

/** What the tests of one driver share; a partition of their own keeps them apart. */
export interface Bench {
  readonly name: DriverName;
  address(): Address;
  open(): OpenLog;
  /** A partition that no other test uses. */
  partition(): number;
}

export function logConformance(name: DriverName): void {
  const missing = unavailable(name);
  describe(`log driver ${name}`, { skip: missing === undefined ? false : `SKIPPED: ${missing}` }, () => {
    let place: Awaited<ReturnType<typeof makeAddress>>;
    let opened: OpenLog;
    let used = 0;
    before(async () => {
      place = await makeAddress(name);
      opened = await openLog(place.address);
    });
    after(async () => {
      await opened?.close();
      await place?.release();
    });
    const bench: Bench = {
      name,
      address: () => place.address,
      open: () => opened,
      partition: () => {
        used += 1;
        if (used > place.address.partitions) throw new Error('the suite needs more partitions');
        return used - 1;
      },
    };
    appendTests(bench);
    readTests(bench);
    backPressureTests(bench);
    signalTests(bench);
    durabilityTests(bench);
  });
}
