/** Reads the body of a request from its socket, never more of it than allowed. */
import type { IncomingMessage } from 'node:http';

export interface ReadBody {
  readonly bytes?: Uint8Array;
  /** Larger than allowed. */
  readonly tooLarge?: boolean;
  /** What is left of it was not read: the connection cannot carry another request. */
  readonly unread?: boolean;
}

/** A body that is too large is thrown away up to here, so that the client gets to read our answer; above, the connection is cut. */
const DISCARD_BYTES_MAX = 8 * 1024 * 1024;

export function hasBody(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
}

/**
 * Resolves when the body is read, or known to be too large for `bytesMax`. Rejects when the client goes away before its end. How long
 * it may take is the server's `requestTimeout`.
 */
export function readBody(request: IncomingMessage, bytesMax: number): Promise<ReadBody> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > bytesMax + DISCARD_BYTES_MAX) return Promise.resolve({ tooLarge: true, unread: true });
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= bytesMax) chunks.push(chunk);
      else chunks.length = 0;
      if (size > bytesMax + DISCARD_BYTES_MAX) {
        request.pause();
        resolve({ tooLarge: true, unread: true });
      }
    });
    request.on('end', () => {
      if (size > bytesMax) resolve({ tooLarge: true });
      else resolve({ bytes: chunks.length === 1 ? chunks[0] as Buffer : Buffer.concat(chunks, size) });
    });
    request.on('error', reject);
    // After `end` this settles nothing any more.
    request.on('close', () => reject(new Error('the client went away while it sent its request')));
  });
}
