/** `npm run bench -- compare BEFORE.json AFTER.json`: two result files side by side. */
import { parseArgs } from 'node:util';
import { BadCommandLine } from './command-line.ts';
import { compareFiles, comparisonTable, isWorse } from './report/compare.ts';
import { BadResultFile, readResultFile, type ResultFile } from './result-file.ts';

const LIMIT = '1.1';

/** Prints the comparison. Returns the exit code: 1 when something is worse. */
export function compareCommand(args: readonly string[]): number {
  const { paths, limit } = parse(args);
  const [before, after] = [readResultFile(paths[0]), readResultFile(paths[1])];
  if (before.workload !== after.workload) throw new BadResultFile(`${paths[0]} is of ${before.workload}, ${paths[1]} of ${after.workload}: only the same workload can be compared`);
  for (const [title, file] of [['before', before], ['after', after]] as const) console.log(`${title.padEnd(6)}  ${file.workload}, ${file.date}, commit ${file.commit}, Node ${file.node}`);
  for (const difference of differences(before, after)) console.log(`DIFFERENT: ${difference}`);
  const { pairs, onlyBefore, onlyAfter } = compareFiles(before, after);
  if (pairs.length === 0) throw new BadResultFile('the two files have no case in common');
  console.log(`\n${comparisonTable(pairs, limit)}`);
  for (const name of onlyBefore) console.log(`only before: ${name}`);
  for (const name of onlyAfter) console.log(`only after: ${name}`);
  const worse = pairs.filter((pair) => isWorse(pair, limit)).length;
  console.log(`\n${worse} of ${pairs.length} figures are more than ${limit} times worse`);
  return worse === 0 ? 0 : 1;
}

/** What makes two files less comparable. */
function differences(before: ResultFile, after: ResultFile): string[] {
  const same = (['machine', 'node', 'durability'] as const).flatMap((field) => (before[field] === after[field] ? [] : [`${field}: ${before[field]} | ${after[field]}`]));
  const [old, now] = [before.options, after.options].map((options) => JSON.stringify(options));
  return old === now ? same : [...same, `options: ${old} | ${now}`];
}

function parse(args: readonly string[]): { paths: [string, string]; limit: number } {
  try {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: { limit: { type: 'string', default: LIMIT } } });
    const limit = Number(values.limit);
    if (!(limit >= 1)) throw new Error(`--limit has to be a number from 1 on and is ${JSON.stringify(values.limit)}`);
    if (positionals.length !== 2) throw new Error('it takes two result files: BEFORE.json AFTER.json');
    return { paths: positionals as [string, string], limit };
  } catch (error) {
    throw new BadCommandLine(`compare: ${(error as Error).message}`);
  }
}
