/** Step 3: settings that are each allowed but do not go together. */
import { ROLES } from '../../../schemas/config/settings.ts';
import { argumentOf, envNameOf, type SettingKey, type SettingValues } from './setting-table.ts';

/** One sentence for each contradiction. `origins`: where the settings that were given stand. */
export function checkTogether(values: SettingValues, origins: ReadonlyMap<SettingKey, string>): string[] {
  const where = (key: SettingKey) => `${key} (${origins.get(key) ?? 'default'})`;
  const problems: string[] = [];
  const some = values.roles.length < ROLES.length;
  if (some && values.log.kind === 'embedded') {
    problems.push(`${where('log')} is embedded, which needs all roles in one process, but ${where('roles')} is only ${values.roles.join(', ')}; `
      + 'use nats:// or kafka://, or run all roles');
  }
  if (some && values.database.kind === 'sqlite') {
    problems.push(`${where('database')} is sqlite, which one process alone can use, but ${where('roles')} is only ${values.roles.join(', ')}; `
      + 'use a postgres:// URL, or run all roles');
  }
  if (values.registration === 'open' && !values.registration_open_without_verification) {
    problems.push(`${where('registration')} is open, so that robots too can make accounts; use token, or, if that is meant, set registration_open_without_verification with `
      + `${envNameOf('registration_open_without_verification')}, ${argumentOf('registration_open_without_verification')} or in the config file`);
  }
  const missing = (['tls_certificate', 'tls_key'] as const).filter((key) => values[key] === '');
  if (values.tls_listen !== null && missing.length > 0) {
    problems.push(`${where('tls_listen')} needs a certificate and its key, but there is no ${missing.join(' and no ')}; name the ${missing.length > 1 ? 'files' : 'file'}, or leave tls_listen empty`);
  }
  if (values.federation_retry_first_ms > values.federation_retry_max_ms) {
    problems.push(`${where('federation_retry_first_ms')} is ${values.federation_retry_first_ms}, which is more than ${where('federation_retry_max_ms')}, ${values.federation_retry_max_ms}`);
  }
  return problems;
}
