/**
 * matrix-js-sdk uses a server as clients do every day: from registration to the counts of threads. One process, and two of every role behind a front, whose servers are those of
 * MYELIN_TEST_POSTGRES_URL and MYELIN_TEST_NATS_URL, which `npm test` starts.
 */
// Before the SDK itself, some parts of which take hold of the logger as they are loaded.
import './js-sdk.ts';
import { suiteOfSteps } from './client-suite.ts';
import { endings, guests, registration, sessions } from './js-sdk-accounts.ts';
import { profiles, pushRules, settings as userSettings } from './js-sdk-settings.ts';
import { countedByRules, unreadCounts } from './js-sdk-counts.ts';
import { ignoring, lazyMembers, relations, threads, windows } from './js-sdk-messages.ts';
import { directory, doors, memberships, presets, spaces, upgrade } from './js-sdk-rooms.ts';

suiteOfSteps('matrix-js-sdk', { registration, sessions, endings, guests, presets, memberships, doors, directory, upgrade, spaces, relations, threads, windows, lazyMembers, ignoring, profiles, userSettings, pushRules, unreadCounts, countedByRules }, { timeout: 400_000, concurrency: 4 });
