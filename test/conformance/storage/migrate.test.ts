import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Database, Migration } from '../../../pkg/storage/database.ts';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { ofKind, onEachBackend } from './backends.ts';

const FIRST: Migration = { number: 1, name: 'people', statements: ['CREATE TABLE people (id BIGINT NOT NULL PRIMARY KEY, name TEXT)', "INSERT INTO people (id, name) VALUES (1, 'ann?')"] };
const SECOND: Migration = { number: 2, name: 'age', statements: ['ALTER TABLE people ADD COLUMN age INTEGER NOT NULL DEFAULT 0', 'CREATE INDEX people_age ON people (age, name)'] };
const BROKEN: Migration = { number: 3, name: 'broken', statements: ['CREATE TABLE half (id BIGINT)', 'ALTER TABLE nowhere ADD COLUMN x TEXT'] };

async function applied(database: Database): Promise<unknown[]> {
  return database.query('SELECT component, number, name, applied_at FROM schema_migrations ORDER BY component, number');
}

onEachBackend('migrate', (backend) => {
  test('applies each step once, in order, and only what is missing', async () => {
    const database = await backend.open();
    await migrate(database, 'test', [FIRST], 100);
    await migrate(database, 'test', [FIRST], 200);
    await migrate(database, 'test', [FIRST, SECOND], 300);
    assert.deepEqual(await applied(database), [
      { component: 'test', number: 1, name: 'people', applied_at: 100 },
      { component: 'test', number: 2, name: 'age', applied_at: 300 },
    ]);
    assert.deepEqual(await database.query('SELECT id, name, age FROM people'), [{ id: 1, name: 'ann?', age: 0 }]);
  });

  test('what has to be computed for the rows is, once, by the tables as the step leaves them', async () => {
    const database = await backend.open();
    const filled: Migration = {
      ...SECOND,
      async fill(tx) {
        for (const { id, name } of await tx.query<{ id: number; name: string }>('SELECT id, name FROM people')) await tx.run('UPDATE people SET age = age + ? WHERE id = ?', [name.length, id]);
      },
    };
    for (let times = 0; times < 2; times += 1) await migrate(database, 'test', [FIRST, filled], 1);
    assert.deepEqual(await database.query('SELECT name, age FROM people'), [{ name: 'ann?', age: 4 }]);
    const failing: Migration = { number: 3, name: 'failing', statements: ['CREATE TABLE half (id BIGINT)'], fill: () => Promise.reject(new Error('no sum')) };
    await assert.rejects(migrate(database, 'test', [FIRST, filled, failing], 2), ofKind('bug', /test 3 \(failing\) failed: no sum/));
    assert.equal((await applied(database)).length, 2);
  });

  test('components have numbers of their own', async () => {
    const database = await backend.open();
    await migrate(database, 'one', [FIRST], 1);
    await migrate(database, 'two', [{ number: 1, name: 'pets', statements: ['CREATE TABLE pets (id BIGINT)'] }], 2);
    assert.deepEqual(await database.query('SELECT id FROM pets'), []);
    assert.equal((await applied(database)).length, 2);
  });

  test('a failing step undoes all steps of the call', async () => {
    const database = await backend.open();
    await migrate(database, 'test', [FIRST], 1);
    await assert.rejects(migrate(database, 'test', [FIRST, SECOND, BROKEN], 2), ofKind('bug', /test 3 \(broken\)/));
    assert.equal((await applied(database)).length, 1);
    await assert.rejects(database.query('SELECT id FROM half'), ofKind('bug'));
    await assert.rejects(database.query('SELECT age FROM people'), ofKind('bug'));
    await migrate(database, 'test', [FIRST, SECOND], 3);
    assert.equal((await applied(database)).length, 2);
  });

  test('two openers at once apply each step once', async () => {
    const place = backend.place();
    const one = await backend.open(place);
    // A file has one process; there two calls of one process meet.
    const other = backend.name === 'postgres' ? await backend.open(place) : one;
    await Promise.all([one, other, one, other].map((database) => migrate(database, 'test', [FIRST, SECOND], 1)));
    assert.equal((await applied(one)).length, 2);
    assert.deepEqual(await one.query('SELECT id FROM people'), [{ id: 1 }]);
  });

  test('a newer database is left alone', async () => {
    const database = await backend.open();
    await migrate(database, 'test', [FIRST, SECOND], 1);
    await migrate(database, 'test', [FIRST], 2);
    await migrate(database, 'test', [], 3);
    assert.equal((await applied(database)).length, 2);
  });

  test('a gap in the numbers and a changed name are refused', async () => {
    const database = await backend.open();
    await assert.rejects(migrate(database, 'test', [FIRST, { ...SECOND, number: 3 }], 1), ofKind('bug', /should have the number 2/));
    await migrate(database, 'test', [FIRST, SECOND], 1);
    await assert.rejects(migrate(database, 'test', [FIRST, { ...SECOND, name: 'years' }], 2), ofKind('bug', /must not change/));
    await database.transaction((tx) => tx.run('DELETE FROM schema_migrations WHERE number = 1'));
    await assert.rejects(migrate(database, 'test', [FIRST, SECOND], 2), ofKind('bug', /gap/));
  });
});
