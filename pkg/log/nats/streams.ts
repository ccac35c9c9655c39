/** One JetStream stream per log: made when it is not there, by whichever process comes first. */
import { DiscardPolicy, RetentionPolicy, StorageType, nanos, type JetStreamManager, type StreamInfo } from 'nats';
import type { LogName } from '../log.ts';

export const LOG_NAMES: readonly LogName[] = ['room-input', 'user-input', 'room-output', 'user-output'];

/** Repeated publishing of one pack within this time is stored once. */
const DUPLICATE_WINDOW_MS = 120_000;

export interface StreamOptions {
  readonly prefix: string;
  readonly retentionMs: number;
  readonly replicas: number;
}

export const streamName = (prefix: string, log: LogName): string => `${prefix}-${log}`;
export const subjectOf = (prefix: string, log: LogName, partition: number): string => `${prefix}.${log}.${partition}`;

/** Makes sure that the streams of all logs exist. Says when each was made, in `LOG_NAMES` order: it names the data. */
export async function ensureStreams(jsm: JetStreamManager, options: StreamOptions): Promise<string[]> {
  const created: string[] = [];
  for (const log of LOG_NAMES) created.push((await ensureStream(jsm, log, options)).created);
  return created;
}

async function ensureStream(jsm: JetStreamManager, log: LogName, options: StreamOptions): Promise<StreamInfo> {
  const name = streamName(options.prefix, log);
  const existing = await findStream(jsm, name);
  if (existing) return existing;
  try {
    return await jsm.streams.add({
      name,
      subjects: [`${options.prefix}.${log}.*`],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      max_age: nanos(options.retentionMs),
      num_replicas: options.replicas,
      duplicate_window: nanos(Math.min(DUPLICATE_WINDOW_MS, options.retentionMs)),
    });
  } catch (error) {
    // Another process may have made it just now.
    const made = await findStream(jsm, name);
    if (made) return made;
    throw error;
  }
}

async function findStream(jsm: JetStreamManager, name: string): Promise<StreamInfo | undefined> {
  try {
    return await jsm.streams.info(name);
  } catch (error) {
    if ((error as { api_error?: { code?: number } }).api_error?.code === 404) return undefined;
    throw error;
  }
}
