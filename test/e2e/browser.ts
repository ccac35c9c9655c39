/** Chromium without a window: pages as people see them, and pictures of them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { chromium, type Browser, type Page } from 'playwright-core';
import { chromiumProgram } from '../kit/servers/chromium.ts';

const WAIT_MS_MAX = 60_000;

export interface Watched {
  readonly page: Page;
  /** What the page has complained of. */
  readonly complaints: string[];
}

export function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumProgram(), args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

/** A new page with nothing of the others'. */
export async function openPage(browser: Browser, options: { width?: number; height?: number; dark?: boolean } = {}): Promise<Watched> {
  const context = await browser.newContext({ viewport: { width: options.width ?? 1000, height: options.height ?? 640 }, colorScheme: options.dark === true ? 'dark' : 'light', locale: 'en-GB' });
  context.setDefaultTimeout(WAIT_MS_MAX);
  const complaints: string[] = [];
  // Its own, and those of the windows that it opens.
  context.on('page', (one) => {
    one.on('pageerror', (error) => complaints.push(String(error)));
    one.on('console', (message) => message.type() === 'error' && complaints.push(`${message.text()} ${message.location().url}`));
  });
  const page = await context.newPage();
  return { page, complaints };
}

/** Makes pictures in a folder among the system's temporary ones; they stay until the next ones are made, for whoever wants to look at them. Resolves with the path. */
export function camera(subject: string): (page: Page, name: string) => Promise<string> {
  return async (page, name) => {
    const path = join(tmpdir(), 'myelin-pictures', `${subject}-${name}.png`);
    await page.screenshot({ path });
    return path;
  };
}

/** Serves the web client from an origin of its own. */
export async function serveWebClient(): Promise<{ url: string; stop: () => Promise<void> }> {
  const { outputFiles } = await build({ entryPoints: [join(import.meta.dirname, 'web-client/client.ts')], bundle: true, format: 'esm', platform: 'browser', write: false, logLevel: 'silent', define: { global: 'globalThis' } });
  const script = outputFiles[0]?.text;
  assert.ok(script !== undefined);
  const files: Record<string, [type: string, text: string]> = {
    '/': ['text/html; charset=utf-8', readFileSync(join(import.meta.dirname, 'web-client/index.html'), 'utf8')],
    '/client.js': ['text/javascript; charset=utf-8', script],
  };
  const server = createServer((request, response) => {
    const [type, text] = files[new URL(request.url ?? '/', 'http://x').pathname] ?? ['text/plain', undefined];
    response.writeHead(text === undefined ? 404 : 200, { 'content-type': type }).end(text);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}/`,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
