/** One request to something that is no homeserver: its address is an ordinary URL. */
import { parseResponse } from '../parse-response.ts';
import { FederationError, type FederationResponse, type WebRequest } from '../transport.ts';
import { exchange, type Line } from './exchange.ts';

const HTTPS_PORT = 443;
const BYTES_MAX = 64 * 1024;
const URL_LENGTH_MAX = 2048;

/** Rejects with `FederationError`: also for other schemes than HTTPS, URLs with a user or longer than 2,048 characters, redirects, and statuses outside 200 to 299. */
export async function askWeb(line: Line, { method, url, body, authorization, deadlineMs }: WebRequest, userAgent: string): Promise<FederationResponse> {
  if (url.protocol !== 'https:' || url.username !== '' || url.password !== '' || url.href.length > URL_LENGTH_MAX) throw new FederationError('refused', 'the address is none that this server asks');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const controller = new AbortController();
  const timer = line.clock.timer(deadlineMs, () => controller.abort(new FederationError('timeout', `${url.host} did not answer within ${deadlineMs} ms`)));
  try {
    const response = await exchange(line, {
      target: { host, port: url.port === '' ? HTTPS_PORT : Number(url.port) }, tlsName: host, method, path: `${url.pathname}${url.search}`, bytesMax: BYTES_MAX, signal: controller.signal,
      headers: {
        Host: url.host, Accept: 'application/json', 'User-Agent': userAgent, ...(authorization !== undefined && { Authorization: authorization }), ...(body !== undefined && { 'Content-Type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return parseResponse(response, url.host);
  } finally {
    timer.cancel();
  }
}
