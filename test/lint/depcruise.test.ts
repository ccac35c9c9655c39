/** Each dependency rule fires on a fault planted for it, and stays silent on a tree without faults. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import { REPOSITORY } from '../run-files.ts';
import rules from './depcruise.mjs';

type Files = Record<string, string>;

const SOUND: Files = {
  'schemas/log/record.ts': 'export interface Record { a: string }\n',
  'pkg/log/log.ts': "import type { Record } from '../../schemas/log/record.ts';\nexport type Log = (record: Record) => void;\n",
  'pkg/log/nats/driver.ts': "import { connect } from 'nats';\nexport const driver = connect;\n",
  'pkg/federation/transport.ts': 'export type Transport = () => void;\n',
  'pkg/federation/transport/client.ts': "import { request } from 'node:https';\nimport type { Transport } from '../transport.ts';\nexport const client: Transport = () => { request; };\n",
  'pkg/http/read-body.ts': "import type { IncomingMessage } from 'node:http';\nexport type Body = IncomingMessage;\n",
  'pkg/http/listener.ts': "import { createServer } from 'node:http';\nimport express from 'express';\nexport const listen = [createServer, express];\n",
  'pkg/matrix/hash.ts': "import { createHash } from 'node:crypto';\nexport const hash = createHash;\n",
  'components/one/index.ts': "import { step } from './step.ts';\nexport const one = step;\n",
  'components/one/step.ts': "import type { Log } from '../../pkg/log/log.ts';\nexport const step = (log: Log) => log;\n",
  'components/one/step.test.ts': "import { help } from '../../test/kit/help.ts';\nimport { readFileSync } from 'node:fs';\nexport const used = [help, readFileSync];\n",
  'components/homeserver/main.ts': "import { one } from '../one/index.ts';\nimport { driver } from '../../pkg/log/nats/driver.ts';\nimport { client } from '../../pkg/federation/transport/client.ts';\nimport { readFileSync } from 'node:fs';\nexport const wired = [one, driver, client, readFileSync];\n",
  'test/kit/help.ts': "import { step } from '../../components/one/step.ts';\nexport const help = step;\n",
};

/** What is added to the sound tree so that the rule of that name fires, and no other. A second fault for a rule has a word after a colon. */
const FAULTS: Record<string, Files> = {
  'no-unresolvable': { 'components/one/fault.ts': "import './not-there.ts';\n" },
  'no-circular': {
    'components/one/fault.ts': "import type { B } from './fault-b.ts';\nexport type A = B | 1;\n",
    'components/one/fault-b.ts': "import type { A } from './fault.ts';\nexport type B = A | 2;\n",
  },
  'schemas-import-nothing': { 'schemas/log/fault.ts': "export type { Log } from '../../pkg/log/log.ts';\n" },
  'pkg-never-imports-components': { 'pkg/log/fault.ts': "export type { step } from '../../components/one/step.ts';\n" },
  'components-are-islands': { 'components/two/fault.ts': "export type { one } from '../one/index.ts';\n" },
  'homeserver-uses-front-doors': { 'components/homeserver/fault.ts': "export { step } from '../one/step.ts';\n" },
  'drivers-only-from-root': { 'components/one/fault.ts': "export type { driver } from '../../pkg/log/nats/driver.ts';\n" },
  'drivers-only-from-root: network': { 'pkg/federation/fault.ts': "export { client } from './transport/client.ts';\n" },
  'clients-only-in-their-place': { 'components/one/fault.ts': "import pg from 'pg';\nexport const client = pg;\n" },
  'matrix-is-pure': { 'pkg/matrix/fault.ts': "export type { Log } from '../log/log.ts';\n" },
  'io-only-at-the-rim': { 'components/one/fault.ts': "import { readFileSync } from 'node:fs';\nexport const read = readFileSync;\n" },
  'io-only-at-the-rim: beside the network': { 'pkg/federation/fault.ts': "import { request } from 'node:https';\nexport const ask = request;\n" },
  'no-production-import-of-tests': { 'pkg/log/fault.ts': "import '../../test/kit/nothing.ts';\n", 'test/kit/nothing.ts': 'export {};\n' },
  'no-development-packages-in-production': { 'pkg/log/fault.ts': "import ajv from 'ajv';\nexport const schema = ajv;\n" },
};

test('a sound tree breaks no dependency rule', async () => {
  assert.deepEqual(await violations(SOUND), []);
});

test('there is a planted fault for every dependency rule', () => {
  assert.deepEqual([...new Set(Object.keys(FAULTS).map(ruleOf))].sort(), rules.forbidden.map((rule) => rule.name).sort());
});

for (const [name, files] of Object.entries(FAULTS)) {
  test(`the rule ${name} fires, and no other`, async () => {
    assert.deepEqual([...new Set(await violations({ ...SOUND, ...files }))], [ruleOf(name)]);
  });
}

function ruleOf(fault: string): string {
  return fault.split(':')[0] ?? fault;
}

/** Names of the rules that a tree with these files breaks. */
async function violations(files: Files): Promise<string[]> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'myelin-rules-')));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    for (const path of ['package.json', 'tsconfig.json']) cpSync(join(REPOSITORY, path), join(root, path));
    symlinkSync(join(REPOSITORY, 'node_modules'), join(root, 'node_modules'));
    const { tsConfig: _tsConfig, ...options } = rules.options;
    const folders = [...new Set(Object.keys(files).map((path) => path.split('/')[0] ?? ''))];
    const { output } = await cruise(folders, { ...options, baseDir: root, validate: true, ruleSet: { forbidden: rules.forbidden } } as Parameters<typeof cruise>[1]);
    return (output as ICruiseResult).summary.violations.map((violation) => violation.rule.name);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
