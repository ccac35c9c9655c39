/** Writes what came of needs into room-input. */
import { roomInputCodec } from '../../../pkg/log/codec.ts';
import { OutcomeTimeout, type CommandClient } from '../../../pkg/log/commands.ts';
import { LogUnavailable, type LogDriver } from '../../../pkg/log/log.ts';
import { partitionOf, type PartitionMap } from '../../../pkg/log/partition-map.ts';
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import type { Outcome } from '../../../schemas/log/envelope.ts';
import { Abandoned, NeedFailure } from './failure.ts';
import { roomInputOf, type NeedJob, type NeedTools } from './job.ts';
import { within } from './within.ts';

export interface InputDeps {
  readonly clock: Clock;
  readonly driver: LogDriver;
  readonly commands: Pick<CommandClient, 'submitRoomInput'>;
  readonly partitionMap: PartitionMap;
}

const FIRST_PAUSE_MS = 50;
const PAUSE_MS_MAX = 2000;

/** Both try again while the log takes nothing, until the job's time is over. */
export function createInputs({ clock, driver, commands, partitionMap }: InputDeps): Pick<NeedTools, 'append' | 'submit'> {
  async function insist<T>(job: NeedJob, act: () => Promise<T>): Promise<T> {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX)) {
      job.check();
      try {
        return await act();
      } catch (error) {
        if (!(error instanceof LogUnavailable) && !(error instanceof OutcomeTimeout)) throw error;
      }
      await clock.sleep(pauseMs, job.signal);
    }
  }

  return {
    async append(job, inputs) {
      const records = inputs.map((input) => roomInputCodec.encode(roomInputOf(job, input, clock.now())));
      await insist(job, () => driver.append('room-input', partitionOf(partitionMap, job.roomId), records, { durable: true }));
    },
    async submit(job, input) {
      const outcome = await insist(job, () => within(clock, {
        ms: Math.max(1, job.deadlineMs - clock.now()), signal: job.signal, late: timeIsOver, cancelled: () => endOf(job),
      }, commands.submitRoomInput(roomInputOf(job, input, clock.now()))));
      if (outcome.errcode !== '') throw refusalOf(outcome);
    },
  };
}

function refusalOf({ status, errcode, error }: Outcome): NeedFailure {
  return new NeedFailure(status, errcode, error);
}

export function timeIsOver(): NeedFailure {
  return new NeedFailure(504, 'M_UNKNOWN', 'The other server was too slow');
}

/** Why the job ended, as `job.check` tells. */
function endOf(job: NeedJob): Error {
  try {
    job.check();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  return new Abandoned('nobody waits any more');
}
