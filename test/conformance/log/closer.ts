/** A child of `durability.ts`: uses everything, appends five records without waiting, closes, and must end by itself without a warning. */
import { childSettings } from './child.ts';
import { bytes } from './collect.ts';
import { openLog, type Address } from './harness.ts';

const { address } = childSettings<{ address: Address }>();
process.on('warning', (warning) => console.log(`warning: ${warning.message}`));
const { driver, close } = await openLog(address);
await driver.subscribe('room-input', 0, 0, async () => undefined);
await driver.subscribe('room-output', 1, await driver.head('room-output', 1), async () => undefined);
await driver.listen('channel', () => undefined);
driver.signal('channel', bytes('signal'));
const appends = ['1', '2', '3', '4', '5'].map((record) => driver.append('room-input', 0, [bytes(record)]));
await new Promise(setImmediate);
await close();
await Promise.all(appends);
console.log('closed');
