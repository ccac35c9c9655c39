/** `to-device`: one message to 5,000 devices (a room key), with one body for all and with a body of its own for each, until it is answered and until devices that wait in /sync have it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { V3 } from '../../test/e2e/api-client.ts';
import type { Mode, RunningMode } from '../../test/e2e/modes.ts';
import { Connection } from '../http-client.ts';
import { cpuSeconds } from '../process-usage.ts';
import type { Column } from '../report/table.ts';
import { median, rounded } from '../statistics.ts';
import { crowdSettings, DEVICES, gatherDevices, type CrowdUser } from './device-crowd.ts';

/** Devices that are in a long poll when the message comes. */
const WAITING = 200;

export interface ToDeviceResult {
  readonly mode: string;
  readonly devices: number;
  /** What the devices are sent. */
  readonly bodies: string;
  readonly requestKb: number;
  readonly answeredMs: number;
  /** Since the request was sent. */
  readonly waitingHaveItMs: number;
  /** Until all devices have been to /sync. */
  readonly allHaveItMs: number;
  /** Of the message alone, until those that wait have it. */
  readonly cpuMs: number;
}

export const toDeviceColumns: readonly Column<ToDeviceResult>[] = [
  { title: 'mode', text: (row) => row.mode },
  { title: 'devices', text: (row) => String(row.devices) },
  { title: 'bodies', text: (row) => row.bodies },
  { title: 'request kB', text: (row) => row.requestKb.toFixed(0) },
  { title: 'answered ms', text: (row) => row.answeredMs.toFixed(0) },
  { title: `${WAITING} waiting have it ms`, text: (row) => row.waitingHaveItMs.toFixed(0) },
  { title: 'all have it ms', text: (row) => row.allHaveItMs.toFixed(0) },
  { title: 'CPU ms', text: (row) => row.cpuMs.toFixed(0) },
];

const SERVER_NAME = 'devices.test';
const CONNECTIONS = 32;
/** An encrypted room key has about so many characters. */
const CIPHERTEXT_LENGTH = 700;

interface Device extends CrowdUser {
  since: string;
}

export async function toDeviceWorkload(mode: Mode, options: { runs: number; users: number }): Promise<ToDeviceResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-devices-'));
  const running = await mode.start(crowdSettings(folder, SERVER_NAME));
  try {
    const devices: Device[] = (await gatherDevices(running, SERVER_NAME, options.users)).map((user) => ({ ...user, since: '' }));
    await syncAll(running, devices);
    const results: ToDeviceResult[] = [];
    for (const isShared of [true, false]) {
      const rounds: Round[] = [];
      for (let run = 0; run <= options.runs; run += 1) rounds.push(await measure(running, devices, { isShared, run }));
      // The first one warms up.
      const of = (value: (round: Round) => number): number => rounded(median(rounds.slice(1).map(value)));
      results.push({
        mode: mode.name, devices: devices.length, bodies: isShared ? 'one for all' : 'each its own', requestKb: of((round) => round.requestKb), answeredMs: of((round) => round.answeredMs),
        waitingHaveItMs: of((round) => round.waitingHaveItMs), allHaveItMs: of((round) => round.allHaveItMs), cpuMs: of((round) => round.cpuMs),
      });
    }
    return results;
  } finally {
    await running.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

type Round = Pick<ToDeviceResult, 'requestKb' | 'answeredMs' | 'waitingHaveItMs' | 'allHaveItMs' | 'cpuMs'>;

async function measure(running: RunningMode, devices: Device[], { isShared, run }: { isShared: boolean; run: number }): Promise<Round> {
  const cpu = (): number => running.programs.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0);
  const mark = `${isShared}${run}`;
  const contentOf = (index: number): object => ({ mark, ciphertext: (isShared ? 'x' : `${index}:`).padEnd(CIPHERTEXT_LENGTH, 'x') });
  const body = JSON.stringify({ messages: Object.fromEntries(devices.map(({ userId }, index) => [userId, { [DEVICES[0]]: contentOf(index) }])) });
  const waiting = devices.slice(-WAITING);
  const polls = waiting.map(async (device) => {
    const connection = await Connection.open(running.baseUrl);
    await sync(connection, device, mark);
    connection.close();
  });
  // Time to be in the poll.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const connection = await Connection.open(running.baseUrl);
  const cpuBefore = cpu();
  const began = performance.now();
  const { status } = await connection.request('PUT', `${V3}/sendToDevice/m.room.encrypted/${mark}`, { token: devices[0]!.token, body });
  const answeredMs = performance.now() - began;
  if (status !== 200) throw new Error(`sendToDevice was answered with ${status}`);
  connection.close();
  await Promise.all(polls);
  const waitingHaveItMs = performance.now() - began;
  const cpuMs = (cpu() - cpuBefore) * 1000;
  await syncAll(running, devices.slice(0, -WAITING), mark);
  return { requestKb: Buffer.byteLength(body) / 1000, answeredMs, waitingHaveItMs, allHaveItMs: performance.now() - began, cpuMs };
}

async function syncAll({ baseUrl }: RunningMode, devices: Device[], mark?: string): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    const connection = await Connection.open(baseUrl);
    while (next < devices.length) {
      const device = devices[next]!;
      next += 1;
      await sync(connection, device, mark);
    }
    connection.close();
  }));
}

/** Until it brings the message. */
async function sync(connection: Connection, device: Device, mark: string | undefined): Promise<void> {
  for (;;) {
    const { status, body } = await connection.request('GET', `${V3}/sync?${device.since === '' ? 'timeout=0' : `timeout=30000&since=${device.since}`}`, { token: device.token });
    if (status !== 200) throw new Error(`/sync was answered with ${status}: ${body.slice(0, 300)}`);
    const answer = JSON.parse(body) as { next_batch: string; to_device?: { events: { content: { mark: string } }[] } };
    device.since = answer.next_batch;
    if (mark === undefined || answer.to_device?.events.some(({ content }) => content.mark === mark)) return;
  }
}
