/** Type of `eslint.mjs`, which is plain JavaScript so that the command-line tool can load it. */
import type { Linter } from 'eslint';

export declare const config: Linter.Config[];
