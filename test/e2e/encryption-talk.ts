/**
 * What is said in an encrypted room, and who must be able to read it: a device is entitled to a message that was sent after it had come into the room, while it was there, and after the sender's
 * client had been told of it. How soon clients are told is what `everybodyCounts` waits for.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Device } from './encryption-devices.ts';

export interface Said {
  readonly eventId: string;
  readonly body: string;
  readonly by: Device;
  /** The devices for which the sender's client would have encrypted, right before or right after. */
  readonly counted: ReadonlySet<string>;
  readonly entitled: readonly Device[];
}

export interface Talk {
  readonly roomId: string;
  readonly said: readonly Said[];
  /** How often a device has read what it was entitled to. */
  readonly decrypted: number;
  /** The devices in the room. */
  present(): Device[];
  /** It is in the room from now on, and all that are there learn of each other. */
  enter(...devices: readonly Device[]): Promise<void>;
  /** They are told of nothing more; resolves when each has read all that it was entitled to. */
  leaveTo(...devices: readonly Device[]): Promise<void>;
  /** All that are there know that these are not. */
  missed(...devices: readonly Device[]): Promise<void>;
  /** Undefined when the device has gone meanwhile. */
  say(device: Device, body: string): Promise<Said | undefined>;
  /** Resolves when everybody who is there has been told of all but the last `behind` messages that they are entitled to, or after a minute. */
  followed(behind: number): Promise<void>;
  /** Everybody who is there reads everything. */
  allRead(): Promise<void>;
}

const WAIT_MS_MAX = 60_000;
const SHOWN_MAX = 20;

export function startTalk(roomId: string): Talk {
  const here = new Map<Device, number>();
  const said: Said[] = [];
  const done = new Map<Device, Set<string>>();
  const turns = new Map<Device, Promise<unknown>>();
  let [entries, transactions] = [0, 0];
  const present = (): Device[] => [...here.keys()];

  const say = async (by: Device, body: string): Promise<Said | undefined> => {
    if (!here.has(by)) return undefined;
    const before = new Map(here);
    const counted = await by.countsOn(roomId);
    transactions += 1;
    const eventId = await by.say(roomId, body, `talk${transactions}`);
    const after = await by.countsOn(roomId);
    const entitled = [...before].filter(([device, entry]) => device !== by && here.get(device) === entry && counted.has(device.key)).map(([device]) => device);
    const message = { eventId, body, by, entitled, counted: new Set([...counted, ...after]) };
    said.push(message);
    return message;
  };

  const read = async (devices: readonly Device[]): Promise<void> => {
    const wanted = said.slice();
    await Promise.all(devices.map(async (device) => {
      const theirs = done.get(device) ?? new Set<string>();
      done.set(device, theirs);
      const left = new Map(wanted.filter(({ entitled, eventId }) => entitled.includes(device) && !theirs.has(eventId)).map((message) => [message.eventId, message]));
      for (let endsAt = Date.now() + WAIT_MS_MAX; left.size > 0; await sleep(50)) {
        const readings = await device.read();
        for (const [eventId, { body }] of left) {
          const reading = readings.get(eventId);
          if (reading?.body === undefined) continue;
          assert.equal(reading.body, body);
          left.delete(eventId);
          theirs.add(eventId);
          endsAt = Date.now() + WAIT_MS_MAX;
        }
        if (Date.now() >= endsAt) assert.fail(`${complaint(device, [...left.values()], readings)}\n${await device.report()}`);
      }
    }));
  };

  const followed = async (behind: number): Promise<void> => {
    const last = said.at(-behind - 1);
    for (const device of last?.entitled ?? []) {
      for (const endsAt = Date.now() + WAIT_MS_MAX; here.has(device) && Date.now() < endsAt && !(await device.read()).has(last!.eventId);) await sleep(30);
    }
  };

  return {
    roomId, said, present, followed, allRead: () => read(present()),
    get decrypted() {
      return [...done.values()].reduce((sum, { size }) => sum + size, 0);
    },
    async enter(...devices) {
      for (const device of devices) here.set(device, entries += 1);
      await everybodyCounts(present(), roomId, devices);
    },
    async leaveTo(...devices) {
      for (const device of devices) here.delete(device);
      await Promise.all(devices.map((device) => turns.get(device) ?? Promise.resolve()));
      await read(devices);
    },
    missed: (...devices) => whenAll(present(), (device) => `${device.key} to know that ${devices.map(({ key }) => key).join()} are gone`, async (device) => {
      const counted = await device.countsOn(roomId);
      return devices.every(({ key }) => !counted.has(key));
    }),
    say(device, body) {
      // One after the other, as somebody types.
      const turn = (turns.get(device) ?? Promise.resolve()).catch(() => undefined).then(() => say(device, body));
      turns.set(device, turn);
      return turn;
    },
  };
}

/** All that are there know of the new ones, and they of all. */
async function everybodyCounts(present: readonly Device[], roomId: string, fresh: readonly Device[]): Promise<void> {
  let missing: string[] = [];
  await whenAll(present, (device) => `${device.key} to be told of ${missing.join()}`, async (device) => {
    const counted = await device.countsOn(roomId);
    missing = (fresh.includes(device) ? present : fresh).map(({ key }) => key).filter((key) => !counted.has(key));
    return missing.length === 0;
  });
}

export async function whenAll(devices: readonly Device[], what: (device: Device) => string, holds: (device: Device) => Promise<boolean>): Promise<void> {
  for (const device of devices) {
    for (const endsAt = Date.now() + WAIT_MS_MAX; !(await holds(device)); await sleep(30)) if (Date.now() > endsAt) assert.fail(`waited ${WAIT_MS_MAX / 1000} s for ${what(device)}:\n${await reports(devices, holds)}`);
  }
}

/** Of those for which it does not hold; the others' names. */
async function reports(devices: readonly Device[], holds: (device: Device) => Promise<boolean>): Promise<string> {
  const lines = await Promise.all(devices.map(async (device) => (await holds(device)) ? `${device.software} ${device.key}: it does` : `${device.software} ${device.key}: it does not\n${await device.report()}`));
  return lines.join('\n');
}

function complaint(device: Device, left: readonly Said[], readings: ReadonlyMap<string, { session: string; why?: string }>): string {
  const rows = left.slice(0, SHOWN_MAX).map(({ eventId, body, by }) => {
    const reading = readings.get(eventId);
    return `  ${eventId} '${body}' of ${by.software} ${by.key}: ${reading === undefined ? 'did not come' : `session ${reading.session}, ${reading.why}`}`;
  });
  return `${device.software} ${device.key} could not read ${left.length} messages to which it is entitled:\n${rows.join('\n')}`;
}

/** A Megolm session whose key a device had is not gone on with once the sender knows the device to be out of the room or logged out. Answers with the number of sessions. */
export async function checkRotation({ said }: Talk): Promise<number> {
  const holders = new Map<string, Set<string>>();
  const readings = new Map<Device, ReadonlyMap<string, { session: string }>>();
  for (const { eventId, body, by, counted, entitled } of said) {
    const reader = entitled[0];
    if (reader === undefined) continue;
    if (!readings.has(reader)) readings.set(reader, await readKept(reader));
    const session = readings.get(reader)!.get(eventId)?.session;
    if (session === undefined) continue;
    const gone = [...holders.get(session) ?? []].filter((key) => !counted.has(key));
    assert.deepEqual(gone, [], `'${body}' of ${by.key} is in session ${session}, whose key these had before they were gone`);
    holders.set(session, new Set([...holders.get(session) ?? [], ...entitled.map(({ key }) => key)]));
  }
  return holders.size;
}

const readKept = (device: Device): Promise<ReadonlyMap<string, { session: string }>> => device.read().catch(() => new Map<string, never>());
