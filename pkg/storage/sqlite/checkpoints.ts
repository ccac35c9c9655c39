/**
 * When the write-ahead log of a database is moved into it: by a thread, so that nobody waits while thousands of pages are written and flushed (decision 0016). What has been committed meanwhile is little;
 * the writing connection adds it itself, between two transactions, and the next one begins the log anew.
 */
import type { SerialQueue } from '../serial-queue.ts';
import { logState, moveLog } from './checkpoint.ts';
import { checkpointInThread } from './checkpoint-thread.ts';
import type { Connection } from './connection.ts';

const LAST_PAGES_MAX = 64;
const COMMITS_BETWEEN_LOOKS = 16;

export interface Checkpoints {
  /** To be called after each commit, before the next transaction begins. Never throws. */
  committed(): void;
  /** Resolves when none is under way; none will be. */
  stop(): Promise<void>;
}

export interface CheckpointsOptions {
  readonly file: string;
  /** Only used by work of `queue`. */
  readonly writer: Connection;
  readonly queue: SerialQueue;
  /** Of the log, at which they are moved. */
  readonly pages: number;
}

export function createCheckpoints({ file, writer, queue, pages: pagesMax }: CheckpointsOptions): Checkpoints {
  let running: Promise<void> | undefined;
  let stopped = false;
  /** The thread could not: the writing connection does it by itself when the log has become much longer. */
  let failed = false;
  let [commits, nextLook, lastPages] = [0, 1, 0];

  /** The next one is when half of what is still missing may have come. */
  function look(): void {
    const { pages } = logState(writer);
    const ofCommit = Math.max(1, (pages - lastPages) / commits);
    [commits, lastPages] = [0, pages];
    nextLook = Math.max(1, Math.min(COMMITS_BETWEEN_LOOKS, Math.floor((pagesMax - pages) / (2 * ofCommit))));
    if (pages < pagesMax) failed = false;
    else if (!failed) running = move().finally(() => (running = undefined));
  }

  async function move(): Promise<void> {
    try {
      let isMoved = false;
      while (!isMoved && !stopped) {
        await checkpointInThread(file);
        isMoved = await queue.run(async () => moveRest());
      }
    } catch {
      failed = true;
    }
  }

  function moveRest(): boolean {
    const { pages, moved } = logState(writer);
    if (pages - moved > LAST_PAGES_MAX) return false;
    moveLog(writer);
    return true;
  }

  return {
    committed() {
      commits += 1;
      if (commits < nextLook || running !== undefined || stopped) return;
      try {
        look();
      } catch {
        // What was committed is committed, whatever is wrong with the disk now: the next transaction tells of it.
      }
    },
    async stop() {
      stopped = true;
      await running;
    },
  };
}
