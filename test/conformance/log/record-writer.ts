/** A child of `durability.ts`: appends numbered records, several at a time, and says each one when it is acknowledged. */
import { writeSync } from 'node:fs';
import { childSettings } from './child.ts';
import { bytes } from './collect.ts';
import { openLog, type Address } from './harness.ts';

const { address, partitions, writers } = childSettings<{ address: Address; partitions: number[]; writers: number }>();
const { driver } = await openLog(address);
for (let writer = 0; writer < writers; writer += 1) void write(writer);

async function write(writer: number): Promise<void> {
  const partition = partitions[writer % partitions.length]!;
  for (let i = 0; ; i += 1) {
    const record = `${partition}/${writer}/${i}`;
    await driver.append('room-input', partition, [bytes(record)]);
    writeSync(1, `${record}\n`);
  }
}
