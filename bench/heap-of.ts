/** What is alive on the heap of a Node process that was started with an inspector, asked for over the inspector's protocol: nothing in the program serves it. */

export interface HeapWatch {
  /** The setting with which a server is started. */
  readonly settings: Readonly<Record<string, string>>;
  /** After a full collection: of JavaScript's objects, and of the buffers beside them. */
  livingMb(): Promise<number>;
}

interface Usage {
  readonly usedSize: number;
  readonly embedderHeapUsedSize?: number;
  readonly backingStorageSize?: number;
}

const MB = 1024 * 1024;
const ANSWER_MS_MAX = 60_000;

/** `port`: free, on this machine. */
export function watchHeap(port: number): HeapWatch {
  return {
    settings: { NODE_OPTIONS: `--inspect=127.0.0.1:${port}` },
    async livingMb() {
      const [target] = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as { webSocketDebuggerUrl: string }[];
      const socket = new WebSocket(target!.webSocketDebuggerUrl);
      await new Promise((resolve, reject) => {
        socket.addEventListener('open', resolve, { once: true });
        socket.addEventListener('error', () => { reject(new Error('the inspector does not answer')); }, { once: true });
      });
      try {
        // What the first one has finalisers called for is gone after the second.
        for (let time = 0; time < 2; time += 1) await call(socket, 'HeapProfiler.collectGarbage');
        const { usedSize, embedderHeapUsedSize = 0, backingStorageSize = 0 } = (await call(socket, 'Runtime.getHeapUsage')) as Usage;
        return (usedSize + embedderHeapUsedSize + backingStorageSize) / MB;
      } finally {
        socket.close();
      }
    },
  };
}

let lastId = 0;

function call(socket: WebSocket, method: string): Promise<unknown> {
  const id = (lastId += 1);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => { reject(new Error(`${method} was not answered`)); }, ANSWER_MS_MAX);
    const take = ({ data }: MessageEvent): void => {
      const answer = JSON.parse(String(data)) as { id?: number; result?: unknown; error?: { message: string } };
      if (answer.id !== id) return;
      clearTimeout(timer);
      socket.removeEventListener('message', take);
      if (answer.error === undefined) resolve(answer.result);
      else reject(new Error(`${method}: ${answer.error.message}`));
    };
    socket.addEventListener('message', take);
    socket.send(JSON.stringify({ id, method }));
  });
}
