import type { IntactEvent } from '../../../pkg/matrix/events/check-received.ts';
import { createLane, type LaneLimits } from '../fetch/lane.ts';
import { keepForLater } from '../inbound/keep-pdus.ts';
import { createAsk } from './ask.ts';
import { createInputs } from './inputs.ts';
import type { NeedTools } from './job.ts';
import type { NeedRunnerDeps } from './deps.ts';
import { createPauses } from './pauses.ts';
import type { DroppedPdu } from '../../../pkg/federation/verify-event.ts';

/** A server that hands its answer out byte by byte holds little, and holds up nobody. */
const BIG_ANSWERS: LaneLimits = { places: 12, ofKey: 3, waitingOfKey: 50, waiting: 200, slowMs: 3000, slowMax: 64 };
/** Between two looks for keys that could not be had. */
const KEYS_PAUSE_MS = { first: 1000, max: 10_000 };

/** What needs are carried out with. */
export function makeTools(deps: NeedRunnerDeps): NeedTools {
  const { runtime: { clock, random, logger }, database, serverName, signingKey, roomQuery, roomHistoryQuery, keyRing } = deps;
  const pauses = deps.pauses ?? createPauses({ clock, random });
  const lacksKeysToCome = (event: IntactEvent | DroppedPdu): boolean => 'outcome' in event && event.lacksKeysOf !== undefined && keyRing.mayRecover(event.lacksKeysOf);
  return {
    serverName, signingKey, clock, random, logger, database, roomQuery, roomHistoryQuery, keyRing,
    bigAnswers: createLane({ name: 'big answers of other servers', clock, limits: BIG_ANSWERS }),
    ask: createAsk({ clock, transport: deps.signedTransport, pauses, isDenied: deps.isDenied }),
    later: ({ roomId }, events) => keepForLater({ clock, random, database }, events.map((event) => ({ ...event, roomId }))),
    mayRecover: (destination) => pauses.mayRecover(destination),
    ...createInputs({ clock, driver: deps.driver, commands: deps.commands, partitionMap: deps.partitionMap }),
    async intact(job, values, { version, patient = false }) {
      const keysUntilMs = patient ? (clock.now() + job.deadlineMs) / 2 : 0;
      const checked = [...await deps.verify({ values, version, roomId: job.roomId })];
      job.check();
      for (let pauseMs = KEYS_PAUSE_MS.first; clock.now() + pauseMs < keysUntilMs; pauseMs = Math.min(2 * pauseMs, KEYS_PAUSE_MS.max)) {
        const lacking = [...checked.keys()].filter((index) => lacksKeysToCome(checked[index]!));
        if (lacking.length === 0) break;
        await clock.sleep(pauseMs, job.signal);
        const again = await deps.verify({ values: lacking.map((index) => values[index]), version, roomId: job.roomId });
        job.check();
        for (const [nth, index] of lacking.entries()) checked[index] = again[nth]!;
      }
      const events = checked.map((event) => ('outcome' in event || event.roomId !== job.roomId ? undefined : event));
      const dropped = events.filter((event) => event === undefined).length;
      if (dropped > 0) logger.info({ needId: job.needId, given: values.length, dropped }, 'another server gave events that are not what their senders signed');
      return events;
    },
  };
}
