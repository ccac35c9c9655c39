/** What the head of a request says. */
import type { IncomingMessage } from 'node:http';

/** Without the query. */
export function pathOf(url: string): string {
  const mark = url.indexOf('?');
  return mark < 0 ? url : url.slice(0, mark);
}

/** Node joins repeated headers (only set-cookie would be a list, and requests have none) but for a few: of Authorization it keeps the first. Servers with several keys send several. */
export function headersOf(request: IncomingMessage): Record<string, string | undefined> {
  const headers = request.headers as Record<string, string | undefined>;
  if (headers['authorization']?.startsWith('X-Matrix') !== true) return headers;
  return { ...headers, authorization: request.headersDistinct['authorization']?.join(',') };
}

/** HTTP/1.1 without a body or anything else that is to be heeded before or after the answer. */
export function isAllSaid({ httpVersion, headers }: IncomingMessage): boolean {
  const { connection = 'keep-alive', 'content-length': length = '0', host, expect, 'transfer-encoding': encoding } = headers;
  return httpVersion === '1.1' && connection.toLowerCase() === 'keep-alive' && length === '0' && host !== undefined && expect === undefined && encoding === undefined;
}
