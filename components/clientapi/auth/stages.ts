/** The stages of user-interactive authentication that this server has, by their types. */
import type { Context } from '../context.ts';
import { PASSWORD_STAGE, passwordStage } from './password-stage.ts';
import { registrationStages } from './registration-flows.ts';
import type { Stage } from './stage.ts';

/** All that a fallback page can be asked for. */
export function stagesOf(context: Pick<Context, 'settings'>): Readonly<Record<string, Stage>> {
  return { ...registrationStages(context.settings), [PASSWORD_STAGE]: passwordStage };
}
