/**
 * matrix-js-sdk uses a server as clients do every day: from registration to the counts of threads. One process, and two of every role behind a front, whose servers are those of
 * MYELIN_TEST_POSTGRES_URL and MYELIN_TEST_NATS_URL, which `npm test` starts.
 */
// Before the SDK itself, some parts of which take hold of the logger as they are loaded.
import './js-sdk.ts';
import { after, before, suite, test } from 'node:test';
import { clientModes } from './client-modes.ts';
import { endings, guests, registration, sessions } from './js-sdk-accounts.ts';
import { profiles, pushRules, settings as userSettings } from './js-sdk-settings.ts';
import type { Place } from './js-sdk-user.ts';
import { countedByRules, unreadCounts } from './js-sdk-counts.ts';
import { ignoring, lazyMembers, relations, threads, windows } from './js-sdk-messages.ts';
import { directory, doors, memberships, presets, spaces, upgrade } from './js-sdk-rooms.ts';
import type { RunningMode } from './modes.ts';

for (const { mode, settings, stage } of clientModes()) {
  suite(`matrix-js-sdk: ${mode.name}`, { skip: mode.missing === undefined ? false : `${mode.missing} is not here`, timeout: 400_000, concurrency: 4 }, () => {
    const clients: Place['clients'] = [];
    let running: RunningMode;
    before(async () => {
      running = await mode.start(settings);
    });
    after(async () => {
      for (const client of clients) client.stopClient();
      await running?.stop();
    });
    const steps = { registration, sessions, endings, guests, presets, memberships, doors, directory, upgrade, spaces, relations, threads, windows, lazyMembers, ignoring, profiles, userSettings, pushRules, unreadCounts, countedByRules };
    for (const [name, step] of Object.entries(steps)) test(name, () => step({ baseUrl: running.baseUrl, stage, clients }));
  });
}
