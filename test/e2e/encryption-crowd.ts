/** Users with several devices in one encrypted room: while all devices talk, some log in, some log out, users leave and come back, and a server is killed. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Device } from './encryption-devices.ts';
import { whenAll, type Talk } from './encryption-talk.ts';

export interface Party {
  readonly userId: string;
  /** Logged in, the oldest first. */
  readonly devices: Device[];
  /** How many of the oldest never log out. */
  readonly kept: number;
  logIn(): Promise<Device>;
}

export interface CrowdOptions {
  readonly talk: Talk;
  /** Who never leaves, and invites the others again. */
  readonly host: Party;
  readonly guests: readonly Party[];
  readonly messages: number;
  /** How often each of the guests leaves, and everybody logs in and out. */
  readonly rounds: number;
  /** kill -9 of a server process, and its new start. Resolves with which it was. */
  readonly kill: () => Promise<string>;
  /** Told what happens, and when. */
  readonly tell: (what: string) => void;
}

/** At a time. */
const SPEAKERS = 4;
/** Messages of which some have not been told yet. A Synapse drops all but the newest events of a room when a hundred wait, and its users never see the others. */
const BEHIND_MAX = 60;
/** Messages between two looks at how far the others are. */
const LOOK_EVERY = 10;

/** Sends so many messages; what happens meanwhile happens one after the other, each between its share of them. */
export async function talkThrough(options: CrowdOptions): Promise<void> {
  const acts = actsOf(options);
  const budget = { sent: 0, open: 0, over: false };
  const speaking = Array.from({ length: SPEAKERS }, (_, lane) => speak(options, budget, lane));
  const direct = async (): Promise<void> => {
    for (const [index, { what, act }] of acts.entries()) {
      budget.open = Math.floor((options.messages * (index + 1)) / acts.length);
      const since = performance.now();
      await act();
      options.tell(`${((performance.now() - since) / 1000).toFixed(1).padStart(5)} s, ${budget.sent} messages: ${what}`);
      while (budget.sent < budget.open && !budget.over) await sleep(20);
    }
  };
  try {
    await Promise.all([direct(), ...speaking]);
  } finally {
    budget.over = true;
    await Promise.allSettled(speaking);
  }
  await options.talk.allRead();
}

async function speak({ talk, messages }: CrowdOptions, budget: { sent: number; open: number; over: boolean }, lane: number): Promise<void> {
  for (let turn = lane; budget.sent < messages && !budget.over; turn += 1) {
    const devices = talk.present();
    const device = devices[(turn * 7 + lane) % devices.length];
    if (budget.sent >= budget.open || device === undefined) {
      await sleep(20);
      continue;
    }
    budget.sent += 1;
    if (budget.sent % LOOK_EVERY === 0) await talk.followed(BEHIND_MAX);
    const message = await talk.say(device, `message ${budget.sent} in lane ${lane}`).catch((error: unknown) => {
      budget.over = true;
      throw error;
    });
    // It has gone before it could speak.
    if (message === undefined) budget.sent -= 1;
  }
}

function actsOf(options: CrowdOptions): { what: string; act: () => Promise<void> }[] {
  const { talk, host, guests, rounds } = options;
  const everybody = [host, ...guests];
  const killIn = Math.floor((rounds - 1) / 2);
  return Array.from({ length: rounds }, (_, round) => [
    ...everybody.map((party) => ({ what: `${party.userId} has logged in once more`, act: () => logIn(talk, party) })),
    ...guests.map((party, index) => round === killIn && index === 0
      ? { what: `${party.userId} has left and come back while a process was killed and started again`, act: () => killMeanwhile(options, party) }
      : { what: `${party.userId} has left and come back`, act: () => leaveAndComeBack(options, party) }),
    ...everybody.map((party) => ({ what: `${party.userId} has logged out a device`, act: () => logOut(talk, party) })),
  ]).flat();
}

async function logIn(talk: Talk, party: Party): Promise<void> {
  const device = await party.logIn();
  await whenAll([device], () => `${device.key} to see the room`, (one) => one.inside(talk.roomId));
  party.devices.push(device);
  await talk.enter(device);
}

async function logOut(talk: Talk, { devices, kept }: Party): Promise<void> {
  const [device] = devices.splice(kept, 1);
  assert.ok(device !== undefined);
  await talk.leaveTo(device);
  await device.logOut();
  await talk.missed(device);
}

/**
 * Before it, every device has an Olm session with every other: while a server is dead, the other server's devices cannot claim keys of devices that they have not met, and their clients go on
 * without those (m.no_olm), whatever the server does. Keys that are claimed from instances that are killed have a test of their own.
 */
async function killMeanwhile(options: CrowdOptions, party: Party): Promise<void> {
  const { talk } = options;
  await Promise.all(talk.present().map((device) => talk.say(device, `${device.key} greets everybody, at ${talk.said.length}`)));
  await Promise.all([leaveAndComeBack(options, party), (async () => {
    // While those who stay hand around the keys of new sessions.
    await sleep(200);
    const since = performance.now();
    const killed = await options.kill();
    options.tell(`  ${killed} was killed, and is ready again after ${((performance.now() - since) / 1000).toFixed(1)} s`);
    for (const device of [...options.host.devices, ...options.guests.flatMap(({ devices }) => devices)]) device.hurry();
  })()]);
}

async function leaveAndComeBack({ talk, host }: CrowdOptions, { userId, devices }: Party): Promise<void> {
  await talk.leaveTo(...devices);
  await devices[0]!.leave(talk.roomId);
  await talk.missed(...devices);
  const meanwhile = await Promise.all(talk.present().map((device) => talk.say(device, `${device.key} says that ${userId} has gone, at ${talk.said.length}`)));
  assert.ok(meanwhile.every((message) => message === undefined || devices.every(({ key }) => !message.counted.has(key))));
  await host.devices[0]!.invite(talk.roomId, userId);
  await whenAll(devices, (device) => `${device.key} to see the invite`, (device) => device.invited(talk.roomId));
  await devices[0]!.join(talk.roomId);
  await whenAll(devices, (device) => `${device.key} to be back`, (device) => device.inside(talk.roomId));
  await talk.enter(...devices);
}
