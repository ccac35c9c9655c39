/** The pages and files for operators agree with the program. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { outdatedPages } from '../../bin/docs.mjs';
import { envNameOf, SETTING_KEYS } from '../../components/homeserver/config/setting-table.ts';
import { ROLES } from '../../schemas/config/settings.ts';
import { REPOSITORY } from '../run-files.ts';

interface Service {
  readonly environment?: Record<string, string>;
  readonly command?: readonly string[];
  readonly depends_on?: Record<string, { condition: string }>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly volumes?: readonly string[];
  readonly profiles?: readonly string[];
}

const read = (path: string): string => readFileSync(join(REPOSITORY, path), 'utf8');
const compose = parse(read('docker-compose.yml'), { merge: true }) as { services: Record<string, Service>; volumes: Record<string, unknown> };
const roleServices = ROLES.map((role) => [role, compose.services[role]] as const);

test('the generated pages are up to date (npm run docs)', async () => {
  assert.deepEqual(await outdatedPages(), []);
});

test('docker-compose.yml has one process for each role, on PostgreSQL and a broker', () => {
  for (const [role, service] of roleServices) {
    assert.ok(service, `there is no service ${role}`);
    assert.deepEqual(service.command?.slice(-2), ['--roles', role]);
    assert.match(service.environment?.['MYELIN_DATABASE'] ?? '', /^postgres:\/\//);
    assert.match(service.environment?.['MYELIN_LOG'] ?? '', /nats:\/\//);
    assert.match(service.healthcheck?.test.join(' ') ?? '', /\/health/);
  }
});

test('docker-compose.yml sets no variable that the program does not know', () => {
  const known = new Set(SETTING_KEYS.map(envNameOf));
  const set = roleServices.flatMap(([, service]) => Object.keys(service?.environment ?? {}));
  assert.ok(set.length > 0);
  assert.deepEqual(set.filter((name) => name.startsWith('MYELIN_') && !known.has(name)), []);
});

test('docker-compose.yml refers to services and volumes that it has', () => {
  const { services, volumes } = compose;
  for (const [name, service] of Object.entries(services)) {
    for (const needed of Object.keys(service.depends_on ?? {})) {
      assert.ok(services[needed], `${name} needs ${needed}`);
      if (service.depends_on?.[needed]?.condition === 'service_healthy') assert.ok(services[needed]?.healthcheck, `${needed} has no health check`);
    }
    const named = (service.volumes ?? []).map((volume) => volume.split(':')[0] ?? '').filter((volume) => !/^[./]/.test(volume));
    assert.deepEqual(named.filter((volume) => !(volume in volumes)), [], name);
    const mounted = (service.volumes ?? []).map((volume) => volume.split(':')[0] ?? '').filter((volume) => volume.startsWith('./'));
    assert.deepEqual(mounted.filter((path) => !existsSync(join(REPOSITORY, path))), [], name);
  }
});

test('the npm scripts and the programs that they start exist', () => {
  const { scripts, bin } = JSON.parse(read('package.json')) as { scripts: Record<string, string>; bin: Record<string, string> };
  const files = [...Object.values(scripts).map((script) => /\bnode (\S+)/.exec(script)?.[1] ?? ''), ...Object.values(bin)];
  assert.deepEqual(files.filter((path) => !existsSync(join(REPOSITORY, path))), []);
});
