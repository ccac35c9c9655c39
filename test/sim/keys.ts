/** Keys of end-to-end encryption in the simulated world: users upload them, and everybody claims those of all others at once, from every front, also twice when no answer came. */
import { testDevice } from '../kit/e2ee-keys.ts';
import type { SimClient } from './client.ts';
import type { World } from './world.ts';

const ONE_TIME_KEYS = 12;
const CLAIMS_AT_ONCE = 3;
const CLIENT = '/_matrix/client/v3';

/** Names of the keys that were handed out, in all answers that came. */
export type ClaimedKeys = string[];

export async function playKeys(world: World, clients: readonly SimClient[], claimed: ClaimedKeys): Promise<void> {
  await Promise.all(clients.map(async (client) => {
    const device = testDevice(client.userId, 'DEVICE');
    const answer = await client.persist('POST', `${CLIENT}/keys/upload`, { device_keys: device.deviceKeys, one_time_keys: device.oneTimeKeys(0, ONE_TIME_KEYS) });
    if (answer.status !== 200) world.violations.push(`${client.userId} cannot upload keys: ${JSON.stringify(answer)}`);
  }));
  await Promise.all(clients.flatMap((client) => Array.from({ length: CLAIMS_AT_ONCE }, () => claim(client, clients, claimed))));
  // The same keys once more, as a client does that had no answer: those that were claimed are not taken in again.
  await Promise.all(clients.map((client) => client.persist('POST', `${CLIENT}/keys/upload`, { one_time_keys: testDevice(client.userId, 'DEVICE').oneTimeKeys(0, ONE_TIME_KEYS) })));
  await Promise.all(clients.map((client) => claim(client, clients, claimed)));
}

async function claim(client: SimClient, clients: readonly SimClient[], claimed: ClaimedKeys): Promise<void> {
  const wanted = Object.fromEntries(clients.map(({ userId }) => [userId, { DEVICE: 'signed_curve25519' }]));
  const { body } = await client.persist('POST', `${CLIENT}/keys/claim`, { one_time_keys: wanted });
  for (const [userId, devices] of Object.entries(body['one_time_keys'] as Record<string, { DEVICE: object }>)) {
    for (const keyId of Object.keys(devices.DEVICE)) claimed.push(`${userId} ${keyId}`);
  }
}

/** A one-time key is handed out at most once, ever. */
export function claimedOnce(claimed: ClaimedKeys): string[] {
  const counts = Map.groupBy(claimed, (key) => key);
  return [...counts].flatMap(([key, times]) => (times.length > 1 ? [`the one-time key ${key} was handed out ${times.length} times`] : []));
}

/** Whether the client has heard that everybody's keys are new. */
export function knowsOfKeys(client: SimClient, clients: readonly SimClient[]): boolean {
  return clients.every(({ userId }) => client.keysChanged.has(userId));
}
