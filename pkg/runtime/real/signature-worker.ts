/** A thread that checks signatures. It is sent lists of checks in one piece of memory (`signature-threads.ts`) and answers each with a byte a check. */
import { parentPort } from 'node:worker_threads';
import { isSignatureRight } from './ed25519.ts';
import { unpackChecks, type CheckRequest } from './signature-pack.ts';

parentPort!.on('message', ({ id, packed }: CheckRequest) => {
  const right = Uint8Array.from(unpackChecks(packed), (check) => Number(isSignatureRight(check)));
  parentPort!.postMessage({ id, right }, [right.buffer]);
});
