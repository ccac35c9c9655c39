/** What a client has asked of its server lately: so that a failed test can say whether the server, its front or the client had stopped. */

/** A request: without a status as long as it has not been answered. */
interface Asked {
  readonly what: string;
  readonly startedAt: number;
  endedAt?: number;
  status?: number | string;
}

export interface RequestRecord {
  /** To be the client's way to ask. */
  readonly fetch: typeof globalThis.fetch;
  /** A line for each request that is under way and for the last ones that have ended. */
  tell(): string;
}

const KEPT_MAX = 12;
const SHOWN_CHARS_MAX = 160;

export function recordRequests(): RequestRecord {
  const open = new Set<Asked>();
  const ended: Asked[] = [];
  const end = (asked: Asked, status: number | string): void => {
    Object.assign(asked, { endedAt: Date.now(), status });
    open.delete(asked);
    ended.push(asked);
    if (ended.length > KEPT_MAX) ended.shift();
  };
  return {
    async fetch(input, init) {
      const url = new URL(input instanceof Request ? input.url : input);
      const asked: Asked = { what: `${init?.method ?? 'GET'} ${url.pathname}${url.search}`.slice(0, SHOWN_CHARS_MAX), startedAt: Date.now() };
      open.add(asked);
      try {
        const response = await globalThis.fetch(input, init);
        // A body that breaks off is read here, where it is seen.
        const body = await response.arrayBuffer();
        end(asked, response.status);
        return new Response(body.byteLength === 0 ? null : body, { status: response.status, statusText: response.statusText, headers: response.headers });
      } catch (error) {
        end(asked, causes(error));
        throw error;
      }
    },
    tell: () => [...ended, ...open].map(line).join('\n'),
  };
}

function line({ what, startedAt, endedAt, status }: Asked): string {
  const ago = (at: number): string => `${((Date.now() - at) / 1000).toFixed(1)} s`;
  return endedAt === undefined ? `    under way for ${ago(startedAt)}: ${what}` : `    ${ago(endedAt)} ago, after ${endedAt - startedAt} ms: ${status} ${what}`;
}

function causes(error: unknown): string {
  return error instanceof Error ? [error.message, ...(error.cause === undefined ? [] : [causes(error.cause)])].join(': ') : String(error);
}
