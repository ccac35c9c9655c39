/** Answers that are made while they are sent: no more of them is in memory than the client has not taken yet. */
import type { ServerResponse } from 'node:http';
import type { ApiResponse } from './route.ts';

/** Resolves when all is written, or the client has gone. Rejects with what the parts throw. */
export async function sendParts(response: ServerResponse, answer: ApiResponse & { readonly parts: AsyncIterable<string> }, how: { close: boolean; bodiless: boolean }): Promise<void> {
  response.writeHead(answer.status, { ...answer.headers, ...(how.close && { connection: 'close' }) });
  if (!how.bodiless) {
    for await (const part of answer.parts) {
      if (response.destroyed) return;
      if (part !== '' && !response.write(part)) await taken(response);
    }
  }
  response.end();
}

/** The client has taken what was written, or is gone. */
function taken(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
    if (response.destroyed) done();
  });
}
