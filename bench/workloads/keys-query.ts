/** `keys-query`: one keys/query for 5,000 users with two devices each, as a client makes it before its first message in a large encrypted room. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { V3 } from '../../test/e2e/api-client.ts';
import type { Mode } from '../../test/e2e/modes.ts';
import { Connection } from '../http-client.ts';
import { cpuSeconds } from '../process-usage.ts';
import type { Column } from '../report/table.ts';
import { median, quantile, rounded } from '../statistics.ts';
import { crowdSettings, DEVICES, gatherDevices } from './device-crowd.ts';

export interface KeysQueryResult {
  readonly mode: string;
  readonly users: number;
  /** Until the whole answer is there. */
  readonly medianMs: number;
  readonly maxMs: number;
  readonly answerKb: number;
  /** Of one query, in the server's processes. */
  readonly cpuMs: number;
}

export const keysQueryColumns: readonly Column<KeysQueryResult>[] = [
  { title: 'mode', text: (row) => row.mode },
  { title: 'users', text: (row) => String(row.users) },
  { title: 'median ms', text: (row) => row.medianMs.toFixed(0) },
  { title: 'max ms', text: (row) => row.maxMs.toFixed(0) },
  { title: 'answer kB', text: (row) => row.answerKb.toFixed(0) },
  { title: 'CPU ms', text: (row) => row.cpuMs.toFixed(0) },
];

const SERVER_NAME = 'keys.test';
/** Not counted: the program warms up. */
const WARM_UPS = 3;
const QUERIES_MIN = 10;

export async function keysQueryWorkload(mode: Mode, options: { runs: number; users: number }): Promise<KeysQueryResult> {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-keys-'));
  const running = await mode.start(crowdSettings(folder, SERVER_NAME));
  try {
    const users = await gatherDevices(running, SERVER_NAME, { count: options.users, canEncrypt: true });
    const body = JSON.stringify({ device_keys: Object.fromEntries(users.map(({ userId }) => [userId, []])) });
    const connection = await Connection.open(running.baseUrl);
    const cpu = (): number => running.programs.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0);
    const times: number[] = [];
    let bytes = 0;
    const queries = Math.max(QUERIES_MIN, options.runs);
    let cpuBefore = 0;
    for (let query = 0; query < WARM_UPS + queries; query += 1) {
      if (query === WARM_UPS) cpuBefore = cpu();
      const began = performance.now();
      const answer = await connection.request('POST', `${V3}/keys/query`, { token: users[0]!.token, body });
      const ms = performance.now() - began;
      check(answer, options.users);
      bytes = Buffer.byteLength(answer.body);
      if (query >= WARM_UPS) times.push(ms);
    }
    connection.close();
    return { mode: mode.name, users: options.users, medianMs: rounded(median(times)), maxMs: rounded(quantile(times, 1)), answerKb: rounded(bytes / 1000), cpuMs: rounded(((cpu() - cpuBefore) * 1000) / queries) };
  } finally {
    await running.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The measured answer has to be right. */
function check({ status, body }: { status: number; body: string }, users: number): void {
  if (status !== 200) throw new Error(`keys/query was answered with ${status}: ${body.slice(0, 300)}`);
  const devices = Object.values((JSON.parse(body) as { device_keys: Record<string, object> }).device_keys).reduce((sum, ofUser) => sum + Object.keys(ofUser).length, 0);
  if (devices !== users * DEVICES.length) throw new Error(`${devices} devices were found`);
}
