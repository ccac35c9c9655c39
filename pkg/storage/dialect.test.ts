import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expandIn, isReading, postgresCommitError, postgresError, postgresStatement, sqliteError } from './dialect.ts';

test('places are numbered outside quotes and comments', () => {
  const { text, name } = postgresStatement(`SELECT '?' || ? AS "a?" -- ?\n FROM t WHERE x = ? /* ? */ AND y = 'it''s ?' AND z = ?`);
  assert.equal(text, `SELECT '?' || $1 AS "a?" -- ?\n FROM t WHERE x = $2 /* ? */ AND y = 'it''s ?' AND z = $3`);
  assert.match(name ?? '', /^m[\w-]{16}$/);
});

test('the name follows the text', () => {
  const one = postgresStatement('SELECT ? AS one');
  assert.equal(postgresStatement('SELECT ? AS one').name, one.name);
  assert.notEqual(postgresStatement('SELECT ? AS other').name, one.name);
});

test('columns are asked for unless there can be no rows', () => {
  const mayHaveRows = (sql: string): boolean => postgresStatement(sql).mayHaveRows;
  assert.deepEqual(['SELECT 1 AS one', 'WITH a AS (SELECT 1) SELECT * FROM a', "DELETE FROM t WHERE id = ? RETURNING id"].map(mayHaveRows), [true, true, true]);
  assert.deepEqual(['INSERT INTO t (id) VALUES (?)', 'UPDATE t SET id = ?', 'DELETE FROM t', 'BEGIN'].map(mayHaveRows), [false, false, false, false]);
});

test('types are translated in table definitions, which are not kept prepared', () => {
  assert.deepEqual(postgresStatement("CREATE TABLE t (id TEXT NOT NULL DEFAULT 'TEXT', text BLOB) WITHOUT ROWID"), {
    text: `CREATE TABLE t (id TEXT COLLATE "C" NOT NULL DEFAULT 'TEXT', text BYTEA)`,
    name: undefined, mayHaveRows: true,
  });
  assert.equal(postgresStatement('SELECT CAST(? AS TEXT) AS a, CAST(? AS BLOB) AS b').text, 'SELECT CAST($1 AS TEXT) AS a, CAST($2 AS BYTEA) AS b');
});

test('IN is widened to a power of two by repeating the last value', () => {
  const [part, ...more] = expandIn("SELECT '??' AS a FROM t WHERE p = ? AND id IN (??)", [9], [1, 2, 3]);
  assert.deepEqual(part, { sql: "SELECT '??' AS a FROM t WHERE p = ? AND id IN (?, ?, ?, ?)", params: [9, 1, 2, 3, 3] });
  assert.deepEqual(more, []);
  assert.deepEqual(expandIn('SELECT a FROM t WHERE a IN (??)', [], []), []);
});

test('what reads is told from what writes', () => {
  const reading = ['SELECT 1', '  select 1', 'WITH x AS (SELECT 1) SELECT * FROM x', 'VALUES (1)'];
  const writing = ['INSERT INTO t VALUES (1)', 'WITH x AS (SELECT 1) DELETE FROM t', 'CREATE TABLE t (a TEXT)', 'PRAGMA x', ''];
  assert.deepEqual(reading.map(isReading), reading.map(() => true));
  assert.deepEqual(writing.map(isReading), writing.map(() => false));
});

test('errors of SQLite have a kind', () => {
  const kindOf = (code: string, committing = false): string => sqliteError(Object.assign(new Error('x'), { code }), 'x', committing).kind;
  assert.deepEqual(
    ['SQLITE_FULL', 'SQLITE_BUSY_SNAPSHOT', 'SQLITE_LOCKED', 'SQLITE_IOERR_WRITE', 'SQLITE_CORRUPT', 'SQLITE_CONSTRAINT_CHECK', 'SQLITE_ERROR', ''].map((code) => kindOf(code)),
    ['full', 'conflict', 'conflict', 'unavailable', 'unavailable', 'bug', 'bug', 'bug'],
  );
  assert.equal(kindOf('SQLITE_IOERR_FSYNC', true), 'unknown-commit');
  assert.equal(kindOf('SQLITE_FULL', true), 'full');
});

test('errors of PostgreSQL have a kind', () => {
  const server = (code: string, message = 'x'): Error => Object.assign(new Error(message), { code, severity: 'ERROR' });
  const states = ['40001', '40P01', '55P03', '26000', '53100', '53300', '57P01', '57P03', '57014', '08006', '25006', '23505', '42P01', '22021', '08P01', '0A000'];
  assert.deepEqual(states.map((state) => postgresError(server(state), 'x').kind), [
    'conflict', 'conflict', 'conflict', 'conflict', 'full', 'unavailable', 'unavailable', 'unavailable', 'unavailable', 'unavailable', 'unavailable',
    'bug', 'bug', 'bug', 'bug', 'bug',
  ]);
  assert.equal(postgresError(server('0A000', 'cached plan must not change result type'), 'x').kind, 'conflict');
  assert.equal(postgresError(server('58030', 'could not write: No space left on device'), 'x').kind, 'full');
  // Node's EPIPE has five capitals like a SQLSTATE.
  assert.equal(postgresError(Object.assign(new Error('x'), { code: 'EPIPE' }), 'x').kind, 'unavailable');
});

test('a failed COMMIT is unknown unless the server says why it refused', () => {
  const failed = (code: string, severity?: string): string => postgresCommitError(Object.assign(new Error('x'), { code, severity })).kind;
  assert.equal(failed('ECONNRESET'), 'unknown-commit');
  assert.equal(failed('57P01', 'FATAL'), 'unknown-commit');
  assert.equal(failed('40001', 'ERROR'), 'conflict');
  assert.equal(failed('53100', 'ERROR'), 'full');
  assert.equal(failed('23503', 'ERROR'), 'bug');
});
