/** The thread of syncing-crowd.ts. */
import { performance } from 'node:perf_hooks';
import { parentPort } from 'node:worker_threads';
import { Connection } from './http-client.ts';

export type ToCrowd =
  | { readonly kind: 'begin'; readonly baseUrl: string; readonly tokens: readonly string[]; readonly timeoutMs: number }
  | { readonly kind: 'expect'; readonly mark: number; readonly hearers: number; readonly sentAt: number }
  | { readonly kind: 'count' };
export type FromCrowd =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'delivered'; readonly mark: number; readonly latencies: number[] }
  | { readonly kind: 'answers'; readonly count: number };

/** As usual clients ask. */
const FILTER = encodeURIComponent(JSON.stringify({ room: { state: { lazy_load_members: true }, timeline: { limit: 20 } } }));
const FIRST_AT_ONCE = 16;
const MARK = /"mark":(\d+)/g;

const port = parentPort!;
const expected = new Map<number, { readonly hearers: number; readonly sentAt: number; readonly latencies: number[] }>();
let answers = 0;

const tell = (message: FromCrowd): void => port.postMessage(message);

port.on('message', (message: ToCrowd) => {
  if (message.kind === 'begin') void begin(message);
  else if (message.kind === 'expect') expected.set(message.mark, { ...message, latencies: [] });
  else tell({ kind: 'answers', count: answers });
});

async function begin({ baseUrl, tokens, timeoutMs }: { baseUrl: string; tokens: readonly string[]; timeoutMs: number }): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: FIRST_AT_ONCE }, async () => {
    while (next < tokens.length) {
      const token = tokens[next]!;
      next += 1;
      const connection = await Connection.open(baseUrl);
      void keepSyncing(connection, { token, timeoutMs, since: await ask(connection, token, '') });
    }
  }));
  tell({ kind: 'waiting' });
}

async function keepSyncing(connection: Connection, { token, timeoutMs, since: first }: { token: string; timeoutMs: number; since: string }): Promise<never> {
  for (let since = first; ; ) since = await ask(connection, token, `&timeout=${timeoutMs}&since=${encodeURIComponent(since)}`);
}

/** Resolves with `next_batch`. */
async function ask(connection: Connection, token: string, query: string): Promise<string> {
  const { status, body } = await connection.request('GET', `/_matrix/client/v3/sync?filter=${FILTER}${query}`, { token });
  if (status !== 200) throw new Error(`a /sync was answered with ${status}: ${body.slice(0, 300)}`);
  answers += 1;
  if (query !== '') for (const [, mark] of body.matchAll(MARK)) note(Number(mark));
  const at = body.indexOf('"next_batch":"') + 14;
  return body.slice(at, body.indexOf('"', at));
}

function note(mark: number): void {
  const message = expected.get(mark);
  if (message === undefined) return;
  message.latencies.push(performance.timeOrigin + performance.now() - message.sentAt);
  if (message.latencies.length < message.hearers) return;
  expected.delete(mark);
  tell({ kind: 'delivered', mark, latencies: message.latencies });
}
