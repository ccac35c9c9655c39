/** The server's own pages in Chromium (of MYELIN_TEST_CHROMIUM), which their content security policy lets do their work: registration, login and terms of people whose client lacks a step. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { available } from '../kit/servers/chromium.ts';
import { call, PASSWORD, V3, type Answer } from './api-client.ts';
import { camera, openPage, startBrowser } from './browser.ts';
import { modes, type RunningMode } from './modes.ts';

const TERMS = `privacy:
  version: "2"
  en: { name: Privacy policy, url: "https://e2e.test/privacy" }
  de: { name: Datenschutz, url: "https://e2e.test/datenschutz" }
rules:
  version: "1.1"
  en: { name: Rules of the house, url: "https://e2e.test/rules" }
`;
const SECRET = 'known-to-the-kitchen';

const skip = available() ?? false;
const picture = camera('page');
let folder: string | undefined;
let running: RunningMode;
let browser: Browser;

before(async () => {
  if (skip !== false) return;
  folder = mkdtempSync(join(tmpdir(), 'myelin-terms-'));
  const terms = join(folder, 'terms.yaml');
  writeFileSync(terms, TERMS);
  running = await modes()[0]!.start({ MYELIN_REGISTRATION: 'token', MYELIN_REGISTRATION_TOKEN: 'teapot', MYELIN_TERMS_FILE: terms, MYELIN_REGISTRATION_SHARED_SECRET: SECRET });
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await running?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true });
});

const post = (path: string, body: object, token?: string): Promise<Answer> => call(running.baseUrl, 'POST', path.startsWith('/_') ? path : V3 + path, { body, ...(token !== undefined && { token }) });
const heading = (page: Page, name: string): Promise<void> => page.getByRole('heading', { name }).waitFor();

test('a new user takes both steps on pages, which tell the client when they are done', { skip, timeout: 120_000 }, async (t) => {
  const wish = { username: 'carol', password: PASSWORD };
  const { body: begun } = await post('/register', wish);
  assert.deepEqual(begun.flows, [{ stages: ['m.login.terms', 'm.login.registration_token'] }]);
  const { page, complaints } = await openPage(browser);
  const pageOf = async (type: string): Promise<Page> => {
    // As clients do: in a window of its own, which talks to the one that opened it.
    await page.evaluate("window.told = []; window.addEventListener('message', (event) => window.told.push(event.data))");
    const opened = page.waitForEvent('popup');
    await page.evaluate(`void window.open(${JSON.stringify(`${running.baseUrl}${V3}/auth/${type}/fallback/web?session=${encodeURIComponent(begun.session as string)}`)})`);
    return opened;
  };
  const terms = await pageOf('m.login.terms');
  await heading(terms, 'Terms');
  t.diagnostic(await picture(terms, 'terms'));
  await terms.getByRole('button', { name: 'I accept' }).click();
  await heading(terms, 'Terms');
  assert.equal(await terms.getByRole('checkbox').count(), 2, 'who has ticked nothing has accepted nothing');
  for (const box of await terms.getByRole('checkbox').all()) await box.check();
  await terms.getByRole('button', { name: 'I accept' }).click();
  await heading(terms, 'Done');
  await page.waitForFunction("window.told.includes('authDone')");
  t.diagnostic(await picture(terms, 'done'));
  const token = await pageOf('m.login.registration_token');
  await token.getByLabel('Token').fill('kettle');
  await token.getByRole('button', { name: 'Continue' }).click();
  await token.getByRole('alert').getByText('not valid').waitFor();
  t.diagnostic(await picture(token, 'token'));
  await token.getByLabel('Token').fill('teapot');
  await token.getByRole('button', { name: 'Continue' }).click();
  await heading(token, 'Done');
  await page.waitForFunction("window.told.includes('authDone')");
  const { status, body } = await post('/register', { ...wish, auth: { session: begun.session } });
  assert.deepEqual([status, body.user_id], [200, '@carol:e2e.test']);
  assert.deepEqual(complaints, []);
  await token.reload();
  await heading(token, 'This does not work');
  t.diagnostic(await picture(token, 'ended'));
  await page.context().close();
});

test('a client that cannot log in has the page do it', { skip, timeout: 120_000 }, async (t) => {
  await makeUser('dave');
  const { page, complaints } = await openPage(browser, { dark: true, width: 390, height: 700 });
  await page.addInitScript('window.matrixLogin = { onLogin: (response) => { window.told = response; } }');
  await page.goto(`${running.baseUrl}/_matrix/static/client/login/?device_id=PHONE&initial_device_display_name=Phone`);
  await page.getByLabel('User name').fill('dave');
  await page.getByLabel('Password').fill('guessed');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('alert').getByText('Wrong user name or password').waitFor();
  t.diagnostic(await picture(page, 'login'));
  // A refused request is one of its complaints, whoever makes it.
  assert.equal(complaints.splice(0).length, 1);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('status').getByText('@dave:e2e.test').waitFor();
  t.diagnostic(await picture(page, 'logged-in'));
  const told = await page.evaluate('window.told') as { user_id: string; device_id: string; access_token: string };
  assert.deepEqual([told.user_id, told.device_id], ['@dave:e2e.test', 'PHONE']);
  assert.equal((await call(running.baseUrl, 'GET', `${V3}/account/whoami`, { token: told.access_token })).body.device_id, 'PHONE');
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test('a user of before the terms accepts them on the page that the refusal names', { skip, timeout: 120_000 }, async (t) => {
  const token = await makeUser('erin');
  const { status, body } = await post('/createRoom', {}, token);
  assert.deepEqual([status, body.errcode], [403, 'M_CONSENT_NOT_GIVEN']);
  const { page, complaints } = await openPage(browser);
  await page.goto(body.consent_uri as string);
  await heading(page, 'The terms of e2e.test');
  t.diagnostic(await picture(page, 'consent'));
  await page.getByRole('button', { name: 'I accept' }).click();
  await heading(page, 'Thank you');
  t.diagnostic(await picture(page, 'thanks'));
  assert.equal((await post('/createRoom', {}, token)).status, 200);
  assert.deepEqual(complaints, []);
  await page.context().close();
});

/** By the door for administrators, where nobody is asked for terms. Resolves with an access token. */
async function makeUser(username: string): Promise<string> {
  const { body: { nonce } } = await call(running.baseUrl, 'GET', '/_synapse/admin/v1/register');
  const mac = createHmac('sha1', SECRET).update([nonce, username, PASSWORD, 'notadmin'].join('\0')).digest('hex');
  const { status, body } = await post('/_synapse/admin/v1/register', { nonce, username, password: PASSWORD, admin: false, mac });
  assert.equal(status, 200, JSON.stringify(body));
  return body.access_token as string;
}
