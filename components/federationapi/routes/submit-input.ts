/** Hands an event of another server to the owner of its room and waits for the verdict. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest } from '../../../pkg/http/route.ts';
import type { CommandClient } from '../../../pkg/log/commands.ts';
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import type { RoomInput } from '../../../schemas/log/room-input.ts';

export interface SubmittingDeps {
  readonly commands: Pick<CommandClient, 'submitRoomInput'>;
  readonly clock: Pick<Clock, 'now'>;
}

const text = new TextDecoder();

/**
 * The result of the accepted input. Throws the owner's refusal as a `MatrixError`; `OutcomeTimeout` and `LogUnavailable` pass through: the router makes 504 and 503 of them, and the
 * other server tries again.
 */
export async function submitInput(
  { commands, clock }: SubmittingDeps, request: Pick<ApiRequest, 'traceId'>, input: Pick<RoomInput, 'inputId' | 'roomId' | 'receivePdu' | 'receiveInvite'>,
): Promise<Record<string, unknown>> {
  const outcome = await commands.submitRoomInput({ ...input, originServerTs: clock.now(), traceId: request.traceId });
  if (outcome.errcode !== '') throw new MatrixError(outcome.status, outcome.errcode, outcome.error, { fields: parseObject(outcome.errorFields) });
  return parseObject(outcome.result);
}

function parseObject(bytes: Uint8Array): Record<string, unknown> {
  return bytes.length === 0 ? {} : (JSON.parse(text.decode(bytes)) as Record<string, unknown>);
}
