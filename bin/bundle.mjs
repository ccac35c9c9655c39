/**
 * The last step of a build: the program and most of its packages in a few files. Node finds, reads and links modules one by one, and there are 1,400 of them (docs/decisions/0023-one-bundle.md).
 * What is loaded only where it is needed (a database, a log, a command) stays in files of its own. `node bin/bundle.mjs`, after tsc.
 */
import { readFile } from 'node:fs/promises';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const DIST = resolve(dirname(fileURLToPath(import.meta.url)), '../dist');
const BUNDLE = join(DIST, 'bundle');
/** Packages with machine code or workers of their own, whose insides we reach into (kafkajs), or that nobody has installed (pg-native). */
const EXTERNAL = ['better-sqlite3', 'sodium-native', 'pino', 'kafkajs', 'pg-native'];
/** Packages written for `require` ask it for Node's own modules. */
const REQUIRE = `import { createRequire as __requireOf } from 'node:module'; const require = __requireOf(import.meta.url);`;

/** Modules that look for files beside them find them where tsc has put them: all files of the bundle lie in one folder. */
const ownPlaces = {
  name: 'own-places',
  setup(building) {
    building.onLoad({ filter: /\.js$/ }, async ({ path }) => {
      if (!path.startsWith(DIST)) return undefined;
      const text = await readFile(path, 'utf8');
      if (!text.includes('import.meta')) return undefined;
      const place = `new URL(${JSON.stringify(relative(BUNDLE, path))}, import.meta.url)`;
      return { contents: text.replaceAll('import.meta.url', `${place}.href`).replaceAll('import.meta.filename', `${place}.pathname`) };
    });
  },
};

const { outputFiles } = await build({
  entryPoints: [join(DIST, 'components/homeserver/main.js')],
  outdir: BUNDLE,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  external: EXTERNAL,
  banner: { js: REQUIRE },
  plugins: [ownPlaces],
  sourcemap: 'external',
  sourcesContent: false,
  write: false,
  logLevel: 'error',
});

mkdirSync(BUNDLE, { recursive: true });
const written = new Set();
for (const { path, text } of outputFiles) write(path.endsWith('.map') ? path.replace(/map$/, 'lines') : path, path.endsWith('.map') ? linesOf(text) : text);
for (const name of readdirSync(BUNDLE)) if (!written.has(name)) rmSync(join(BUNDLE, name));

function write(path, text) {
  writeFileSync(path, text);
  written.add(basename(path));
}

/**
 * What stack traces need of a source map (bin/stack-lines.mjs): `{ sources, lines }`, where `lines` has two numbers for each line of the file, the source's place in `sources` and the line there, from 1; -1 where there is
 * none. A tenth of the map, which would take 60 ms and 13 MB to read.
 */
function linesOf(mapText) {
  const payload = JSON.parse(mapText);
  const map = new SourceMap(payload);
  const places = new Map(payload.sources.map((source, index) => [source, index]));
  const lines = [];
  for (const line of payload.mappings.split(';').keys()) {
    const entry = map.findEntry(line, Infinity);
    const isHere = entry.generatedLine === line;
    lines.push(isHere ? (places.get(entry.originalSource) ?? -1) : -1, isHere ? entry.originalLine + 1 : 0);
  }
  return JSON.stringify({ sources: payload.sources, lines });
}
