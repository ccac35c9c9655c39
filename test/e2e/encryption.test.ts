/**
 * matrix-js-sdk with its Rust crypto talks in encrypted rooms, backs keys up and verifies devices. One process, and two of every role behind a front, whose servers are those of
 * MYELIN_TEST_POSTGRES_URL and MYELIN_TEST_NATS_URL, which `npm test` starts.
 */
// Before the SDK itself, some parts of which take hold of the logger as they are loaded.
import './js-sdk.ts';
import { suiteOfSteps } from './client-suite.ts';
import { backup, conversation, reset, rotation, verification } from './encryption-steps.ts';

suiteOfSteps('end-to-end encryption', { conversation, rotation, backup, verification, reset }, { timeout: 240_000, concurrency: 5 });
