/** The simulator would notice: each law's guard is taken out of a copy of the program, and some seed must then fail. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const SEEDS_MAX = 1000;
/** Worlds of several servers take longer. */
const FEDERATED_SEEDS_MAX = 200;

interface Mutation {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** Of the worlds in which it is looked for; 1 by default. */
  readonly servers?: number;
  /** The seed that the search begins with, where the first to notice was far from 1 when this was written; 1 by default. */
  readonly fromSeed?: number;
}

const MUTATIONS: readonly Mutation[] = [
  { name: 'the fence', file: 'pkg/log/positions.ts', from: ' WHERE positions.epoch = excluded.epoch AND positions.commits = excluded.commits - 1', to: '' },
  { name: 'the count of commits', file: 'pkg/log/positions.ts', from: ' AND positions.commits = excluded.commits - 1', to: '' },
  { name: 'the remembered input', file: 'pkg/log/input-runner.ts', from: 'recallInputs(database, consumer, ids)', to: 'Promise.resolve(new Map<string, never>())' },
  { name: 'the gap repair', file: 'pkg/log/output-batch.ts', from: 'await outbox.read(partition, after, limit)', to: '{ envelopes: [], trimmedTo: 0 }' },
  { name: 'dropping what was applied before', file: 'pkg/log/output-batch.ts', from: 'if (envelope.sequence === sequence + 1) take', to: 'take' },
  { name: 'the probe for lost ends', file: 'pkg/log/output-consumer.ts', from: 'for (const state of late) state.behind = true;', to: '', fromSeed: 149 },
  { name: 'asking whether another instance has applied a redaction', file: 'components/syncapi/events/load-events.ts', from: '(cached.redactedBy !== null || !redactions.has(eventId))', to: 'cached.eventId !== \'\'' },
  { name: 'looking again after a doubtful commit', file: 'pkg/log/input-runner.ts', from: 'state.sequence = row.sequence;', to: '' },
  { name: 'resolving the states of a fork', file: 'components/roomserver/receive/resolve-fork.ts', from: 'if (first === undefined || others.length === 0) return first;', to: 'return first;', servers: 2, fromSeed: 5 },
  { name: 'soft failure', file: 'pkg/matrix/events/check-received.ts', from: "return now.allowed ? { outcome: 'accepted' } :", to: "return now.allowed || now.allowed === false ? { outcome: 'accepted' } :", servers: 2, fromSeed: 77 },
  { name: 'checking signatures', file: 'pkg/matrix/events/check-received.ts', from: '!signedBy(serverName, received, essentials)', to: "serverName === ''", servers: 2, fromSeed: 103 },
  { name: 'asking for missing events', file: 'components/roomserver/receive/decide-receive.ts', from: "(['missing_events', 'state_at'] as const) :", to: "(['state_at'] as const) :", servers: 2, fromSeed: 55 },
];

for (const mutation of MUTATIONS) {
  test(`without ${mutation.name} a seed fails`, { timeout: 600_000 }, async (t) => {
    const copy = mkdtempSync(join(tmpdir(), 'myelin-mutation-'));
    t.after(() => rmSync(copy, { recursive: true, force: true }));
    for (const folder of ['components', 'pkg', 'schemas', 'test/sim', 'test/kit', 'package.json']) cpSync(join(REPOSITORY, folder), join(copy, folder), { recursive: true });
    symlinkSync(join(REPOSITORY, 'node_modules'), join(copy, 'node_modules'));
    const file = join(copy, mutation.file);
    const text = readFileSync(file, 'utf8');
    assert.equal(text.split(mutation.from).length, 2, `${mutation.file} has the mutated text exactly once`);
    writeFileSync(file, text.replace(mutation.from, mutation.to));
    const { code, output } = await simulate(copy, mutation);
    assert.equal(code, 1, `all seeds passed without ${mutation.name}`);
    assert.match(output, /seed \d+ FAILED/, output);
    t.diagnostic(output.split('\n').slice(0, 2).join(' ').slice(0, 200));
  });
}

function simulate(folder: string, { servers = 1, fromSeed = 1 }: Mutation): Promise<{ code: number; output: string }> {
  const seeds = servers === 1 ? SEEDS_MAX : FEDERATED_SEEDS_MAX;
  return new Promise((resolve) => {
    execFile(process.execPath, [join(folder, 'test/sim/run.ts'), '--servers', String(servers), '--from', String(fromSeed), '--seeds', String(seeds), '--stop'], { maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number((error as { code?: number }).code ?? 2), output: stdout + stderr });
    });
  });
}
