/** From an input under way to the client's answer: the owner's outcome, and then the read model that shows it. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { OutputLogName } from '../../../pkg/log/log.ts';
import type { Logger } from '../../../pkg/telemetry/logger.ts';
import type { Outcome } from '../../../schemas/log/envelope.ts';
import type { Context } from '../context.ts';

/** How long an answer waits for the read model; after that the change is safe but may not be seen at once. */
const APPLIED_WAIT_MS_MAX = 5000;

const text = new TextDecoder();

/**
 * The result of an accepted input, once the user's next read sees it. Throws the owner's refusal as a `MatrixError`; `OutcomeTimeout` (the owner drops the input
 * then, so the client may try again) and `LogUnavailable` pass through: the router makes 504 and 503 of them.
 */
export async function awaitOutcome(context: Pick<Context, 'appliedPositions'>, log: OutputLogName, pending: Promise<Outcome>, logger: Logger): Promise<Record<string, unknown>> {
  const outcome = await pending;
  if (outcome.errcode !== '') throw refusal(outcome);
  const { partition, sequence } = outcome;
  const applied = await context.appliedPositions.waitFor(log, partition, sequence, APPLIED_WAIT_MS_MAX);
  if (!applied) logger.warn({ log, partition, sequence }, 'a request was answered before the read model had applied it');
  return parseObject(outcome.result);
}

function refusal(outcome: Outcome): MatrixError {
  return new MatrixError(outcome.status, outcome.errcode, outcome.error, { fields: parseObject(outcome.errorFields) });
}

function parseObject(bytes: Uint8Array): Record<string, unknown> {
  return bytes.length === 0 ? {} : (JSON.parse(text.decode(bytes)) as Record<string, unknown>);
}
