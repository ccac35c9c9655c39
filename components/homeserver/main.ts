/** The program: `myelin` serves, `myelin front` writes a front's configuration, `myelin status` looks at a server. `--help` says the rest. */
import { giveHeapRoom } from '../../pkg/runtime/real/heap-growth.ts';
import { installSoundJson } from '../../pkg/runtime/real/sound-json.ts';
import { writeFront } from './front-command.ts';
import { settingsHelp } from './config/reference.ts';
import { SettingsError } from './config/settings-error.ts';
import { purgeHistory } from './purge-command.ts';
import { afterRestore } from './restored-command.ts';
import { rotateSigningKey } from './rotate-key-command.ts';
import { serve } from './serve.ts';
import { showStatus } from './status-command.ts';
import { commandUser } from './user-command.ts';
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

async function main(args: readonly string[]): Promise<void> {
  if (args.includes('--version')) return void process.stdout.write(`myelin ${VERSION}\n`);
  if (args[0] === 'front') return writeFront(args.slice(1));
  if (args[0] === 'status') return void (process.exitCode = await showStatus(args.slice(1)));
  if (args[0] === 'purge-history') return void (process.exitCode = await purgeHistory(args.slice(1)));
  if (args[0] === 'restored') return void (process.exitCode = await afterRestore(args.slice(1)));
  if (args[0] === 'rotate-signing-key') return void (process.exitCode = await rotateSigningKey(args.slice(1), Date.now()));
  if (args[0] === 'user') return void (process.exitCode = await commandUser(args.slice(1)));
  if (args.includes('--help') || args.includes('-h')) return void process.stdout.write(`${USAGE}\n${settingsHelp()}`);
  await serve(args);
}

/** What an operator can mend gets one sentence; a bug gets its stack. */
function explain(error: unknown): string {
  if (error instanceof SettingsError) return error.problems.map((problem) => `myelin: ${problem}`).join('\n');
  const known = error instanceof Error && ['StorageError', 'LogUnavailable', 'MigrationError', 'ListenError'].includes(error.name);
  return known ? `myelin: ${(error as Error).message}` : `myelin could not start: ${error instanceof Error ? error.stack : String(error)}`;
}

installSoundJson();
giveHeapRoom();
try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${explain(error)}\n`);
  process.exit(error instanceof SettingsError ? 2 : 1);
}
