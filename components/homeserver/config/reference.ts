/** The reference page and the help text, made from the table of settings. */
import { argumentOf, envNameOf, SETTING_KEYS, SETTINGS, type Setting } from './setting-table.ts';

/** docs/settings.md, in Markdown. */
export function settingsReference(): string {
  const sections = SETTING_KEYS.map((key) => {
    const setting: Setting<unknown> = SETTINGS[key];
    return [
      `## ${key}`, '',
      setting.help, '',
      '| file | environment | argument | default | allowed |',
      '|---|---|---|---|---|',
      `| \`${key}\` | \`${envNameOf(key)}\` | \`${argumentOf(key)}\` | ${setting.default === '' ? '(empty)' : `\`${setting.default}\``} | ${setting.type.allowed} |`,
      '',
    ].join('\n');
  });
  return `${INTRODUCTION}\n${sections.join('\n')}`;
}

/** What \`--help\` prints. */
export function settingsHelp(): string {
  const width = Math.max(...SETTING_KEYS.map((key) => argumentOf(key).length));
  const rows = SETTING_KEYS.map((key) => `  ${argumentOf(key).padEnd(width)}  ${SETTINGS[key].type.allowed} (default: ${SETTINGS[key].default || 'empty'})`);
  return ['Settings (each also from the config file and from the environment, as MYELIN_...):', `  ${'--config'.padEnd(width)}  the config file (default: myelin.yaml in the data folder)`, ...rows, ''].join('\n');
}

const INTRODUCTION = `# Settings

<!-- Made from components/homeserver/config/setting-table.ts by \`npm run docs\`; do not edit. -->

Every setting can stand in the config file (YAML, \`myelin.yaml\` in the data folder, or the file that \`--config\` or \`MYELIN_CONFIG\` names), in the
environment and among the arguments. Arguments win over the environment, the environment over the file, the file over the default. A setting
that is misspelt or not allowed keeps the server from starting, with one sentence that says what is wrong and where it stands. An environment
variable that is empty counts as not set.
`;
