/** Random histories of a client that refreshes, loses answers, uses tokens, and is copied by a thief: what must always hold. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, deviceWith, hashOf, openUserapi, type UserDriver } from '../../../test/kit/user-driver.ts';
import { UNUSED_REFRESHES_MAX } from './decide-sessions.ts';

const HISTORIES = 60;
const STEPS = 40;

/** Numbers below `n` that are the same each time. */
function dice(seed: number): (n: number) => number {
  let state = seed * 2_654_435_761 + 1;
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

interface Client {
  readonly users: UserDriver;
  family: string;
  /** The name of the newest tokens that the client got. */
  held: string;
  isHeldUsed: boolean;
  /** Names of tokens that were over when newer ones were used. */
  readonly over: string[];
  names: number;
}

async function refresh(client: Client, from: string): Promise<{ verdict: string; name: string }> {
  const name = `n${(client.names += 1)}`;
  const [verdict = ''] = await client.users.batch({
    userId: ALICE,
    refreshTokens: { deviceId: 'ONE', familyHash: hashOf(client.family), refreshHash: hashOf(`${from}-r`), newTokenHash: hashOf(`${name}-a`), expiresMs: 0, newRefreshHash: hashOf(`${name}-r`), refreshExpiresMs: 0 },
  });
  return { verdict, name };
}

/** Whether the access token is good; its use is told, as whoever looks it up does it. */
async function use({ users }: Client, name: string): Promise<boolean> {
  const holder = await users.query.requesterByToken(hashOf(`${name}-a`));
  if (holder?.token?.isNew === true) await users.batch({ userId: ALICE, confirmToken: { deviceId: 'ONE', tokenHash: hashOf(`${name}-a`) } });
  return holder !== undefined && holder.token?.expiresMs !== 1;
}

async function logIn(client: Client): Promise<void> {
  client.held = `n${(client.names += 1)}`;
  client.family = `family ${client.held}`;
  client.isHeldUsed = true;
  client.over.length = 0;
  const device = { ...deviceWith('ONE', `${client.held}-a`), familyHash: hashOf(client.family), refreshHash: hashOf(`${client.held}-r`) };
  await client.users.batch({ userId: ALICE, login: { device } });
}

/** The client gets newer tokens: those before are over as soon as it uses them, or refreshes by them. */
async function step(client: Client, roll: (n: number) => number): Promise<void> {
  const before = client.held;
  switch (roll(8)) {
    case 0: case 1: case 2: {
      const answers = [];
      for (let tries = 1 + roll(UNUSED_REFRESHES_MAX); tries > 0; tries -= 1) answers.push(await refresh(client, before));
      assert.deepEqual(answers.filter(({ verdict }) => verdict !== 'accepted'), [], 'what the client got last refreshes');
      client.isHeldUsed = true;
      // All answers are lost, or one of them arrives, whichever.
      if (roll(2) === 0) return;
      client.held = answers[roll(answers.length)]!.name;
      client.isHeldUsed = false;
      client.over.push(before);
      return;
    }
    case 3: {
      const old = client.over.slice(0, client.isHeldUsed ? undefined : -1);
      if (old.length === 0) return;
      assert.equal((await refresh(client, old[roll(old.length)]!)).verdict, 'M_UNKNOWN_TOKEN');
      await logIn(client);
      return;
    }
    default:
      assert.ok(await use(client, before), 'what the client got last is good');
      client.isHeldUsed = true;
  }
}

test('whatever is lost, the newest tokens work; what is over stays over; and the rows are few', async () => {
  for (let seed = 1; seed <= HISTORIES; seed += 1) {
    const users = await openUserapi();
    await users.batch({ userId: ALICE, register: { passwordHash: 'phc', kind: 'user' } });
    const client: Client = { users, family: '', held: '', isHeldUsed: true, over: [], names: 0 };
    const roll = dice(seed);
    await logIn(client);
    for (let count = 0; count < STEPS; count += 1) {
      await step(client, roll);
      const rows = await users.database.query<{ is_new: number }>('SELECT is_new FROM access_tokens');
      assert.ok(rows.length <= UNUSED_REFRESHES_MAX + 2, `seed ${seed}: ${rows.length} rows`);
      if (client.isHeldUsed) for (const old of client.over) assert.equal(await use(client, old), false, `seed ${seed}: ${old} is over`);
    }
    await users.database.close();
  }
});
