/** Steps of clients that share one server, all at once: in one process, and in two of every role. */
import { after, before, suite, test } from 'node:test';
import { clientModes } from './client-modes.ts';
import type { Place } from './js-sdk-user.ts';
import type { RunningMode } from './modes.ts';

/** `limits`: of a mode's suite, in ms, and how many steps are under way at a time. */
export function suiteOfSteps(title: string, steps: Readonly<Record<string, (place: Place) => Promise<void>>>, limits: { readonly timeout: number; readonly concurrency: number }): void {
  for (const { mode, settings, stage } of clientModes()) {
    suite(`${title}: ${mode.name}`, { skip: mode.missing === undefined ? false : `${mode.missing} is not here`, ...limits }, () => {
      const clients: Place['clients'] = [];
      let running: RunningMode;
      before(async () => {
        running = await mode.start(settings);
      });
      after(async () => {
        for (const client of clients) client.stopClient();
        await running?.stop();
      });
      for (const [name, step] of Object.entries(steps)) test(name, () => step({ baseUrl: running.baseUrl, stage, clients }));
    });
  }
}
