import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';

/** Says nothing: servers send it to join branches of a room's graph. The name is the one that other servers use. */
export const DUMMY_EVENT = 'org.matrix.dummy_event';

/** Whether clients see the event in the room's timeline. What is not shown has a record (it may change the state by joining branches, and it goes to other servers), but no order key. */
export function isShown({ type, state_key: stateKey }: Pick<Pdu, 'type' | 'state_key'>): boolean {
  return type !== DUMMY_EVENT || stateKey !== undefined;
}
