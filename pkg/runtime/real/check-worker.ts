/** A thread that checks signatures, or whole events. It is sent lists of them (`check-threads.ts`), and answers each list. */
import { parentPort } from 'node:worker_threads';
import type { CheckAnswer, CheckRequest } from './check-threads.ts';
import { isSignatureRight } from './ed25519.ts';
import { checkPacked } from './event-pack.ts';
import { unpackChecks } from './signature-pack.ts';

parentPort!.on('message', ({ id, signatures, events }: CheckRequest) => {
  if (events !== undefined) {
    const checked = checkPacked(events);
    send({ id, events: checked }, [checked.json.buffer as ArrayBuffer]);
  } else {
    const right = Uint8Array.from(unpackChecks(signatures!), (check) => Number(isSignatureRight(check)));
    send({ id, right }, [right.buffer]);
  }
});

function send(answer: CheckAnswer, given: readonly ArrayBuffer[]): void {
  parentPort!.postMessage(answer, [...given]);
}
