/** Answers to what is not even HTTP, or came too slowly: the server has no request to hand out, only a socket. */
import type { Duplex } from 'node:stream';
import { CORS_HEADERS } from './cors.ts';

interface Answer {
  readonly status: string;
  readonly errcode: string;
  readonly error: string;
}

const ANSWERS: Readonly<Record<string, Answer>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: '408 Request Timeout', errcode: 'M_UNKNOWN', error: 'The request took too long to arrive' },
  HPE_HEADER_OVERFLOW: { status: '431 Request Header Fields Too Large', errcode: 'M_TOO_LARGE', error: 'The request line and headers are too large' },
};
const BROKEN: Answer = { status: '400 Bad Request', errcode: 'M_UNRECOGNIZED', error: 'The request is not valid HTTP' };

/** A handler for the server's `clientError`. */
export function answerBadRequest(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const answer = ANSWERS[error.code ?? ''] ?? BROKEN;
  const body = JSON.stringify({ errcode: answer.errcode, error: answer.error });
  const headers = { ...CORS_HEADERS, 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)), connection: 'close' };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${answer.status}\r\n${lines.join('')}\r\n${body}`, () => socket.destroy());
}
