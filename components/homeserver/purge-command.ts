/** `myelin purge-history`: has the running server purge the history of a room, and shows how far it is. Who interrupts it ends the showing, not the purge. */
import { existsSync, readFileSync } from 'node:fs';
import { createClock } from '../../pkg/runtime/real/clock.ts';
import { askServer, sayRefusal } from './ask-server.ts';
import { loadSettings } from './config/load-settings.ts';
import { SettingsError } from './config/settings-error.ts';
import { PURGE_PATH } from './purge/route.ts';

const USAGE = `myelin purge-history --room ROOM --before EVENT|TIMESTAMP [settings]
Deletes the events of a room from before an event ($…) or a time (a date such as 2025-01-31T00:00:00Z, or ms since 1970) from this server, but for those that the room's state still needs.
It takes the settings that the server was started with, and the server must be running. Other servers keep what they have.
Exit code: 0 done, 1 refused or not reached, 2 the command cannot be understood.
`;

const LOOK_EVERY_MS = 500;

/** Resolves with the exit code. Rejects with `SettingsError` (usage). */
export async function purgeHistory(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(USAGE);
    return 0;
  }
  const { room, before, rest } = readArguments(args);
  const { listen } = loadSettings({ env: process.env, args: rest, readFile: (path) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined) });
  const begun = await askServer(listen, { method: 'POST', path: PURGE_PATH, body: { room_id: room, ...before } });
  if (begun.status !== 200 && begun.body['errcode'] !== 'M_UNKNOWN') return sayRefusal(begun);
  if (begun.body['events'] === 0) {
    process.stdout.write('nothing to purge\n');
    return 0;
  }
  for (let shown = ''; ; await createClock().sleep(LOOK_EVERY_MS)) {
    const now = await askServer(listen, { method: 'GET', path: `${PURGE_PATH}?room_id=${encodeURIComponent(room)}` });
    if (now.status !== 200) return sayRefusal(now);
    const line = `${String(now.body['events_gone'])} events purged, ${String(now.body['events_kept'])} kept for the room's state, ${String(now.body['left'])} left\n`;
    if (line !== shown) process.stdout.write(line);
    shown = line;
    if (now.body['finished'] === true) return 0;
  }
}

function readArguments(args: readonly string[]): { room: string; before: { before_event: string } | { before_ts: number }; rest: string[] } {
  const rest = [...args];
  const take = (name: string): string => {
    const at = rest.indexOf(name);
    const [, value] = at < 0 ? [] : rest.splice(at, 2);
    if (value === undefined) throw new SettingsError([`purge-history needs ${name}; see myelin purge-history --help`]);
    return value;
  };
  const [room, text] = [take('--room'), take('--before')];
  if (text.startsWith('$')) return { room, before: { before_event: text }, rest };
  const ts = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  if (!Number.isSafeInteger(ts) || ts <= 0) throw new SettingsError([`--before is ${JSON.stringify(text)}, but must be an event ID, a date or ms since 1970`]);
  return { room, before: { before_ts: ts }, rest };
}
