/** The text of the config file that the first start makes: what was decided then, and every other setting as a comment with its help. */
import { SETTING_KEYS, SETTINGS, type Setting, type SettingKey } from './setting-table.ts';

const WIDTH = 100;

/** `decided`: settings that the file sets, as text. */
export function configFileText(decided: ReadonlyMap<SettingKey, string>): string {
  const parts = SETTING_KEYS.map((key) => {
    const setting: Setting<unknown> = SETTINGS[key];
    const value = decided.get(key);
    const line = value === undefined ? `# ${key}: ${quoted(setting.default)}` : `${key}: ${quoted(value)}`;
    return [...wrapped(setting.help), ...wrapped(`Allowed: ${setting.type.allowed}.`), line].join('\n');
  });
  return `${HEAD}\n${parts.join('\n\n')}\n`;
}

const HEAD = `# Settings of Myelin. A line without "#" is in force; the others show the default.
# Each can also be set from the environment (MYELIN_LISTEN=...) and by an argument (--listen ...), which win over this file.
`;

/** Words of letters stand as they are; all else in quotes, so that YAML takes it for nothing but text. */
function quoted(value: string): string {
  return /^[a-z][a-z0-9]*$/i.test(value) ? value : JSON.stringify(value);
}

function wrapped(text: string): string[] {
  const lines: string[] = [];
  let line = '#';
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > WIDTH) {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
