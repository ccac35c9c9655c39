/** GET https://<hostname>/.well-known/matrix/server, redirects followed (spec: server-server, step 3 of "Resolving server names"). */
import { FederationError } from '../transport.ts';
import type { WellKnownResponse } from '../well-known.ts';
import { exchange } from './exchange.ts';
import type { Line } from './exchange.ts';

const PATH = '/.well-known/matrix/server';
/** Hops after the first; this also ends loops. */
const REDIRECTS_MAX = 5;
const BYTES_MAX = 64 * 1024;
const HTTPS_PORT = 443;

/** The answer at the end of the redirects; undefined when there is none, when it takes longer than `withinMs`, is too big, or when a redirect leads away from HTTPS. Never rejects. */
export async function fetchWellKnown(line: Line, hostname: string, options: { withinMs: number; userAgent: string; port?: number }): Promise<WellKnownResponse | undefined> {
  const controller = new AbortController();
  const timer = line.clock.timer(options.withinMs, () => controller.abort(new FederationError('timeout', `no answer within ${options.withinMs} ms`)));
  const port = options.port ?? HTTPS_PORT;
  try {
    let url: URL | undefined = new URL(`https://${hostname}${port === HTTPS_PORT ? '' : `:${port}`}${PATH}`);
    for (let hops = 0; url !== undefined && hops <= REDIRECTS_MAX; hops += 1) {
      const response = await exchange(line, { ...whereOf(url), ...request(url, options.userAgent), signal: controller.signal });
      if (![301, 302, 303, 307, 308].includes(response.status)) return response;
      url = nextUrl(response.headers.location, url);
    }
    return undefined;
  } catch (error) {
    if (error instanceof FederationError || error instanceof TypeError) return undefined;
    throw error;
  } finally {
    timer.cancel();
  }
}

function whereOf(url: URL) {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return { target: { host, port: url.port === '' ? HTTPS_PORT : Number(url.port) }, tlsName: host };
}

function request(url: URL, userAgent: string) {
  return { method: 'GET', path: `${url.pathname}${url.search}`, headers: { Host: url.host, Accept: 'application/json', 'User-Agent': userAgent }, bytesMax: BYTES_MAX };
}

function nextUrl(location: string | undefined, from: URL): URL | undefined {
  const url = location === undefined ? null : URL.parse(location, from.href);
  return url?.protocol === 'https:' ? url : undefined;
}
