/** Who a client is behind a real nginx with the front's own configuration: rate limits count clients and not the proxy, whatever clients say themselves. */
import assert from 'node:assert/strict';
import { get } from 'node:http';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { frontMissing, startFront } from './modes.ts';
import { freePort, startProgram } from './program.ts';

const missing = process.platform === 'linux' ? frontMissing() : 'more than one loopback address';
/** More than one address may ask at once. */
const ASKED = 15;
const PATH = '/_matrix/client/v3/register/available?username=bob';

/** Status of a request that comes from this address. */
function statusFrom(localAddress: string, url: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    get(url, { localAddress, headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on('error', reject);
  });
}

async function exhaust(localAddress: string, url: string): Promise<number[]> {
  const statuses: number[] = [];
  for (let n = 0; n < ASKED; n += 1) statuses.push(await statusFrom(localAddress, url));
  return [...new Set(statuses)];
}

async function behindNginx(trusted: string, work: (front: string, direct: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-address-'));
  mkdirSync(join(folder, 'front'));
  const port = await freePort();
  const env = { MYELIN_DATA_DIR: join(folder, 'data'), MYELIN_REGISTRATION: 'open', MYELIN_REGISTRATION_OPEN_WITHOUT_VERIFICATION: 'on', MYELIN_PARTITIONS: '2', MYELIN_LOG_FORMAT: 'json', MYELIN_TRUSTED_PROXIES: trusted };
  const program = await startProgram({ port, env });
  try {
    const front = await startFront(join(folder, 'front'), { clientapi: `127.0.0.1:${port}`, syncapi: `127.0.0.1:${port}` });
    try {
      await work(front.baseUrl, program.baseUrl);
    } finally {
      void front.stop();
    }
  } finally {
    await program.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

test('behind a trusted nginx each client is counted by its own address, and cannot choose another', { skip: missing }, () => behindNginx('127.0.0.1', async (front, direct) => {
  assert.deepEqual(await exhaust('127.0.0.2', `${front}${PATH}`), [200, 429]);
  assert.equal(await statusFrom('127.0.0.3', `${front}${PATH}`), 200, 'another client');
  assert.equal(await statusFrom('127.0.0.2', `${front}${PATH}`, { 'x-forwarded-for': '198.51.100.7' }), 429, 'the proxy knows better');
  assert.equal(await statusFrom('127.0.0.2', `${direct}${PATH}`, { 'x-forwarded-for': '198.51.100.7' }), 429, 'who is no proxy is not believed');
  assert.equal(await statusFrom('127.0.0.1', `${front}/_myelin/status`), 404, 'the proxy shows nobody the status');
  assert.equal(await statusFrom('127.0.0.1', `${direct}/_myelin/status`), 200);
}));

test('behind an nginx that is not trusted all clients are one', { skip: missing }, () => behindNginx('', async (front) => {
  assert.deepEqual(await exhaust('127.0.0.2', `${front}${PATH}`), [200, 429]);
  assert.equal(await statusFrom('127.0.0.3', `${front}${PATH}`), 429);
}));
