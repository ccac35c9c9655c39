/** `myelin user`: has the running server make, show and change accounts and registration tokens. */
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import type { Settings } from '../../schemas/config/settings.ts';
import { askServer, sayRefusal, type ServerAnswer } from './ask-server.ts';
import { loadSettings } from './config/load-settings.ts';
import { SettingsError } from './config/settings-error.ts';
import { readUserArguments, type UserArguments } from './users/arguments.ts';
import { renderUserAnswer } from './users/render.ts';
import { USER_PATH } from './users/route.ts';

const USAGE = `myelin user COMMAND [--json] [settings]

  create NAME [--admin]              makes an account. The password is asked for; --password-stdin reads it from standard input, --random-password makes one and shows it
  list [TEXT]                        the accounts whose IDs hold TEXT, or all
  show USER                          one account with its devices
  set-password USER                  as create; the user is logged out everywhere unless --keep-devices
  deactivate USER [--erase]          ends the account for good: it leaves all rooms; with --erase, who joins them later sees what it said redacted
  logout USER                        logs the user out everywhere
  lock USER, unlock USER             a locked user can do nothing but log out
  suspend USER, unsuspend USER       a suspended user can read and leave, and take back what they said
  make-admin USER, revoke-admin USER administrators may lock and suspend others by their clients
  tokens add [TOKEN] [--uses N] [--expires DATE]   gives out a registration token, for \`registration: token\`; without TOKEN a random one
  tokens list
  tokens remove TOKEN

USER is a name, or a whole ID such as @alice:example.org. With --json the answer is JSON.
It takes the settings that the server was started with, and a process of the server must be running on this machine.
Exit code: 0 done, 1 refused or not reached, 2 the command cannot be understood.
`;

/** Resolves with the exit code. Rejects with `SettingsError` (usage). */
export async function commandUser(args: readonly string[]): Promise<number> {
  if (args.length === 0 || args.includes('--help') || args.includes('-h')) {
    process.stdout.write(USAGE);
    return args.length === 0 ? 2 : 0;
  }
  const { wish, needsPassword, json, rest } = readUserArguments(args);
  const { listen } = loadSettings({ env: process.env, args: rest, readFile: (path) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined) });
  const password = needsPassword === undefined ? {} : { password: await readPassword(needsPassword) };
  const answer = wish['command'] === 'list' ? await listAll(listen, wish) : await askServer(listen, { method: 'POST', path: USER_PATH, body: { ...wish, ...password } });
  if (answer.status !== 200) return sayRefusal(answer);
  process.stdout.write(json ? `${JSON.stringify(answer.body, null, 2)}\n` : renderUserAnswer(String(wish['command']), answer.body));
  return 0;
}

/** Page by page. */
async function listAll(listen: Settings['listen'], wish: UserArguments['wish']): Promise<ServerAnswer> {
  const users: { user_id: string }[] = [];
  for (;;) {
    const answer = await askServer(listen, { method: 'POST', path: USER_PATH, body: { ...wish, after: users.at(-1)?.user_id ?? '' } });
    if (answer.status !== 200) return answer;
    const page = answer.body['users'] as typeof users;
    users.push(...page);
    if (page.length === 0) return { status: 200, body: { users } };
  }
}

async function readPassword(from: 'prompt' | 'stdin'): Promise<string> {
  if (from === 'stdin') return readFileSync(0, 'utf8').replace(/\r?\n$/, '');
  if (!process.stdin.isTTY) throw new SettingsError(['there is no terminal to ask for a password at; use --password-stdin or --random-password']);
  const password = await askHidden('Password: ');
  if (password !== await askHidden('Again: ')) throw new SettingsError(['the passwords differ']);
  return password;
}

/** What is typed is not shown. */
function askHidden(question: string): Promise<string> {
  process.stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true });
  return new Promise((resolve) => {
    terminal.question('', (answer) => {
      terminal.close();
      process.stderr.write('\n');
      resolve(answer);
    });
  });
}
