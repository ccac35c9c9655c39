/**
 * Who may import whom. One rule is one sentence of ARCHITECTURE.md; `depcruise.test.ts` plants a fault for each of them.
 * The direction: components/homeserver -> components/<island>/index.ts -> pkg -> schemas; test and bench may import anything.
 */
const PRODUCT = '^(components|pkg|schemas)/';
const DRIVERS = '^pkg/(log|storage)/(kafka|nats|embedded|postgres|sqlite)/';
/** The connections to other servers. */
const NETWORK = '^pkg/federation/transport/';
const TESTS = '[.]test[.]ts$';
/** The clients of brokers and databases, the web framework, the logger and the meter: each has one place. */
const OUTSIDE_WORLD = '(^|/)node_modules/(kafkajs|nats|pg|better-sqlite3|express|pino|prom-client|sodium-native)/';
const OUTSIDE_WORLD_HOMES = `${DRIVERS}|^pkg/http/listener[.]ts$|^pkg/telemetry/|^pkg/runtime/`;

/** Each rule is an error: there are no warnings to get used to. */
const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

export default {
  forbidden: [
    rule('no-unresolvable', 'Every import exists.', {}, { couldNotResolve: true }),
    rule('no-circular', 'No module imports itself by a detour, types included.', { path: PRODUCT }, { circular: true }),
    rule('schemas-import-nothing', 'schemas/ is the contract of all and knows nobody.',
      { path: '^schemas/' }, { path: '^(components|pkg|test|bench|bin)/' }),
    rule('pkg-never-imports-components', 'pkg/ is below the components.',
      { path: '^pkg/' }, { path: '^components/' }),
    rule('components-are-islands', 'Components meet in the logs (schemas/log) and in query ports (schemas/ports); only homeserver wires them.',
      { path: '^components/(?!homeserver/)([^/]+)/', pathNot: TESTS }, { path: '^components/', pathNot: '^components/$1/' }),
    rule('homeserver-uses-front-doors', 'The composition root takes a component by its index.ts.',
      { path: '^components/homeserver/', pathNot: TESTS }, { path: '^components/(?!homeserver/)[^/]+/', pathNot: '^components/[^/]+/index[.]ts$' }),
    rule('drivers-only-from-root', 'Which log, which database and which network it is, is decided in the composition root.',
      { path: '^(components|pkg)/', pathNot: `^components/homeserver/|${DRIVERS}|${NETWORK}|${TESTS}` }, { path: `${DRIVERS}|${NETWORK}` }),
    rule('clients-only-in-their-place', 'Broker and database clients live in drivers, Express in the listener, pino and prom-client in telemetry.',
      { path: PRODUCT, pathNot: `${OUTSIDE_WORLD_HOMES}|${TESTS}` }, { path: OUTSIDE_WORLD }),
    rule('matrix-is-pure', 'pkg/matrix: values in, values out.',
      { path: '^pkg/matrix/', pathNot: TESTS }, { path: '^(pkg/(?!(matrix|assert)/)|components/)' }),
    rule('io-only-at-the-rim', 'Node core modules are for pkg/runtime, the drivers, the connections to other servers, the listener and the composition root; deterministic functions (node:crypto, node:buffer) and types are for all.',
      { path: PRODUCT, pathNot: `^pkg/runtime/|${DRIVERS}|${NETWORK}|^pkg/http/(listener|doors|waiting-connections)[.]ts$|^pkg/telemetry/|^components/homeserver/|${TESTS}` },
      { dependencyTypes: ['core'], dependencyTypesNot: ['type-only'], pathNot: '^(node:)?(crypto|buffer)$' }),
    rule('no-production-import-of-tests', 'The product runs without test/ and bench/.',
      { path: PRODUCT, pathNot: TESTS }, { path: `^(test|bench)/|${TESTS}` }),
    rule('no-development-packages-in-production', 'What the product imports is a dependency, not a devDependency.',
      { path: PRODUCT, pathNot: TESTS }, { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] }),
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|data|[.]cache)/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types', 'default'] },
  },
};
