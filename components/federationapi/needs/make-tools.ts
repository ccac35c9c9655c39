import type { Semaphore } from '../../../pkg/assert/semaphore.ts';
import { keepForLater } from '../inbound/keep-pdus.ts';
import { createAsk } from './ask.ts';
import { createInputs } from './inputs.ts';
import type { NeedTools } from './job.ts';
import type { NeedRunnerDeps } from './deps.ts';
import { createPauses } from './pauses.ts';

/** What needs are carried out with. */
export function makeTools(deps: NeedRunnerDeps, bigAnswers: Semaphore): NeedTools {
  const { runtime: { clock, random, logger }, database, serverName, signingKey, roomQuery, roomHistoryQuery, keyRing } = deps;
  const pauses = deps.pauses ?? createPauses({ clock, random });
  return {
    serverName, signingKey, clock, random, logger, database, roomQuery, roomHistoryQuery, keyRing, bigAnswers,
    ask: createAsk({ clock, transport: deps.signedTransport, pauses, isDenied: deps.isDenied }),
    later: ({ roomId }, { origin, eventId }) => keepForLater({ clock, random, database }, [{ origin, roomId, eventId }]),
    mayRecover: (destination) => pauses.mayRecover(destination),
    ...createInputs({ clock, driver: deps.driver, commands: deps.commands, partitionMap: deps.partitionMap }),
    async intact(job, values, version) {
      const checked = await deps.verify({ values, version, roomId: job.roomId });
      job.check();
      const events = checked.map((event) => ('outcome' in event || event.roomId !== job.roomId ? undefined : event));
      const dropped = events.filter((event) => event === undefined).length;
      if (dropped > 0) logger.info({ needId: job.needId, given: values.length, dropped }, 'another server gave events that are not what their senders signed');
      return events;
    },
  };
}
