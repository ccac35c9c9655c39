import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadAppservices, parseAppservices } from './appservices.ts';
import { SettingsError } from './settings-error.ts';

const IRC = `
id: "IRC Bridge"
url: "http://127.0.0.1:1234/"
as_token: "as-irc"
hs_token: "hs-irc"
sender_localpart: "_irc_bot"
namespaces:
  users:
    - exclusive: true
      regex: "@_irc_bridge_.*"
  aliases:
    - exclusive: false
      regex: "#_irc_bridge_.*"
  rooms: []
rate_limited: true
protocols: [irc]
org.example.unknown: 1
`;
const LEAST = 'id: least\nurl: null\nas_token: as-least\nhs_token: hs-least\nsender_localpart: least\nnamespaces: {}\n';

function problemsOf(...texts: string[]): readonly string[] {
  try {
    parseAppservices(texts.map((text, index) => ({ name: `${'abc'[index]}.yaml`, text })), 'a.example');
  } catch (error) {
    assert.ok(error instanceof SettingsError, String(error));
    return error.problems;
  }
  return [];
}

test('a registration as the spec shows it, and the least that is one', () => {
  const [irc, least] = parseAppservices([{ name: 'irc.yaml', text: IRC }, { name: 'least.yaml', text: LEAST }], 'a.example');
  assert.deepEqual(irc, {
    id: 'IRC Bridge', url: 'http://127.0.0.1:1234', asToken: 'as-irc', hsToken: 'hs-irc', senderLocalpart: '_irc_bot',
    namespaces: { users: [{ regex: '@_irc_bridge_.*', isExclusive: true }], aliases: [{ regex: '#_irc_bridge_.*', isExclusive: false }], rooms: [] },
    isRateLimited: true, protocols: ['irc'], receivesEphemeral: false,
  });
  assert.deepEqual([least?.url, least?.isRateLimited, least?.namespaces, least?.protocols], [null, false, { users: [], aliases: [], rooms: [] }, []]);
});

test('each fault gets one sentence with the file and the field, and no token is shown', () => {
  const cases: [text: string, expected: string[]][] = [
    [LEAST.replace('id: least', ''), ['a.yaml: id is missing']],
    [LEAST.replace('url: null\n', ''), ['a.yaml: url is missing']],
    [LEAST.replace('null', 'ftp://x'), ['a.yaml: url must be an http or https URL, or null']],
    [LEAST.replace('as-least', '"as least"'), ['a.yaml: as_token must be of visible characters of ASCII']],
    [LEAST.replace('hs-least', '17'), ['a.yaml: hs_token must be a text']],
    [LEAST.replace('sender_localpart: least', 'sender_localpart: Bot'), ["a.yaml: sender_localpart cannot be a user's name: A user name may only contain the characters a-z, 0-9, and ._=-/+"]],
    [LEAST.replace('{}', '{users: [{exclusive: true}]}'), ['a.yaml: namespaces.users[0].regex is missing']],
    [LEAST.replace('{}', '{users: [{regex: "@(x"}, {regex: y, exclusive: 3}]}'), ['a.yaml: namespaces.users[0].regex is not a regular expression', 'a.yaml: namespaces.users[1].exclusive must be true or false']],
    [LEAST.replace('{}', '{rooms: all}'), ['a.yaml: namespaces.rooms must be a list']],
    [LEAST.replace('namespaces: {}', ''), ['a.yaml: namespaces is missing']],
    [`${LEAST}rate_limited: sometimes\nprotocols: irc\n`, ['a.yaml: rate_limited must be true or false', 'a.yaml: protocols must be a list']],
    ['- a list', ['a.yaml: the file must hold lines of the form "field: value"']],
    ['', ['a.yaml: the file must hold lines of the form "field: value"']],
  ];
  for (const [text, expected] of cases) assert.deepEqual(problemsOf(text), expected, text);
  assert.match(problemsOf('id: [').join('\n'), /^a\.yaml: this is not valid YAML: [^\n]+$/);
});

test('two registrations never share an ID, a token or a sender', () => {
  assert.deepEqual(problemsOf(IRC, IRC.replace('as-irc', 'other'), LEAST),
    ['b.yaml: id is the same as in a.yaml', 'b.yaml: hs_token is the same as in a.yaml', 'b.yaml: sender_localpart is the same as in a.yaml']);
  assert.deepEqual(problemsOf(LEAST, IRC.replace('as-irc', 'as-least')), ['b.yaml: as_token is the same as in a.yaml']);
});

test('the YAML files of the folder are read, others are not; a folder that is not there is said', () => {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-appservices-'));
  try {
    for (const [name, text] of [['b.yml', LEAST], ['a.yaml', IRC], ['notes.txt', 'x'], ['.hidden.yaml', 'x'], ['old.yaml.bak', 'x']] as const) writeFileSync(join(folder, name), text);
    assert.deepEqual(loadAppservices(folder, 'a.example').map(({ id }) => id), ['IRC Bridge', 'least']);
    assert.deepEqual(loadAppservices('', 'a.example'), []);
    assert.throws(() => loadAppservices(join(folder, 'none'), 'a.example'), (error: SettingsError) => /^appservice_dir: .*none cannot be read: ENOENT$/.test(error.problems.join()));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
