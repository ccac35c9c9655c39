/** A child of `signal.ts`: sends signals until it is killed. */
import { childSettings } from './child.ts';
import { bytes, pause } from './collect.ts';
import { openLog, type Address } from './harness.ts';

const { address, channel } = childSettings<{ address: Address; channel: string }>();
const { driver } = await openLog(address);
for (let i = 0; ; i += 1) {
  driver.signal(channel, bytes(`signal ${i}`));
  await pause(5);
}
