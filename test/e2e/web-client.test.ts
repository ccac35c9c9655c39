/**
 * A web client in Chromium (of MYELIN_TEST_CHROMIUM), at home on another origin than the server: logs in, makes a room, and shows what others do. One process, and two of every role
 * behind a front, whose servers are those of MYELIN_TEST_POSTGRES_URL and MYELIN_TEST_NATS_URL, which `npm test` starts.
 */
import './js-sdk.ts';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser, Locator } from 'playwright-core';
import { available } from '../kit/servers/chromium.ts';
import { camera, openPage, serveWebClient, startBrowser } from './browser.ts';
import { clientModes } from './client-modes.ts';
import { clientOf, logIn, membershipOf, newAccount, newUser, say, seen, type Place } from './js-sdk-user.ts';

let browser: Browser;
let site: Awaited<ReturnType<typeof serveWebClient>>;

before(async () => {
  if (available() !== undefined) return;
  browser = await startBrowser();
  site = await serveWebClient();
});
after(async () => {
  await browser?.close();
  await site?.stop();
});

for (const { mode, settings, stage } of clientModes()) {
  const missing = available() ?? (mode.missing === undefined ? undefined : `${mode.missing} is not here`);
  test(`a web client: ${mode.name}`, { skip: missing ?? false, timeout: 240_000 }, async (t) => {
    const running = await mode.start(settings);
    const place: Place = { baseUrl: running.baseUrl, stage, clients: [] };
    t.after(async () => {
      for (const client of place.clients) client.stopClient();
      await running.stop();
    });
    const picture = camera(`web-client-${stage.type}`);
    const [account, bob] = [await newAccount(place, 'alice'), await newUser(place, 'bob')];
    await clientOf(place, await logIn(place, account)).setDisplayName('Alice A.');
    await bob.client.setDisplayName('Bob B.');
    const { page, complaints } = await openPage(browser);
    t.after(() => page.context().close());
    await page.goto(`${site.url}?server=${encodeURIComponent(running.baseUrl)}`);
    await page.getByLabel('User name').fill(account.userId);
    await page.getByLabel('Password').fill('guessed');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('alert').getByText('Wrong user name or password').waitFor();
    t.diagnostic(await picture(page, 'login'));
    complaints.length = 0;
    await page.getByLabel('Password').fill(account.password);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByLabel('Name of a new room').fill('Tea at five');
    await page.getByLabel('Whom to invite').fill(bob.userId);
    await page.getByRole('button', { name: 'Create a room' }).click();
    await page.getByRole('heading', { name: 'Tea at five' }).waitFor();
    const messages = page.getByLabel('Messages').getByRole('listitem');
    await page.getByLabel('Message', { exact: true }).fill('Is there any cake?');
    await page.getByRole('button', { name: 'Send' }).click();
    const question = messages.filter({ hasText: 'Is there any cake?' });
    await question.and(page.locator('[data-event-id^="$"]')).waitFor();
    const [roomId, questionId] = [bob.client.getRooms()[0]!.roomId, (await question.getAttribute('data-event-id'))!];
    await membershipOf(bob.client, roomId, 'invite');
    await bob.client.joinRoom(roomId);
    await membershipOf(bob.client, roomId, 'join');
    await bob.client.sendEvent(roomId, 'm.reaction' as never, { 'm.relates_to': { rel_type: 'm.annotation', event_id: questionId, key: '♥' } } as never);
    await question.getByText('♥ 1').waitFor();
    const answer = await say(bob, roomId, 'Yes, lemmon cake', { 'm.relates_to': { 'm.in_reply_to': { event_id: questionId } } });
    await messages.filter({ hasText: 'Yes, lemmon cake' }).waitFor();
    await say(bob, roomId, '* Yes, lemon cake', { 'm.new_content': { msgtype: 'm.text', body: 'Yes, lemon cake' }, 'm.relates_to': { rel_type: 'm.replace', event_id: answer } });
    await messages.filter({ hasText: 'Yes, lemon cake(edited)' }).waitFor();
    assert.deepEqual(await bodies(messages), ['Is there any cake?', 'Yes, lemon cake(edited)'], 'an edit is no message of its own');
    await bob.client.sendTyping(roomId, true, 20_000);
    await page.getByRole('status').getByText('Bob B. is writing').waitFor();
    const rude = await say(bob, roomId, 'But none for you!');
    await messages.filter({ hasText: 'But none for you!' }).waitFor();
    await bob.client.redactEvent(roomId, rude);
    await messages.filter({ hasText: 'This message was taken back' }).waitFor();
    t.diagnostic(await picture(page, 'room'));
    await page.getByLabel('Name of a new room').fill('Garden');
    await page.getByRole('button', { name: 'Create a room' }).click();
    await page.getByRole('heading', { name: 'Garden' }).waitFor();
    await say(bob, roomId, 'Where are you?', { 'm.mentions': { user_ids: [account.userId] } });
    await page.getByRole('button', { name: 'Tea at five' }).getByTitle('unread').getByText('1', { exact: true }).waitFor();
    t.diagnostic(await picture(page, 'unread'));
    await seen(bob.client, roomId, questionId);
    // The SDK asks every server for what only some drafts have.
    assert.deepEqual(complaints.filter((text) => !text.includes('/unstable/org.matrix.msc4143/')), []);
  });
}

async function bodies(messages: Locator): Promise<string[]> {
  return messages.locator('.body').allTextContents();
}
