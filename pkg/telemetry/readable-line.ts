/** One JSON log line as people like to read it: time, level, message, then the fields; the stack of an error below. */

const LEVEL_NAMES: Readonly<Record<string, string>> = { debug: 'debug', info: 'info ', warn: 'WARN ', error: 'ERROR' };

/** `line` as it came when it is not a JSON object. */
export function formatLine(line: string): string {
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return line;
  }
  const { level, time, msg, error, ...fields } = entry;
  const clock = typeof time === 'string' ? time.slice(11, 23) : '';
  const words = [clock, LEVEL_NAMES[String(level)] ?? String(level), String(msg ?? '')];
  for (const [name, value] of Object.entries(fields)) words.push(`${name}=${readable(value)}`);
  return `${words.join(' ')}${errorText(error)}\n`;
}

function readable(value: unknown): string {
  return typeof value === 'string' && !/[\s"]/.test(value) ? value : JSON.stringify(value);
}

function errorText(error: unknown): string {
  if (error === undefined) return '';
  if (typeof error !== 'object' || error === null) return ` error=${readable(error)}`;
  const { stack, message } = error as { stack?: unknown; message?: unknown };
  const text = typeof stack === 'string' ? stack : String(message ?? JSON.stringify(error));
  return `\n    ${text.replaceAll('\n', '\n    ')}`;
}
