import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SettingsError } from './settings-error.ts';
import { loadTerms, parseTerms } from './terms.ts';

const GOOD = `
privacy_policy:
  version: "1.2"
  en: { name: Privacy Policy, url: https://example.org/privacy-1.2-en.html }
  fr: { name: Politique de confidentialité, url: https://example.org/privacy-1.2-fr.html }
`;

test('policies with their versions and languages', () => {
  assert.deepEqual(parseTerms(GOOD, 'terms.yaml'), {
    privacy_policy: {
      version: '1.2',
      languages: {
        en: { name: 'Privacy Policy', url: 'https://example.org/privacy-1.2-en.html' },
        fr: { name: 'Politique de confidentialité', url: 'https://example.org/privacy-1.2-fr.html' },
      },
    },
  });
  assert.equal(loadTerms(''), undefined);
});

const WRONG: [text: string, said: RegExp][] = [
  ['', /holds no policy/],
  ['a: [', /is not valid YAML/],
  ['- a', /must be policies by their IDs/],
  ['privacy: {en: {name: P, url: https://x.example}}', /privacy\.version must be a text/],
  ['privacy: {version: 1.2, en: {name: P, url: https://x.example}}', /privacy\.version must be a text/],
  ['privacy: {version: "1"}', /privacy\.languages must be there in one language at least/],
  ['privacy: {version: "1", en: {name: P, url: "javascript:alert(1)"}}', /privacy\.languages\.en\.url must be an http or https URL/],
  ['privacy: {version: "1", en: text}', /privacy\.languages\.en must have name and url/],
];
for (const [text, said] of WRONG) {
  test(`${JSON.stringify(text)} is refused in a sentence`, () => {
    assert.throws(() => parseTerms(text, 'terms.yaml'), (error) => error instanceof SettingsError && error.problems.some((problem) => said.test(problem)));
  });
}

test('a file that is not there is refused in a sentence', () => {
  assert.throws(() => loadTerms('/nowhere/terms.yaml'), (error) => error instanceof SettingsError && /cannot be read: ENOENT/.test(error.problems[0] ?? ''));
});
