/** `key-backup`: 100,000 room keys in one backup, put there by a client in requests of 200, then read whole: how long it takes, and what memory of the server it costs. */
import { register, V3, type ApiSession } from '../../test/e2e/api-client.ts';
import type { Mode } from '../../test/e2e/modes.ts';
import { forgetPeak, residentMb } from '../process-usage.ts';
import type { Column } from '../report/table.ts';

export interface KeyBackupResult {
  readonly mode: string;
  readonly keys: number;
  readonly putSeconds: number;
  readonly getSeconds: number;
  readonly answerMb: number;
  /** Resident memory of all processes: before, when all is there, and its peak while all is read. */
  readonly residentMb: { readonly before: number; readonly put: number; readonly peak: number };
}

export const keyBackupColumns: readonly Column<KeyBackupResult>[] = [
  { title: 'mode', text: (row) => row.mode },
  { title: 'keys', text: (row) => String(row.keys) },
  { title: 'put s', text: (row) => row.putSeconds.toFixed(1) },
  { title: 'get s', text: (row) => row.getSeconds.toFixed(2) },
  { title: 'answer MB', text: (row) => row.answerMb.toFixed(0) },
  { title: 'resident MB before', text: (row) => row.residentMb.before.toFixed(0) },
  { title: 'all put', text: (row) => row.residentMb.put.toFixed(0) },
  { title: 'peak while all is read', text: (row) => row.residentMb.peak.toFixed(0) },
];

const AT_ONCE = 200;
const ROOMS = 50;
/** As large as what clients make of a Megolm session. */
const SESSION_DATA = { ephemeral: 'e'.repeat(43), ciphertext: 'c'.repeat(600), mac: 'm'.repeat(11) };

export async function keyBackupWorkload(mode: Mode, { keys }: { keys: number }): Promise<KeyBackupResult> {
  const running = await mode.start({ MYELIN_RATE_LIMITS: 'off' });
  const memory = (): { now: number; peak: number } => running.programs.map(({ pid }) => residentMb(pid)).reduce((sum, { now, peak }) => ({ now: sum.now + now, peak: sum.peak + peak }), { now: 0, peak: 0 });
  try {
    const alice = await register(running.baseUrl);
    const { body: { version } } = await alice.call('POST', `${V3}/room_keys/version`, { algorithm: 'm.megolm_backup.v1.curve25519-aes-sha2', auth_data: { public_key: 'k' } });
    const before = memory().now;
    const putSeconds = await secondsOf(() => putAll(alice, String(version), keys));
    const put = memory().now;
    for (const { pid } of running.programs) forgetPeak(pid);
    let answerBytes = 0;
    const getSeconds = await secondsOf(async () => {
      const answer = await fetch(`${running.baseUrl}${V3}/room_keys/keys?version=${String(version)}`, { headers: { authorization: `Bearer ${alice.token}` } });
      if (answer.status !== 200) throw new Error(`the backup is answered with ${answer.status}`);
      for await (const chunk of answer.body!) answerBytes += (chunk as Uint8Array).length;
    });
    return { mode: mode.name, keys, putSeconds, getSeconds, answerMb: answerBytes / 1e6, residentMb: { before, put, peak: memory().peak } };
  } finally {
    await running.stop();
  }
}

async function putAll(alice: ApiSession, version: string, keys: number): Promise<void> {
  for (let from = 0; from < keys; from += AT_ONCE) {
    const rooms: Record<string, { sessions: Record<string, object> }> = {};
    for (let n = from; n < Math.min(keys, from + AT_ONCE); n += 1) {
      const { sessions } = (rooms[`!room${n % ROOMS}:bench.example`] ??= { sessions: {} });
      sessions[`session${n}`.padEnd(43, 'x')] = { first_message_index: 0, forwarded_count: 0, is_verified: true, session_data: SESSION_DATA };
    }
    const { status, body } = await alice.call('PUT', `${V3}/room_keys/keys?version=${version}`, { rooms });
    if (status !== 200) throw new Error(`keys are not taken: ${status} ${JSON.stringify(body)}`);
  }
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1000;
}
