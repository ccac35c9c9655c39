import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { BadCommandLine, commandLine } from './command-line.ts';
import { compareFiles, compareServers, comparisonTable, isWorse, ratioTable } from './report/compare.ts';
import { betterOf, titleOf } from './report/figures.ts';
import { readResultFile, resultFile, type ResultFile } from './result-file.ts';
import type { Figures } from './workload.ts';

const HEAD = { workload: 'send', commit: 'abc', durability: 'fsync', options: { runs: 3 } };

function fileOf(rows: { mode: string; what: string; runs: Figures[] }[]): ResultFile {
  return resultFile(HEAD, rows, new Date('2026-01-02T03:04:05Z'));
}

test('a result file holds where and when, and every run with its smallest, middle and largest value', () => {
  const file = fileOf([{ mode: 'one', what: '', runs: [{ perSecond: 30, peakMb: 5 }, { perSecond: 10 }, { perSecond: 20, peakMb: Number.NaN }] }]);
  assert.deepEqual(file.rows[0]!.figures, { perSecond: { min: 10, median: 20, max: 30, runs: [30, 10, 20] }, peakMb: { min: 5, median: 5, max: 5, runs: [5] } });
  assert.equal(file.date, '2026-01-02T03:04:05.000Z');
  for (const field of ['commit', 'machine', 'node', 'durability'] as const) assert.notEqual(file[field], '');
});

test('what is more than 1.1 times worse is marked, in the direction of each figure', () => {
  const before = fileOf([{ mode: 'one', what: 'a', runs: [{ perSecond: 100, p50Ms: 10, members: 5, cpuMsPerEvent: 1 }] }, { mode: 'one', what: 'gone', runs: [{ p50Ms: 1 }] }]);
  const after = fileOf([{ mode: 'one', what: 'a', runs: [{ perSecond: 80, p50Ms: 10.5, members: 50, cpuMsPerEvent: 0.5 }] }, { mode: 'two', what: 'new', runs: [{ p50Ms: 1 }] }]);
  const { pairs, onlyBefore, onlyAfter } = compareFiles(before, after);
  assert.deepEqual(pairs.map((pair) => [pair.figure, pair.ratio, isWorse(pair, 1.1)]), [['perSecond', 0.8, true], ['p50Ms', 1.05, false], ['members', 10, false], ['cpuMsPerEvent', 0.5, false]]);
  assert.deepEqual([onlyBefore, onlyAfter], [['one, gone'], ['two, new']]);
  const lines = comparisonTable(pairs, 1.1).split('\n');
  assert.deepEqual(lines.slice(1).map((line) => /(WORSE|better)$/.exec(line)?.[0]), ['WORSE', undefined, undefined, 'better']);
});

test('against another server, each figure says how many times better it is', () => {
  const { rows } = fileOf([{ mode: 'Other', what: 'a', runs: [{ perSecond: 10, cpuMsPerEvent: 30 }] }, { mode: 'mine', what: 'a', runs: [{ perSecond: 400, cpuMsPerEvent: 1 }] }]);
  const pairs = compareServers(rows, 'Other');
  assert.deepEqual(pairs.map(({ mode, figure, worse }) => [mode, figure, worse]), [['mine', 'perSecond', 1 / 40], ['mine', 'cpuMsPerEvent', 1 / 30]]);
  assert.match(ratioTable(pairs, 'Other'), / 40\.0\n.* 30\.0$/);
});

test('the name of a figure says what is better and what it is called', () => {
  assert.deepEqual(['perSecond', 'sendsPerSecond', 'p99Ms', 'cpuMsPerJoin', 'peakMb', 'corePercent', 'members', 'wholeSeconds'].map(betterOf), ['more', 'more', 'less', 'less', 'less', 'less', 'neither', 'less']);
  assert.equal(titleOf('withDatabaseCpuMsPerEvent'), 'with database CPU ms / event');
});

test('a bad file is refused with its path and what is wrong', () => {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-compare-'));
  try {
    const path = join(folder, 'result.json');
    const refused = (text: string): string => {
      writeFileSync(path, text);
      try {
        readResultFile(path);
      } catch (error) {
        return (error as Error).message.replace(`${path}: `, '');
      }
      return 'taken';
    };
    const good = fileOf([{ mode: 'one', what: '', runs: [{ p50Ms: 1 }] }]);
    assert.equal(refused(JSON.stringify(good)), 'taken');
    assert.throws(() => readResultFile(join(folder, 'none.json')), /none\.json: there is no such file/);
    assert.match(refused('{'), /^it is not JSON/);
    assert.equal(refused('[]'), 'it is not a result file');
    assert.equal(refused('{"name": "myelin"}'), 'it is not a result file');
    assert.equal(refused('{"workload": "send", "results": []}'), 'an older version of the benchmarks has written it: measure again');
    assert.equal(refused(JSON.stringify({ ...good, commit: undefined })), '"commit" is missing');
    assert.equal(refused(JSON.stringify({ ...good, rows: [] })), 'it has no rows');
    assert.equal(refused(JSON.stringify({ ...good, rows: [{ mode: 'one', what: '', figures: { p50Ms: 3 } }] })), 'row 1 is damaged');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a command line is refused that asks a workload for what it does not have', () => {
  const workload = { name: 'some', usage: '', options: { users: { usage: '', byDefault: '5' } }, measure: () => Promise.resolve([]) };
  assert.deepEqual(commandLine(workload, ['--users', '7']).all, { modes: '', seconds: 8, seeded: 0, runs: 3, scheduling: 'usual', users: 7 });
  for (const args of [['--members', '1'], ['--users', 'many'], ['--runs', '0'], ['--against', 'synapse'], ['stray']]) assert.throws(() => commandLine(workload, args), BadCommandLine, args.join(' '));
  const warm = { ...workload, options: { warm: { usage: '', byDefault: '5', mayBeNone: true as const } } };
  assert.equal(commandLine(warm, ['--warm', '0']).text('warm'), '0');
  assert.throws(() => commandLine({ ...workload, takesOthers: true }, ['--against', 'conduit']), BadCommandLine);
});
