/**
 * Style that a program can check. `eslint.test.ts` plants a fault for each rule.
 * Run with `npm run check`; the flat configuration file at the root (eslint.config.mjs) hands this on to editors.
 */
import ts from 'typescript-eslint';

const RUNTIME = 'time, randomness, tasks and the network come from pkg/runtime, so that the simulator can drive them';
const BANNED_GLOBALS = ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'fetch', 'performance', 'crypto', 'process', 'WebSocket', 'Worker'];

/** Files that may touch the outside world. */
const RIM = ['pkg/runtime/**', 'pkg/{log,storage}/{kafka,nats,embedded,postgres,sqlite}/**', 'pkg/http/listener.ts', 'pkg/telemetry/**', 'components/homeserver/**'];
const PRODUCT = ['{components,pkg,schemas}/**/*.ts'];
const TESTS = ['**/*.test.ts'];

/** Sizes: a function is one screen, a file can be read in one sitting. */
const SIZES = {
  'max-lines': ['error', { max: 500, skipBlankLines: true, skipComments: true }],
  'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
  'max-params': ['error', 4],
  'complexity': ['error', 15],
  'max-depth': ['error', 3],
};

const SYNTAX = [
  { selector: 'ExportDefaultDeclaration', message: 'named exports only' },
  { selector: 'TSEnumDeclaration', message: 'a union of literals says the same and disappears at run time' },
  { selector: 'TSModuleDeclaration[kind="namespace"]', message: 'a module is a namespace' },
];
const CLOCK_SYNTAX = [
  { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: RUNTIME },
  { selector: "MemberExpression[object.name='AbortSignal'][property.name='timeout']", message: RUNTIME },
  { selector: "MemberExpression[object.name='globalThis']", message: RUNTIME },
];

export const config = ts.config(
  { ignores: ['dist/**', 'data/**', '.cache/**', 'node_modules/**', '**/fixtures/**'] },
  {
    files: ['{components,pkg,schemas,test,bench}/**/*.ts'],
    plugins: { '@typescript-eslint': ts.plugin },
    languageOptions: { parser: ts.parser, parserOptions: { projectService: true } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/no-floating-promises': ['error', { allowForKnownSafeCalls: [{ from: 'package', name: ['test', 'describe', 'it', 'suite'], package: 'node:test' }] }],
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false, attributes: false } }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports', disallowTypeAnnotations: false }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-restricted-syntax': ['error', ...SYNTAX],
      'max-lines': SIZES['max-lines'],
      'eqeqeq': 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      'no-debugger': 'error',
    },
  },
  {
    files: PRODUCT,
    ignores: TESTS,
    rules: {
      ...SIZES,
      'no-console': 'error',
      'no-restricted-properties': ['error', { object: 'Promise', property: 'race', message: 'it hides the losers and keeps them alive; use the runtime' }],
    },
  },
  {
    files: PRODUCT,
    ignores: [...RIM, ...TESTS],
    rules: {
      'no-restricted-globals': ['error', ...BANNED_GLOBALS.map((name) => ({ name, message: RUNTIME }))],
      'no-restricted-properties': ['error',
        { object: 'Date', property: 'now', message: RUNTIME },
        { object: 'Math', property: 'random', message: RUNTIME },
        { object: 'Promise', property: 'race', message: 'it hides the losers and keeps them alive; use the runtime' },
      ],
      'no-restricted-syntax': ['error', ...SYNTAX, ...CLOCK_SYNTAX],
      // node:crypto is allowed for what is deterministic; its random functions are not.
      'no-restricted-imports': ['error', {
        paths: ['node:crypto', 'crypto'].map((name) => ({
          name,
          importNames: ['randomBytes', 'randomUUID', 'randomInt', 'randomFill', 'randomFillSync', 'webcrypto', 'getRandomValues', 'default'],
          message: RUNTIME,
        })),
      }],
    },
  },
);
