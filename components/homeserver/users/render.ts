/** PURE. Answers of `myelin user` for people. */
type Row = Readonly<Record<string, unknown>>;

/** Whole lines. `command` as the server knows it. */
export function renderUserAnswer(command: string, body: Row): string {
  if (Array.isArray(body['users'])) return table((body['users'] as Row[]).map(userRow), 'there are no such users');
  if (Array.isArray(body['tokens'])) return table((body['tokens'] as Row[]).map(tokenRow), 'there are no registration tokens');
  if (command === 'show') return `${JSON.stringify(body, null, 2)}\n`;
  const { password, ...rest } = body;
  const said = Object.entries(rest).filter(([, value]) => value !== false).map(([name, value]) => (value === true ? name : name === 'expires' ? `expires ${time(value)}` : `${name} ${String(value)}`));
  return `${said.join(', ')}\n${password === undefined ? '' : `password ${String(password)}\n`}`;
}

const KINDS = ['admin', 'guest', 'locked', 'suspended', 'deactivated', 'erased'];

function userRow(user: Row): string[] {
  return [String(user['user_id']), time(user['created']), KINDS.filter((kind) => user[kind] === true).join(' ')];
}

function tokenRow(token: Row): string[] {
  const allowed = token['uses_allowed'] === 0 ? 'any number' : String(token['uses_allowed']);
  const pending = token['pending'] === 0 ? '' : `, ${String(token['pending'])} under way`;
  return [String(token['token']), `used ${String(token['completed'])} of ${allowed}${pending}`, token['expires'] === 0 ? 'for ever' : `until ${time(token['expires'])}`];
}

function time(ms: unknown): string {
  return typeof ms === 'number' && ms > 0 ? new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium', timeZone: 'UTC' }).format(ms) : 'never';
}

function table(rows: readonly string[][], nothing: string): string {
  if (rows.length === 0) return `${nothing}\n`;
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => `${row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd()}\n`).join('');
}
