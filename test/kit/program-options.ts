/** What a program of the tests was asked for on its command line. */
import { parseArgs, type ParseArgsConfig } from 'node:util';

type Options = NonNullable<ParseArgsConfig['options']>;
type Values<T extends Options> = ReturnType<typeof parseArgs<{ options: T }>>['values'];

/**
 * The values of the options. With `--help`, prints `usage` and ends the process; with what is no option, or no whole number of at least what `numbers` says for it, prints that and the usage, and ends
 * it with exit code 2.
 */
export function programOptions<const T extends Options>({ usage, numbers, options }: { usage: string; numbers: { readonly [name in keyof T]?: number }; options: T }): Values<T> {
  const refuse = (problem: string): never => {
    console.error(`${problem}\n${usage}`);
    process.exit(2);
  };
  if (process.argv.includes('--help')) {
    console.log(usage);
    process.exit(0);
  }
  const parse = (): Values<T> => {
    try {
      return parseArgs({ options }).values;
    } catch (error) {
      return refuse((error as Error).message);
    }
  };
  const values = parse();
  for (const [name, least] of Object.entries(numbers as Record<string, number>)) {
    const value = (values as Record<string, unknown>)[name];
    if (typeof value === 'string' && (!/^\d{1,9}$/.test(value) || Number(value) < least)) refuse(`--${name} has to be a whole number, ${least} at least, and is ${JSON.stringify(value)}`);
  }
  return values;
}
