/** Settings that cannot be changed once there is data: the first start remembers them in the database, later ones are compared with it. */
import type { Database, Migration } from '../../../pkg/storage/database.ts';
import { SettingsError } from './settings-error.ts';

/** To be run under the namespace `homeserver`, in the roomserver's database. */
export const fixedSettingsMigrations: readonly Migration[] = [
  { number: 1, name: 'fixed settings', statements: ['CREATE TABLE fixed_settings (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)'] },
];

export interface FixedSettings {
  readonly serverName: string;
  readonly partitions: number;
  /** For example `ed25519:a_1 <public key in base64>`; all processes of a server sign with one key. */
  readonly signingKey: string;
  /** Keys that it has signed with before, in the same form: the data may have been made with one of them. */
  readonly oldSigningKeys?: readonly string[];
}

/** Remembers what is not remembered yet. Throws `SettingsError` when something differs from what the data was made with. */
export async function checkFixedSettings(database: Database, settings: FixedSettings): Promise<void> {
  const wanted = new Map([
    ['server_name', settings.serverName],
    ['partitions', String(settings.partitions)],
    ['signing_key', settings.signingKey],
  ]);
  const kept = await database.transaction(async (tx) => {
    await tx.insertMany({ into: 'fixed_settings', columns: ['name', 'value'], rows: [...wanted], onConflict: 'ON CONFLICT (name) DO NOTHING' });
    for (const old of settings.oldSigningKeys ?? []) await tx.run("UPDATE fixed_settings SET value = ? WHERE name = 'signing_key' AND value = ?", [settings.signingKey, old]);
    return tx.query<{ name: string; value: string }>('SELECT name, value FROM fixed_settings ORDER BY name');
  });
  const problems = kept.filter(({ name, value }) => wanted.has(name) && wanted.get(name) !== value).map(({ name, value }) => sentence(name, value, wanted.get(name) as string));
  if (problems.length > 0) throw new SettingsError(problems);
}

function sentence(name: string, kept: string, wanted: string): string {
  if (name === 'signing_key') {
    return `the signing key is ${wanted}, but this database was made with ${kept}; bring the old signing.key back, or name the key before in old-signing-keys (\`myelin rotate-signing-key\` does); every process of a server needs the same one`;
  }
  return `${name} is ${wanted}, but this database was made with ${kept}, and it cannot be changed afterwards`;
}
