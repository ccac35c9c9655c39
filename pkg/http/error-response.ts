/** What a client learns of an error that a handler threw. */
import { Overloaded } from '../assert/semaphore.ts';
import { OutcomeTimeout } from '../log/commands.ts';
import { LogUnavailable } from '../log/log.ts';
import { StorageError } from '../storage/database.ts';
import { MatrixError } from './matrix-error.ts';
import type { ApiResponse } from './route.ts';

/** After how long a client should try again when something of ours is away. */
const RETRY_AFTER_MS = 2000;

export interface Verdict {
  readonly response: ApiResponse;
  /** `client`: the request was wrong. `unavailable`: we cannot serve now. `bug`: it must be looked at. */
  readonly blame: 'client' | 'unavailable' | 'bug';
}

/** Turns anything thrown into the standard error response; never shows what is inside an unknown error, only the trace ID of its log line. */
export function errorResponse(error: unknown, traceId: string): Verdict {
  if (error instanceof MatrixError) {
    return {
      response: { status: error.status, body: { ...error.fields, errcode: error.errcode, error: error.message }, headers: error.headers },
      blame: error.status >= 500 ? 'unavailable' : 'client',
    };
  }
  if (error instanceof LogUnavailable) return unavailable(503, 'The server cannot take requests now; try again soon');
  if (error instanceof Overloaded) return unavailable(503, 'The server is overloaded; try again soon');
  if (error instanceof OutcomeTimeout) return unavailable(504, 'The server did not finish the request in time; try again');
  const storage = error instanceof StorageError ? storageSentence(error) : undefined;
  if (storage !== undefined) return unavailable(503, storage);
  const message = `Internal server error; the server's log tells more under trace ${traceId}`;
  return { response: { status: 500, body: { errcode: 'M_UNKNOWN', error: message } }, blame: 'bug' };
}

function storageSentence(error: StorageError): string | undefined {
  switch (error.kind) {
    case 'full': return "The server's disk is full";
    case 'unavailable': return "The server's database is not available; try again soon";
    case 'conflict': return "The server's database is busy; try again";
    case 'unknown-commit': return 'The server lost its database while it wrote; the request may have taken effect';
    case 'bug': return undefined;
  }
}

function unavailable(status: 503 | 504, sentence: string): Verdict {
  return {
    response: {
      status,
      body: { errcode: 'M_UNKNOWN', error: sentence, retry_after_ms: RETRY_AFTER_MS },
      headers: { 'retry-after': String(RETRY_AFTER_MS / 1000) },
    },
    blame: 'unavailable',
  };
}
