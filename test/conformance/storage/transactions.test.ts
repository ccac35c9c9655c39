import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database, Transaction } from '../../../pkg/storage/database.ts';
import { gate, ofKind, onEachBackend, onPostgres, type Backend } from './backends.ts';

async function counters(backend: Backend): Promise<Database> {
  const database = await backend.open();
  await database.transaction(async (tx) => {
    await tx.run('CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, n BIGINT NOT NULL CHECK (n >= 0))');
    await tx.run('INSERT INTO counters (name, n) VALUES (?, ?)', ['a', 0]);
  });
  return database;
}

async function readN(database: Pick<Database, 'query'>, name = 'a'): Promise<number | undefined> {
  return (await database.query<{ n: number }>('SELECT n FROM counters WHERE name = ?', [name]))[0]?.n;
}

onEachBackend('transactions', (backend) => {
  test('what is committed is seen, and the work\'s value is handed on', async () => {
    const database = await counters(backend);
    const value = await database.transaction(async (tx) => {
      assert.deepEqual(await tx.run('UPDATE counters SET n = ? WHERE name = ?', [7, 'a']), { changes: 1 });
      assert.equal(await readN(tx), 7);
      return 'done';
    });
    assert.equal(value, 'done');
    assert.equal(await readN(database), 7);
  });

  test('work that throws changes nothing, and its own error comes out', async () => {
    const database = await counters(backend);
    const mine = new TypeError('changed my mind');
    await assert.rejects(
      database.transaction(async (tx) => {
        await tx.run('UPDATE counters SET n = 5');
        throw mine;
      }),
      (error) => error === mine,
    );
    assert.equal(await readN(database), 0);
  });

  test('an empty transaction is fine', async () => {
    const database = await backend.open();
    assert.equal(await database.transaction(async () => 3), 3);
  });

  test('a read outside does not see a transaction under way', async () => {
    const database = await counters(backend);
    const written = gate();
    const goOn = gate();
    const running = database.transaction(async (tx) => {
      await tx.run('UPDATE counters SET n = 99');
      written.open();
      await goOn.opened;
      throw new Error('undo');
    });
    const failed = assert.rejects(running, /undo/);
    await written.opened;
    const outside = readN(database);
    try {
      if (backend.name !== 'sqlite memory') assert.equal(await outside, 0);
    } finally {
      goOn.open();
    }
    assert.equal(await outside, 0);
    await failed;
  });

  test('concurrent transactions lose no update', async () => {
    const database = await counters(backend);
    await Promise.all(
      Array.from({ length: 50 }, async (_, index) =>
        database.transaction(async (tx) => {
          if (index % 5 === 0) await sleep(1);
          await tx.run('UPDATE counters SET n = n + 1 WHERE name = ?', ['a']);
          if (index % 7 === 0) await sleep(1);
        }),
      ),
    );
    assert.equal(await readN(database), 50);
  });

  test('a failed statement fails the transaction, also when the work goes on after it', async () => {
    const database = await counters(backend);
    await assert.rejects(
      database.transaction(async (tx) => {
        await tx.run('UPDATE counters SET n = 1');
        await assert.rejects(tx.run('INSERT INTO counters (name, n) VALUES (?, ?)', ['a', 1]), ofKind('bug'));
        await assert.rejects(tx.query('SELECT 1 AS one'), ofKind('bug'));
      }),
      ofKind('bug', /counters/),
    );
    assert.equal(await readN(database), 0);
    assert.deepEqual(await database.transaction((tx) => tx.run('UPDATE counters SET n = 2')), { changes: 1 });
  });

  test('a transaction that has ended takes no statements', async () => {
    const database = await counters(backend);
    let kept: Transaction | undefined;
    await database.transaction(async (tx) => {
      kept = tx;
    });
    await assert.rejects((kept as Transaction).run('UPDATE counters SET n = 3'), ofKind('bug', /has ended/));
    assert.equal(await readN(database), 0);
  });

  test('statements that are issued together run in order, in the transaction', async () => {
    const database = await counters(backend);
    await assert.rejects(
      database.transaction(async (tx) => {
        await Promise.all([
          tx.run('UPDATE counters SET n = n + 1'),
          tx.run('UPDATE counters SET n = n * 10'),
          readN(tx).then((n) => assert.equal(n, 10)),
        ]);
        throw new Error('undo');
      }),
      /undo/,
    );
    assert.equal(await readN(database), 0);
  });

  test('of statements that are issued together and one of which fails, none has happened, each says so, and others go on', async () => {
    const database = await counters(backend);
    const outcomes = await database.transaction(async (tx) => {
      const issued = [tx.run('UPDATE counters SET n = 1'), tx.run("INSERT INTO counters (name, n) VALUES ('a', 1)"), tx.run('UPDATE counters SET n = 2')];
      await assert.rejects(Promise.all(issued), ofKind('bug', /counters/));
      return Promise.allSettled([issued[1]!, issued[2]!, tx.run('UPDATE counters SET n = 3')]);
    }).then(() => assert.fail('it was committed'), (error: unknown) => [error]);
    assert.ok(ofKind('bug', /counters/)(outcomes[0]));
    assert.equal(await readN(database), 0);
    assert.deepEqual(await Promise.all([1, 2, 3].map((n) => database.transaction((tx) => tx.run('UPDATE counters SET n = ?', [n])))), [{ changes: 1 }, { changes: 1 }, { changes: 1 }]);
  });

  test('a statement that nobody awaits is part of the transaction', async () => {
    const database = await counters(backend);
    await database.transaction(async (tx) => void tx.run('UPDATE counters SET n = 7'));
    assert.equal(await readN(database), 7);
    await assert.rejects(database.transaction(async (tx) => void tx.run("INSERT INTO counters (name, n) VALUES ('a', 1)").catch(() => undefined)), ofKind('bug'));
    let late: Promise<unknown> | undefined;
    await assert.rejects(database.transaction(async (tx) => {
      late = tx.run('UPDATE counters SET n = 8').catch(() => undefined);
      throw new Error('undo');
    }), /undo/);
    await late;
    assert.equal(await readN(database), 7);
  });

  test('only reading is possible outside a transaction', async () => {
    const database = await counters(backend);
    await assert.rejects(database.query('UPDATE counters SET n = 4'), ofKind('bug'));
    await assert.rejects(database.query('WITH x AS (SELECT 1) UPDATE counters SET n = 4 RETURNING n'), ofKind('bug'));
    assert.equal(await readN(database), 0);
    assert.deepEqual(await database.query('WITH x AS (SELECT 4 AS n) SELECT n FROM x'), [{ n: 4 }]);
  });

  test('wrong statements and constraints are bugs', async () => {
    const database = await counters(backend);
    const wrong = ['SELEKT 1', 'SELECT nothing FROM counters', 'INSERT INTO nowhere (a) VALUES (1)',
      "INSERT INTO counters (name, n) VALUES ('a', 1)", "INSERT INTO counters (name, n) VALUES ('b', -1)",
      "INSERT INTO counters (name) VALUES ('b')", 'DELETE FROM counters; DELETE FROM counters'];
    for (const sql of wrong) await assert.rejects(database.transaction((tx) => tx.run(sql)), ofKind('bug'), sql);
    await assert.rejects(database.query('SELECT nothing FROM counters'), ofKind('bug'));
    assert.equal(await readN(database), 0);
  });

  test('foreign keys are enforced', async () => {
    const database = await backend.open();
    await database.transaction(async (tx) => {
      await tx.run('CREATE TABLE parents (id BIGINT NOT NULL PRIMARY KEY)');
      await tx.run('CREATE TABLE children (id BIGINT NOT NULL REFERENCES parents (id))');
    });
    await assert.rejects(database.transaction((tx) => tx.run('INSERT INTO children (id) VALUES (?)', [1])), ofKind('bug'));
  });

  test('nowMs is a time in ms', async () => {
    const database = await backend.open();
    const before = Date.now();
    const now = await database.transaction((tx) => tx.nowMs(before));
    if (database.dialect === 'sqlite') assert.equal(now, before);
    else assert.ok(Number.isSafeInteger(now) && Math.abs(now - before) < 60_000, String(now));
  });

  test('close waits for the transactions under way and refuses what comes after', async () => {
    const place = backend.place();
    const database = await backend.open(place);
    await database.ping();
    const order: string[] = [];
    const running = database.transaction(async (tx) => {
      await tx.run('CREATE TABLE late (id BIGINT)');
      await sleep(20);
      await tx.run('INSERT INTO late (id) VALUES (1)');
      order.push('work');
    });
    await Promise.all([running, database.close().then(() => order.push('closed'))]);
    assert.deepEqual(order, ['work', 'closed']);
    await assert.rejects(database.query('SELECT 1 AS one'), ofKind('unavailable', /closed/));
    await assert.rejects(database.transaction(async () => 1), ofKind('unavailable', /closed/));
    await assert.rejects(database.ping(), ofKind('unavailable'));
    await database.close();
    if (backend.name === 'sqlite memory') return;
    assert.deepEqual(await (await backend.open(place)).query('SELECT id FROM late'), [{ id: 1 }]);
  });
});

onPostgres('transactions of two processes', (backend) => {
  test('a deadlock is a conflict for one of the two', async () => {
    const database = await counters(backend);
    await database.transaction((tx) => tx.run("INSERT INTO counters (name, n) VALUES ('b', 0)"));
    const bothHold = gate();
    let holding = 0;
    const cross = async (first: string, second: string): Promise<void> =>
      database.transaction(async (tx) => {
        await tx.run('UPDATE counters SET n = n + 1 WHERE name = ?', [first]);
        holding += 1;
        if (holding === 2) bothHold.open();
        await bothHold.opened;
        await tx.run('UPDATE counters SET n = n + 1 WHERE name = ?', [second]);
      });
    const ends = await Promise.allSettled([cross('a', 'b'), cross('b', 'a')]);
    const failed = ends.filter((end) => end.status === 'rejected');
    assert.equal(failed.length, 1);
    ofKind('conflict')(failed[0]?.reason);
    assert.deepEqual([await readN(database, 'a'), await readN(database, 'b')], [1, 1]);
  });

  test('a prepared read that a migration made stale is a conflict once, then works', async () => {
    const database = await counters(backend);
    const readAll = (): Promise<unknown> => database.query('SELECT * FROM counters');
    await readAll();
    await database.transaction((tx) => tx.run('ALTER TABLE counters ADD COLUMN note TEXT'));
    let conflicts = 0;
    for (let attempt = 0; attempt < 10; attempt += 1) await readAll().catch((error: unknown) => void (ofKind('conflict')(error) && (conflicts += 1)));
    assert.ok(conflicts >= 1 && conflicts <= 8, `${conflicts} conflicts`);
    assert.deepEqual(await readAll(), [{ name: 'a', n: 0, note: null }]);
  });

  test('a schema that several processes create at once is created once', async () => {
    const place = backend.place();
    const opened = await Promise.all(Array.from({ length: 6 }, () => backend.open(place)));
    await (opened[0] as Database).transaction((tx) => tx.run('CREATE TABLE t (id BIGINT)'));
    assert.deepEqual(await (opened[5] as Database).query('SELECT id FROM t'), []);
  });
});
