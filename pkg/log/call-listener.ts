import type { Runtime } from '../runtime/runtime.ts';

export type Receive = (value: Uint8Array) => void;

/** Hands a signal to a listener; one that throws harms nobody else. */
export function callListener(receive: Receive, value: Uint8Array, where: { runtime: Runtime; channel: string }): void {
  try {
    receive(value);
  } catch (err) {
    where.runtime.logger.error({ err, channel: where.channel }, 'a signal listener failed');
  }
}
