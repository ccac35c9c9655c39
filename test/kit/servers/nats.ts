/** nats-server for tests: JetStream with a file store in a temporary folder. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram, freePort, makeServerFolder, startServerProcess, type RunningServer } from './server-process.ts';

export interface RunningNats extends RunningServer {
  /** `nats://127.0.0.1:port` */
  readonly url: string;
}

export interface NatsOptions {
  /** Sync every write to disk before it is acknowledged (costs about five times the time). */
  readonly syncAlways?: boolean;
}

/** Why nats-server cannot be started here, or undefined when it can. */
export function available(): string | undefined {
  return findProgram('nats-server') ? undefined : 'nats-server is not installed (not on PATH)';
}

/** Starts a server of its own (about 0.1 s). */
export async function startNats(options: NatsOptions = {}): Promise<RunningNats> {
  const command = findProgram('nats-server');
  if (!command) throw new Error(available());
  const folder = makeServerFolder('nats');
  const port = await freePort();
  const config = join(folder, 'nats.conf');
  const sync = options.syncAlways ? '  sync_interval: always\n' : '';
  writeFileSync(config, [
    `listen: "127.0.0.1:${port}"`,
    `server_name: myelin_test_${port}`,
    'jetstream {',
    `  store_dir: ${JSON.stringify(join(folder, 'data'))}`,
    '  max_memory_store: 67108864',
    '  max_file_store: 8589934592',
    `${sync}}`,
    '',
  ].join('\n'));
  const server = await startServerProcess({ name: 'nats-server', folder, command, args: ['-c', config], ready: /Server is ready/ });
  return Object.assign(server, { url: `nats://127.0.0.1:${port}` });
}
