/** Many users with two devices each that can encrypt, made quickly: users of an application service. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
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

/** What both devices of every user are called. */
export const DEVICES = ['FIRST', 'SECOND'] as const;
const WORKERS = 32;

/** Settings with which a server takes the crowd in. */
export function crowdSettings(folder: string, serverName: string): Record<string, string> {
  writeFileSync(join(folder, 'crowd.yaml'), CROWD_SERVICE);
  return { MYELIN_SERVER_NAME: serverName, MYELIN_APPSERVICE_DIR: folder };
}

export async function gatherDevices({ baseUrl }: RunningMode, serverName: string, count: number): Promise<CrowdUser[]> {
  const users: CrowdUser[] = [];
  let next = 0;
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
      const as = (deviceId: string): string => `user_id=${encodeURIComponent(userId)}&device_id=${deviceId}`;
      await ask('PUT', `/devices/${DEVICES[1]}?user_id=${encodeURIComponent(userId)}`, CROWD_TOKEN, { display_name: 'second' });
      for (const deviceId of DEVICES) await ask('POST', `/keys/upload?${as(deviceId)}`, CROWD_TOKEN, { device_keys: testDevice(userId, deviceId).deviceKeys });
      users[at] = { userId, token: token! };
    }
    connection.close();
  }));
  return users;
}
