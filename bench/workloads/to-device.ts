/** `to-device`: one message to 5,000 devices (the key of a room), with one body for all and with a body of its own for each, until it is answered and until devices that wait in /sync have it. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { V3 } from '../../test/e2e/api-client.ts';
import type { Mode, RunningMode } from '../../test/e2e/modes.ts';
import { Connection } from '../http-client.ts';
import { cpuSeconds } from '../process-usage.ts';
import type { Column } from '../report/table.ts';
import { median, quantile, rounded } from '../statistics.ts';
import { crowdSettings, DEVICES, gatherDevices, type CrowdUser } from './device-crowd.ts';

/** Devices that are in a long poll when the message comes. */
const WAITING = 200;

export interface ToDeviceResult {
  readonly mode: string;
  readonly devices: number;
  /** What the devices are sent. */
  readonly bodies: string;
  readonly requestKb: number;
  readonly answeredMs: Spread;
  /** Since the request was sent. */
  readonly waitingHaveItMs: Spread;
  /** Of the message alone, until those that wait have it. */
  readonly cpuMs: number;
  /** For all messages of all runs, one device after the other on so many connections as there are. */
  readonly othersFetchMs: number;
}

interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export const toDeviceColumns: readonly Column<ToDeviceResult>[] = [
  { title: 'mode', text: (row) => row.mode },
  { title: 'devices', text: (row) => String(row.devices) },
  { title: 'bodies', text: (row) => row.bodies },
  { title: 'request kB', text: (row) => row.requestKb.toFixed(0) },
  { title: 'answered ms: min', text: (row) => row.answeredMs.min.toFixed(0) },
  { title: 'median', text: (row) => row.answeredMs.median.toFixed(0) },
  { title: 'max', text: (row) => row.answeredMs.max.toFixed(0) },
  { title: `${WAITING} waiting have it ms`, text: (row) => row.waitingHaveItMs.median.toFixed(0) },
  { title: 'CPU ms', text: (row) => row.cpuMs.toFixed(0) },
  { title: 'all others fetch all ms', text: (row) => row.othersFetchMs.toFixed(0) },
];

const SERVER_NAME = 'devices.test';
const CONNECTIONS = 32;
/** Not counted: the program warms up. */
const WARM_UPS = 2;
/** As many as Olm makes of the key of a room: 1,400 characters of Base64. */
const CIPHERTEXT_BYTES = 1050;
/** Time to be in the poll. */
const SETTLE_MS = 1000;

interface Device extends CrowdUser {
  since: string;
}

export async function toDeviceWorkload(mode: Mode, options: { runs: number; users: number }): Promise<ToDeviceResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-devices-'));
  const running = await mode.start(crowdSettings(folder, SERVER_NAME));
  try {
    const devices: Device[] = (await gatherDevices(running, SERVER_NAME, { count: options.users, canEncrypt: false })).map((user) => ({ ...user, since: '' }));
    const results: ToDeviceResult[] = [];
    for (const isShared of [true, false]) results.push(await measureForm(mode.name, running, devices, { isShared, runs: options.runs }));
    return results;
  } finally {
    await running.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Devices that do not wait fetch the messages of all runs at the end: what they have waiting does not make a message slower. */
async function measureForm(mode: string, running: RunningMode, devices: Device[], { isShared, runs }: { isShared: boolean; runs: number }): Promise<ToDeviceResult> {
  const waiting = devices.slice(-WAITING);
  await syncAll(running, waiting);
  const rounds: Round[] = [];
  for (let run = 0; run < WARM_UPS + runs; run += 1) rounds.push(await measure(running, { devices, waiting }, { isShared, mark: `${isShared}${run}` }));
  const bodies = isShared ? 'one for all' : 'each its own';
  console.log(`  ${bodies}: answered after ${rounds.map(({ answeredMs }) => answeredMs.toFixed(0)).join(', ')} ms`);
  const lastMark = `${isShared}${WARM_UPS + runs - 1}`;
  const began = performance.now();
  await syncAll(running, devices.slice(0, -WAITING), lastMark);
  const othersFetchMs = rounded(performance.now() - began);
  console.log(`  the others had all after ${(othersFetchMs / 1000).toFixed(0)} s`);
  const of = (value: (round: Round) => number): Spread => {
    const values = rounds.slice(WARM_UPS).map(value);
    return { min: rounded(quantile(values, 0)), median: rounded(median(values)), max: rounded(quantile(values, 1)) };
  };
  return {
    mode, devices: devices.length, bodies, requestKb: of((round) => round.requestKb).median,
    answeredMs: of((round) => round.answeredMs), waitingHaveItMs: of((round) => round.waitingHaveItMs), cpuMs: of((round) => round.cpuMs).median, othersFetchMs,
  };
}

interface Round {
  readonly requestKb: number;
  readonly answeredMs: number;
  readonly waitingHaveItMs: number;
  readonly cpuMs: number;
}

async function measure(running: RunningMode, { devices, waiting }: { devices: readonly Device[]; waiting: readonly Device[] }, { isShared, mark }: { isShared: boolean; mark: string }): Promise<Round> {
  const cpu = (): number => running.programs.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0);
  const one = contentOf(mark);
  const body = JSON.stringify({ messages: Object.fromEntries(devices.map(({ userId }) => [userId, { [DEVICES[0]]: isShared ? one : contentOf(mark) }])) });
  const polls = waiting.map(async (device) => {
    const connection = await Connection.open(running.baseUrl);
    await sync(connection, device, mark);
    connection.close();
  });
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const connection = await Connection.open(running.baseUrl);
  const cpuBefore = cpu();
  const began = performance.now();
  const { status, body: answer } = await connection.request('PUT', `${V3}/sendToDevice/m.room.encrypted/${mark}`, { token: devices[0]!.token, body });
  const answeredMs = performance.now() - began;
  if (status !== 200) throw new Error(`sendToDevice was answered with ${status}: ${answer.slice(0, 300)}`);
  connection.close();
  await Promise.all(polls);
  const waitingHaveItMs = performance.now() - began;
  return { requestKb: Buffer.byteLength(body) / 1000, answeredMs, waitingHaveItMs, cpuMs: (cpu() - cpuBefore) * 1000 };
}

/** In the form that clients send; what stands in the ciphertext nobody reads here. */
function contentOf(mark: string): object {
  return {
    algorithm: 'm.olm.v1.curve25519-aes-sha2', sender_key: randomBytes(32).toString('base64'), mark,
    ciphertext: { [randomBytes(32).toString('base64')]: { type: 0, body: randomBytes(CIPHERTEXT_BYTES).toString('base64') } },
  };
}

/** Each until it has the message of this mark, or once. */
async function syncAll({ baseUrl }: RunningMode, devices: readonly Device[], mark?: string): Promise<void> {
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

async function sync(connection: Connection, device: Device, mark: string | undefined): Promise<void> {
  for (;;) {
    const query = `timeout=${mark === undefined ? 0 : 30_000}${device.since === '' ? '' : `&since=${device.since}`}`;
    const { status, body } = await connection.request('GET', `${V3}/sync?${query}`, { token: device.token });
    if (status !== 200) throw new Error(`/sync was answered with ${status}: ${body.slice(0, 300)}`);
    const answer = JSON.parse(body) as { next_batch: string; to_device?: { events: { content: { mark: string } }[] } };
    device.since = answer.next_batch;
    if (mark === undefined || answer.to_device?.events.some(({ content }) => content.mark === mark)) return;
  }
}
