import type { RejectedOutcome } from '../../../pkg/log/processor.ts';

/** Why an input is not carried out, in the words of the Matrix error that its sender gets. */
export function refused(status: number, errcode: string, error: string): RejectedOutcome {
  return { status, errcode, error };
}

export function forbidden(error: string): RejectedOutcome {
  return refused(403, 'M_FORBIDDEN', error);
}

export const ROOM_NOT_FOUND = refused(404, 'M_NOT_FOUND', 'This server does not know the room');
