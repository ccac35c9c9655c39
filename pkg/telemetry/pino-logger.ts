/** Logs by pino: JSON, one object a line, or a readable line for people at a terminal. */
import { pino } from 'pino';
import { formatLine } from './readable-line.ts';
import type { Logger } from './logger.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Fields that hold secrets: replaced wherever they stand, up to three levels deep. */
const SECRET_FIELDS = [
  'access_token', 'accessToken', 'refresh_token', 'refreshToken', 'password', 'new_password', 'newPassword', 'authorization', 'Authorization',
  'token', 'secret', 'registrationToken', 'registration_token', 'privateKey', 'signingKey',
];
const REDACTED_PATHS = SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]);

/**
 * A logger that writes to standard output, or to `write` (one line a call, with its line end). `fields` are in every line. Errors belong in the field
 * `error`. Secrets are replaced as a last net: they do not belong among the fields in the first place.
 */
export function createLogger(options: { level: LogLevel; format: 'json' | 'pretty'; fields?: object; write?: (line: string) => void }): Logger {
  const target = options.write === undefined ? pino.destination({ dest: 1, sync: true }) : { write: options.write };
  const stream = options.format === 'json' ? target : { write: (line: string) => void target.write(formatLine(line)) };
  return pino({
    level: options.level,
    base: options.fields ?? null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { error: pino.stdSerializers.err },
    redact: { paths: REDACTED_PATHS, censor: '[redacted]' },
  }, stream);
}
