/** A small HTTP/1.1 client for load: one request at a time on one kept connection, as little CPU of its own as can be. */
import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export class Connection {
  readonly #url: URL;
  #socket!: Socket;
  /** The server closes it after this answer, as nginx does after a thousand: the next request opens another. */
  #isOver = false;
  #received: Buffer = Buffer.alloc(0);
  #waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined;

  private constructor(url: URL, socket: Socket) {
    this.#url = url;
    this.#use(socket);
  }

  static async open(baseUrl: string): Promise<Connection> {
    const url = new URL(baseUrl);
    return new Connection(url, await dial(url));
  }

  async request(method: string, path: string, options: { token?: string; body?: string } = {}): Promise<Answer> {
    if (this.#isOver) this.#use(await dial(this.#url));
    const body = options.body ?? '';
    const authorization = options.token === undefined ? '' : `Authorization: Bearer ${options.token}\r\n`;
    const head = `${method} ${path} HTTP/1.1\r\nHost: ${this.#url.host}\r\n${authorization}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(head + body);
    });
  }

  close(): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  #use(socket: Socket): void {
    [this.#socket, this.#isOver] = [socket, false];
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    const fail = (error: Error): void => {
      if (socket === this.#socket) this.#waiting?.reject(error);
    };
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('the server closed the connection')));
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const headEnd = this.#received.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const head = this.#received.toString('latin1', 0, headEnd);
    const bodyStart = headEnd + 4;
    const length = /content-length: (\d+)/i.exec(head)?.[1];
    if (length !== undefined) {
      const end = bodyStart + Number(length);
      if (this.#received.length >= end) this.#finish(head, this.#received.toString('utf8', bodyStart, end));
    } else if (this.#received.subarray(-5).toString('latin1') === '0\r\n\r\n') {
      this.#finish(head, joinChunks(this.#received.subarray(bodyStart)));
    }
  }

  #finish(head: string, body: string): void {
    const waiting = this.#waiting;
    this.#received = Buffer.alloc(0);
    this.#waiting = undefined;
    this.#isOver = /^connection: close\r?$/im.test(head);
    waiting?.resolve({ status: Number(head.slice(9, 12)), body });
  }
}

async function dial({ hostname, port }: URL): Promise<Socket> {
  const socket = connect(Number(port), hostname);
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return socket;
}

function joinChunks(encoded: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = encoded.indexOf('\r\n', at);
    const size = Number.parseInt(encoded.toString('latin1', at, lineEnd), 16);
    if (!(size > 0)) return Buffer.concat(parts).toString('utf8');
    parts.push(encoded.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}
