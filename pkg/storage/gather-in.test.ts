import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Reader, SqlRow, SqlValue } from './database.ts';
import { gatherIn } from './gather-in.ts';

const QUESTION = { sql: 'SELECT owner, name FROM things WHERE owner IN (??) ORDER BY owner, name', by: 'owner' };

/** Two things of every owner but 9; says what it was asked. */
function stand(fails = false) {
  const asked: { params: readonly SqlValue[]; values: readonly SqlValue[] }[] = [];
  const reader = {
    queryIn: (_: string, params: readonly SqlValue[], values: readonly SqlValue[]) => {
      asked.push({ params, values });
      if (fails) return Promise.reject(new Error('no database'));
      return Promise.resolve([...values].sort().flatMap((owner) => (owner === 'o9' ? [] : ['a', 'b'].map((name) => ({ owner, name })))));
    },
  } as unknown as Reader;
  return { asked, names: async (values: readonly SqlValue[], params?: readonly SqlValue[]) => (await gatherIn<SqlRow>(reader, { ...QUESTION, ...(params && { params }) }, values)).map(({ owner, name }) => `${owner} ${name}`) };
}

test('what is asked in one moment is one query, each value once, and everybody gets their rows in order', async () => {
  const { asked, names } = stand();
  assert.deepEqual(await Promise.all([names(['o2']), names(['o1', 'o3']), names(['o2']), names(['o9']), names([])]), [['o2 a', 'o2 b'], ['o1 a', 'o1 b', 'o3 a', 'o3 b'], ['o2 a', 'o2 b'], [], []]);
  assert.deepEqual(asked.map(({ values }) => values), [['o2', 'o1', 'o3', 'o9']]);
  assert.deepEqual(await names(['o2']), ['o2 a', 'o2 b']);
  assert.equal(asked.length, 2);
});

test('other parameters are another question; a query takes 500 values, and who asks for very many asks alone', async () => {
  const { asked, names } = stand();
  const many = Array.from({ length: 400 }, (_, number) => `m${number}`);
  await Promise.all([names(['o1'], ['!one']), names(['o1'], ['!other']), names(many), ...Array.from({ length: 600 }, (_, number) => names([`x${number}`], ['!one']))]);
  assert.deepEqual(asked.map(({ params, values }) => `${params.join()} ${values.length}`).sort(), [' 400', '!one 101', '!one 500', '!other 1']);
});

test('a query that fails fails for all who asked', async () => {
  const { names } = stand(true);
  const answers = await Promise.allSettled([names(['o1']), names(['o2'])]);
  assert.deepEqual(answers.map(({ status }) => status), ['rejected', 'rejected']);
});
