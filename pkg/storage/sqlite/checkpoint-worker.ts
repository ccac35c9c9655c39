/** The thread of `checkpoint-thread.ts`: moves what a write-ahead log holds into its database, without keeping anybody from writing or reading meanwhile. */
import { parentPort } from 'node:worker_threads';
import { logState, moveLog } from './checkpoint.ts';
import { connect } from './connection.ts';

export interface CheckpointRequest {
  readonly id: number;
  readonly file: string;
}

export interface CheckpointAnswer {
  readonly id: number;
  /** undefined: it was done, as far as readers let it be done. */
  readonly error: string | undefined;
}

/** Each time there is less to move, since less has been written meanwhile. */
const PASSES_MAX = 4;
const FEW_PAGES = 32;

parentPort!.on('message', ({ id, file }: CheckpointRequest) => {
  let error: string | undefined;
  try {
    move(file);
  } catch (thrown) {
    error = (thrown as Error).message;
  }
  parentPort!.postMessage({ id, error } satisfies CheckpointAnswer);
});

function move(file: string): void {
  // Open for this one only: the last connection to a file has to be its owner's.
  const connection = connect(file, { busyTimeoutMs: 0, pragmas: ['synchronous = FULL'] });
  try {
    for (let pass = 0; pass < PASSES_MAX; pass += 1) {
      moveLog(connection);
      const { pages, moved } = logState(connection);
      if (pages - moved <= FEW_PAGES) break;
    }
  } finally {
    connection.close();
  }
}
