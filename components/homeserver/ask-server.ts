/** Asks the server that listens where the settings say, as commands of the operator do. */
import { request } from 'node:http';
import type { Settings } from '../../schemas/config/settings.ts';

const ANSWER_MS_MAX = 40_000;

export interface ServerAnswer {
  /** 0: nobody answers. */
  readonly status: number;
  readonly body: Record<string, unknown>;
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
}

export function askServer(listen: Settings['listen'], { method, path, body }: Asked): Promise<ServerAnswer> {
  const host = listen.host === '0.0.0.0' ? '127.0.0.1' : listen.host === '::' ? '::1' : listen.host;
  return new Promise((resolve) => {
    const asked = request({ host, port: listen.port, method, path, agent: false, signal: AbortSignal.timeout(ANSWER_MS_MAX), headers: { 'content-type': 'application/json' } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString() || '{}') as ServerAnswer['body'] }));
      response.on('error', () => resolve({ status: 0, body: {} }));
    });
    asked.on('error', () => resolve({ status: 0, body: {} }));
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Says on standard error why not; the result is the exit code. */
export function sayRefusal({ status, body }: ServerAnswer): number {
  process.stderr.write(`myelin: ${status === 0 ? 'no server answers where the settings say' : `${String(body['errcode'])}: ${String(body['error'])}`}\n`);
  return 1;
}
