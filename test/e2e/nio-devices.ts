/** Devices at matrix-nio with end-to-end encryption: one process of Python has them all (nio-devices.py). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { nioPython } from '../kit/servers/nio.ts';
import type { Device, Reading } from './encryption-devices.ts';
import { deviceKey } from './encryption-devices.ts';
import type { Place, User } from './js-sdk-user.ts';

const PROGRAM = join(import.meta.dirname, 'nio-devices.py');
const STOP_MS_MAX = 5_000;

export interface NioDevices {
  /** A new device of the user, which has done its first sync and uploaded its keys. */
  logIn(place: Place, account: Omit<User, 'client'>): Promise<Device>;
  stop(): Promise<void>;
}

type Ask = (op: string, device: string, more?: object) => Promise<unknown>;

export function startNioDevices(): NioDevices {
  const child = spawn(nioPython(), [PROGRAM], { stdio: ['pipe', 'pipe', 'pipe'] });
  const waiting = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>();
  let [last, said] = [0, ''];
  child.stderr.on('data', (chunk: Buffer) => void (said = (said + chunk.toString()).slice(-8000)));
  child.stdin.on('error', () => undefined);
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { id, ok, error } = JSON.parse(line) as { id: number; ok?: unknown; error?: string };
    if (error === undefined) waiting.get(id)?.resolve(ok);
    else waiting.get(id)?.reject(new Error(`matrix-nio: ${error}`));
    waiting.delete(id);
  });
  child.once('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`matrix-nio ended with ${code}: ${said}`));
    waiting.clear();
  });
  const ask: Ask = (op, device, more = {}) => new Promise((resolve, reject) => {
    if (child.exitCode !== null) return reject(new Error(`matrix-nio ended with ${child.exitCode}: ${said}`));
    last += 1;
    waiting.set(last, { resolve, reject });
    child.stdin.write(`${JSON.stringify({ id: last, op, device, ...more })}\n`);
  });
  return {
    async logIn(place, { userId, password }) {
      const name = `device ${last + 1}`;
      const deviceId = await ask('log_in', name, { base_url: place.baseUrl, user_id: userId, password }) as string;
      return nioDevice({ userId, deviceId }, (op, more) => ask(op, name, more));
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.stdin.end();
      const killer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
      await gone;
      clearTimeout(killer);
    },
  };
}

function nioDevice({ userId, deviceId }: { userId: string; deviceId: string }, ask: (op: string, more?: object) => Promise<unknown>): Device {
  const opened = new Map<string, Reading>();
  let taken = 0;
  let reading: Promise<ReadonlyMap<string, Reading>> | undefined;
  const readOn = async (): Promise<ReadonlyMap<string, Reading>> => {
    const { opened: more, closed, withheld } = await ask('read', { start: taken }) as { opened: [string, string | null, string][]; closed: [string, string, string][]; withheld: object[] };
    taken += more.length;
    for (const [eventId, body, session] of more) opened.set(eventId, { body: body ?? '', session });
    return new Map([...closed.map(([eventId, session, error]): [string, Reading] => [eventId, { session, why: `${error}; told to be withheld: ${JSON.stringify(withheld)}` }]), ...opened]);
  };
  return {
    key: deviceKey(userId, deviceId), userId, deviceId, software: 'matrix-nio',
    join: async (roomId) => void (await ask('join', { room_id: roomId })),
    leave: async (roomId) => void (await ask('leave', { room_id: roomId })),
    invite: async (roomId, guest) => void (await ask('invite', { room_id: roomId, user_id: guest })),
    invited: async (roomId) => await ask('invited', { room_id: roomId }) as boolean,
    inside: async (roomId) => await ask('inside', { room_id: roomId }) as boolean,
    say: async (roomId, body, txnId) => await ask('say', { room_id: roomId, body, txn_id: txnId }) as string,
    countsOn: async (roomId) => new Set([deviceKey(userId, deviceId), ...(await ask('counts_on', { room_id: roomId }) as [string, string][]).map(([user, device]) => deviceKey(user, device))]),
    // Two at once would both move on by what each of them was given.
    read: () => (reading ??= readOn().finally(() => void (reading = undefined))),
    hurry: () => undefined,
    report: async () => await ask('report') as string,
    logOut: async () => void (await ask('log_out')),
  };
}
