/** A server that lets a crowd in, whichever it is. */
import { rmSync } from 'node:fs';
import type { RunningMode } from '../test/e2e/modes.ts';
import { crowdEntranceSettings, ofAppservice, type CrowdPlace } from './crowd.ts';
import { meterOf, type Meter, type ServerMode } from './subject.ts';

export interface RunningPlace extends CrowdPlace, Meter, Pick<RunningMode, 'programs' | 'stop'> {}

/** Starts the mode. One that says how users come in (another server) is taken at its word. */
export async function startCrowdPlace(mode: ServerMode): Promise<RunningPlace> {
  const settings = crowdEntranceSettings();
  const running = await mode.start(settings);
  return {
    baseUrl: running.baseUrl, programs: running.programs, entrance: mode.entrance ?? ofAppservice, ...meterOf(() => running.programs.map(({ pid }) => pid), mode.database),
    stop: async () => {
      await running.stop();
      rmSync(settings['MYELIN_APPSERVICE_DIR']!, { recursive: true, force: true });
    },
  };
}
