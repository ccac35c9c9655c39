import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { createTransactions, type TransactionAnswer } from './transactions.ts';

const ANSWER: TransactionAnswer = { $a: {} };

/** Work that ends when it is told to. */
function work() {
  const begun: string[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const begin = (name: string) => () => new Promise<TransactionAnswer>((resolve, reject) => {
    begun.push(name);
    ends.push((error) => (error === undefined ? resolve(ANSWER) : reject(error)));
  });
  return { begun, ends, begin };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));
const of = (origin: string, txnId: string, bytes = 10) => ({ origin, txnId, bytes });
const isTooMuch = (error: unknown) => error instanceof MatrixError && error.status === 429 && Number(error.fields['retry_after_ms']) > 0;

test('a transaction is done once, however often it comes, and one of a server at a time', async () => {
  const transactions = createTransactions();
  const { begun, ends, begin } = work();
  const answers = [transactions.run(of('a', '1'), begin('a1')), transactions.run(of('a', '1'), begin('again')), transactions.run(of('a', '2'), begin('a2')), transactions.run(of('b', '1'), begin('b1'))];
  await settle();
  assert.deepEqual(begun, ['a1', 'b1']);
  ends[0]!();
  await settle();
  assert.deepEqual(begun, ['a1', 'b1', 'a2']);
  ends[1]!();
  ends[2]!();
  assert.deepEqual(await Promise.all(answers), [ANSWER, ANSWER, ANSWER, ANSWER]);
  assert.equal(await transactions.run(of('a', '1'), begin('never')), ANSWER);
  assert.deepEqual(begun, ['a1', 'b1', 'a2']);
});

test('one that failed is done again', async () => {
  const transactions = createTransactions();
  const { begun, ends, begin } = work();
  const failed = transactions.run(of('a', '1'), begin('first'));
  await settle();
  ends[0]!(new Error('the log is away'));
  await assert.rejects(failed, /the log is away/);
  const second = transactions.run(of('a', '1'), begin('second'));
  await settle();
  ends[1]!();
  assert.equal(await second, ANSWER);
  assert.deepEqual(begun, ['first', 'second']);
});

test('too many of one server, or too much of all, is for later', async () => {
  const transactions = createTransactions();
  const { ends, begin } = work();
  const waiting = ['1', '2', '3', '4'].map((txnId) => transactions.run(of('a', txnId), begin(txnId)));
  await assert.rejects(transactions.run(of('a', '5'), begin('5')), isTooMuch);
  await assert.rejects(transactions.run(of('b', '1', 100 * 1024 * 1024), begin('big')), isTooMuch);
  for (let i = 0; i < 4; i += 1) {
    await settle();
    ends[i]!();
  }
  await Promise.all(waiting);
  const big = transactions.run(of('b', '1', 100 * 1024 * 1024), begin('big'));
  await settle();
  ends[4]!();
  assert.equal(await big, ANSWER, 'alone it may be as big as its route allows');
});
