/** For editors and the eslint command; the rules are in test/lint/eslint.mjs. */
import { config } from './test/lint/eslint.mjs';

export default config;
