/** Requests to the web, against real TLS servers on this machine: a good one, and all that a chosen address may do to us. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { createAuthority } from '../../../test/kit/certificates.ts';
import { createClock } from '../../runtime/real/clock.ts';
import { createRandom } from '../../runtime/real/random.ts';
import { FederationError, type WebRequest } from '../transport.ts';
import { createHttpsTransport, type HttpsTransport, type HttpsTransportOptions } from './https-transport.ts';

const authority = createAuthority();
const closers: (() => void)[] = [];
after(() => { for (const close of closers) close(); });

async function serve(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<number> {
  const { cert, key } = authority.issue(['localhost']);
  const server = createServer({ cert, key }, handle).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => { server.close(); server.closeAllConnections(); });
  return (server.address() as AddressInfo).port;
}

function transport(more: Partial<HttpsTransportOptions> = {}): HttpsTransport {
  const made = createHttpsTransport({
    clock: createClock(), random: createRandom(), userAgent: 'Myelin/test', extraCertificates: [authority.cert], addresses: { denied: ['127.0.0.0/8', '::1'], allowed: ['127.0.0.1', '::1'] }, ...more,
  });
  closers.push(() => { made.close(); });
  return made;
}

const get = (url: string, more: Partial<WebRequest> = {}): WebRequest => ({ method: 'GET', url: new URL(url), deadlineMs: 5000, ...more });

async function kindOf(work: Promise<unknown>): Promise<string> {
  return work.then(() => 'none', (error: unknown) => (error instanceof FederationError ? `${error.kind} ${error.errcode ?? ''}`.trim() : String(error)));
}

test('a question comes as it was put, and its answer back', async () => {
  let asked: unknown;
  const port = await serve((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
      asked = [request.method, request.url, request.headers.host, request.headers.authorization, Buffer.concat(chunks).toString()];
      response.end('{"valid":true}');
    });
  });
  const { status, body } = await transport().web(get(`https://localhost:${port}/a/b?c=d%2B`, { method: 'POST', body: { x: 1 }, authorization: 'Bearer t' }));
  assert.deepEqual([status, body, asked], [200, { valid: true }, ['POST', '/a/b?c=d%2B', `localhost:${port}`, 'Bearer t', '{"x":1}']]);
});

test('no redirect is followed, no address connected to that is not allowed, nothing but HTTPS spoken, and all is bounded', async () => {
  const port = await serve((request, response) => {
    if (request.url === '/redirect') response.writeHead(302, { location: `https://localhost:${port}/` }).end();
    else if (request.url === '/refuses') response.writeHead(403).end('{"errcode":"M_TERMS_NOT_SIGNED","error":"no"}');
    else if (request.url === '/big') response.end(`"${'x'.repeat(100_000)}"`);
    else if (request.url === '/text') response.end('hello');
  });
  const { web } = transport();
  assert.equal(await kindOf(web(get(`https://localhost:${port}/redirect`))), 'garbage');
  assert.equal(await kindOf(web(get(`https://localhost:${port}/refuses`))), 'http M_TERMS_NOT_SIGNED');
  assert.equal(await kindOf(web(get(`https://localhost:${port}/big`))), 'garbage');
  assert.equal(await kindOf(web(get(`https://localhost:${port}/text`))), 'garbage');
  assert.equal(await kindOf(web(get(`https://localhost:${port}/silent`, { deadlineMs: 100 }))), 'timeout');
  for (const url of [`http://localhost:${port}/`, `https://u:p@localhost:${port}/`, `https://localhost:${port}/${'x'.repeat(3000)}`, 'file:///etc/hosts']) assert.equal(await kindOf(web(get(url))), 'refused', url);
  const guarded = transport({ addresses: { denied: ['127.0.0.0/8', '::1'], allowed: [] } });
  for (const host of ['localhost', '127.0.0.1']) assert.equal(await kindOf(guarded.web(get(`https://${host}:${port}/text`))), 'refused', host);
});
