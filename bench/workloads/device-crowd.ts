/** Many users, made quickly: those of an application service, who need no password. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { V3 } from '../../test/e2e/api-client.ts';
import { CROWD_SERVICE, CROWD_TOKEN } from '../../test/e2e/crowd.ts';
import type { RunningMode } from '../../test/e2e/modes.ts';
import { testDevice } from '../../test/kit/e2ee-keys.ts';
import { Connection } from '../http-client.ts';

export interface CrowdUser {
  readonly userId: string;
  /** Of the first device. */
  readonly token: string;
}

/** What the devices of every user are called. */
export const DEVICES = ['FIRST', 'SECOND'] as const;
const WORKERS = 64;
/** Users between two lines about how far it is. */
const TOLD_EVERY = 1000;

/** Settings with which a server takes the crowd in. */
export function crowdSettings(folder: string, serverName: string): Record<string, string> {
  writeFileSync(join(folder, 'crowd.yaml'), CROWD_SERVICE);
  return { MYELIN_SERVER_NAME: serverName, MYELIN_APPSERVICE_DIR: folder };
}

/** `canEncrypt`: each has two devices with keys; otherwise only the first one, without any. */
export async function gatherDevices({ baseUrl }: RunningMode, serverName: string, { count, canEncrypt }: { count: number; canEncrypt: boolean }): Promise<CrowdUser[]> {
  const users: CrowdUser[] = [];
  const began = performance.now();
  let next = 0;
  let made = 0;
  await Promise.all(Array.from({ length: WORKERS }, async () => {
    const connection = await Connection.open(baseUrl);
    const ask = async (method: string, path: string, token: string, body: object): Promise<Record<string, string>> => {
      const answer = await connection.request(method, `${V3}${path}`, { token, body: JSON.stringify(body) });
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.body.slice(0, 300)}`);
      return JSON.parse(answer.body) as Record<string, string>;
    };
    while (next < count) {
      const username = `crowd_${next}`;
      const userId = `@${username}:${serverName}`;
      const at = next;
      next += 1;
      const { access_token: token } = await ask('POST', '/register', CROWD_TOKEN, { type: 'm.login.application_service', username, device_id: DEVICES[0] });
      if (canEncrypt) await letEncrypt(ask, userId);
      users[at] = { userId, token: token! };
      made += 1;
      if (made % TOLD_EVERY === 0) console.log(`  ${made} of ${count} users after ${((performance.now() - began) / 1000).toFixed(0)} s`);
    }
    connection.close();
  }));
  return users;
}

async function letEncrypt(ask: (method: string, path: string, token: string, body: object) => Promise<unknown>, userId: string): Promise<void> {
  const as = (deviceId: string): string => `user_id=${encodeURIComponent(userId)}&device_id=${deviceId}`;
  await ask('PUT', `/devices/${DEVICES[1]}?user_id=${encodeURIComponent(userId)}`, CROWD_TOKEN, { display_name: 'second' });
  for (const deviceId of DEVICES) await ask('POST', `/keys/upload?${as(deviceId)}`, CROWD_TOKEN, { device_keys: testDevice(userId, deviceId).deviceKeys });
}
