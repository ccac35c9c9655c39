/** The program: `myelin` serves, `myelin front` writes a front's configuration, `myelin status` looks at a server. `--help` says the rest. */
import { giveHeapRoom } from '../../pkg/runtime/real/heap-growth.ts';
import { collectWhenIdle } from '../../pkg/runtime/real/idle-collection.ts';
import { installSoundJson } from '../../pkg/runtime/real/sound-json.ts';
import { SettingsError } from './config/settings-error.ts';
import { VERSION } from './version.ts';

const USAGE = `myelin [settings]          serves; \`--roles roomserver,userapi\` and so on runs a part of it
myelin front [options]     writes the configuration of an nginx front for several processes; see \`myelin front --help\`
myelin status [--json]     shows who owns which partitions and how far every consumer is; see \`myelin status --help\`
myelin purge-history ...   deletes the old history of a room; see \`myelin purge-history --help\`
myelin restored            after a backup was put back; see \`myelin restored --help\`
myelin rotate-signing-key  makes a new signing key, for the next start; see \`myelin rotate-signing-key --help\`
myelin user ...            makes, shows and changes accounts and registration tokens; see \`myelin user --help\`
myelin --help | --version
`;

/** Commands other than to serve, with their exit codes. Each loads what it needs by itself: a server would keep the modules of all of them in memory. */
const COMMANDS = new Map<string, (args: readonly string[]) => Promise<number | void>>([
  ['front', async (args) => (await import('./front-command.ts')).writeFront(args)],
  ['status', async (args) => (await import('./status-command.ts')).showStatus(args)],
  ['purge-history', async (args) => (await import('./purge-command.ts')).purgeHistory(args)],
  ['restored', async (args) => (await import('./restored-command.ts')).afterRestore(args)],
  ['rotate-signing-key', async (args) => (await import('./rotate-key-command.ts')).rotateSigningKey(args, Date.now())],
  ['user', async (args) => (await import('./user-command.ts')).commandUser(args)],
]);

async function main(args: readonly string[]): Promise<void> {
  if (args.includes('--version')) return void process.stdout.write(`myelin ${VERSION}\n`);
  const command = COMMANDS.get(args[0] ?? '');
  if (command !== undefined) return void (process.exitCode = (await command(args.slice(1))) ?? process.exitCode);
  if (args.includes('--help') || args.includes('-h')) return void process.stdout.write(`${USAGE}\n${(await import('./config/reference.ts')).settingsHelp()}`);
  await (await import('./serve.ts')).serve(args);
  giveHeapRoom();
  collectWhenIdle();
}

/** What an operator can mend gets one sentence; a bug gets its stack. */
function explain(error: unknown): string {
  if (error instanceof SettingsError) return error.problems.map((problem) => `myelin: ${problem}`).join('\n');
  const known = error instanceof Error && ['StorageError', 'LogUnavailable', 'MigrationError', 'ListenError'].includes(error.name);
  return known ? `myelin: ${(error as Error).message}` : `myelin could not start: ${error instanceof Error ? error.stack : String(error)}`;
}

installSoundJson();
try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${explain(error)}\n`);
  process.exit(error instanceof SettingsError ? 2 : 1);
}
