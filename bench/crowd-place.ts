/** A server that lets a crowd in, whichever it is. */
import { rmSync } from 'node:fs';
import type { Mode, RunningMode } from '../test/e2e/modes.ts';
import { crowdEntranceSettings, ofAppservice, type CrowdPlace } from './crowd.ts';

export interface RunningPlace extends CrowdPlace, Pick<RunningMode, 'programs' | 'stop'> {}

/** Starts the mode. One that says how users come in (another server) is taken at its word. */
export async function startCrowdPlace(mode: Mode & Partial<Pick<CrowdPlace, 'entrance'>>): Promise<RunningPlace> {
  const settings = crowdEntranceSettings();
  const running = await mode.start(settings);
  return {
    baseUrl: running.baseUrl, programs: running.programs, entrance: mode.entrance ?? ofAppservice,
    stop: async () => {
      await running.stop();
      rmSync(settings['MYELIN_APPSERVICE_DIR']!, { recursive: true, force: true });
    },
  };
}
