// The token, taken apart; and what becomes of it.
import assert from 'node:assert/strict';
import { answered, api, part, see, signUp, story, tokenOf } from './kit.js';

// claims reads a token as any library does that has no key.
const claims = (token, part = 1) => JSON.parse(Buffer.from(token.split('.')[part], 'base64url'));

story('every claim is shown as it stands in the token, with a phrase for it', async ({ page }) => {
  await signUp(page);
  const tokens = [await tokenOf(page), await tokenOf(page, 'Refresh token')];
  for (const which of [0, 1]) {
    const [access, refresh] = tokens.map((token) => claims(token, which));
    assert.deepEqual(Object.keys(access), Object.keys(refresh));
    for (const [name, value] of Object.entries(access)) {
      const row = page.getByRole('row').filter({ has: page.getByRole('rowheader', { name: new RegExp(`^${name} `) }) });
      const cells = await row.getByRole('cell').allInnerTexts();
      assert.equal(cells.length, 2, name);
      assert(lines(cells[0]).includes(JSON.stringify(value)), `${name} of the access token: ${cells[0]}`);
      assert(lines(cells[1]).includes(JSON.stringify(refresh[name])), `${name} of the refresh token: ${cells[1]}`);
      assert((await row.getByRole('rowheader').innerText()).length > name.length + 10, `${name} is explained`);
    }
  }
  const signature = page.getByRole('row').filter({ has: page.getByRole('rowheader', { name: /^HS256 / }) });
  assert.deepEqual((await signature.getByRole('cell').allInnerTexts()).map((s) => s.trim()), tokens.map((token) => token.split('.')[2]));
});

const lines = (text) => text.split(/[\n\t]+/).map((line) => line.trim());

// Where each registered claim is defined (RFC 7519 §4.1, RFC 7515 §4.1).
const sources = { alg: '7515#section-4.1.1', kid: '7515#section-4.1.4', typ: '7519#section-5.1', iss: '7519#section-4.1.1', sub: '7519#section-4.1.2', exp: '7519#section-4.1.4', nbf: '7519#section-4.1.5', iat: '7519#section-4.1.6', jti: '7519#section-4.1.7' };

story('a registered claim links to its section', async ({ page }) => {
  await signUp(page);
  for (const [claim, source] of Object.entries(sources)) {
    const link = page.getByRole('rowheader', { name: new RegExp(`^${claim} `) }).getByRole('link');
    assert.equal(await link.getAttribute('href'), `https://www.rfc-editor.org/rfc/rfc${source}`, claim);
    assert.match(await link.getAttribute('rel'), /noopener/, claim);
  }
});

story('the three parts of a token have three colours, and all of it is there', async ({ page }) => {
  await signUp(page);
  for (const title of ['Access token', 'Refresh token']) {
    const token = await tokenOf(page, title);
    const shown = page.getByRole('group', { name: `${title}, as it is sent` });
    assert.equal(await shown.innerText(), token);
    const colours = await Promise.all(['header', 'payload', 'signature'].map((name) => shown.getByTitle(name).evaluate((part) => getComputedStyle(part).color)));
    assert.equal(new Set(colours).size, 3, colours.join(' '));
  }
});

story('what is not encrypted is said plainly', async ({ page }) => {
  await signUp(page);
  await see(page.getByRole('complementary', { name: 'What is not secret' }).getByText('Signed, not encrypted.'));
});

// secondsLeft reads a countdown such as "14 min 59 s left".
async function secondsLeft(timer) {
  const [, minutes, seconds] = /^(\d+) min(?: (\d+) s)? left$/.exec(await timer.innerText());
  return 60 * Number(minutes) + Number(seconds ?? 0);
}

story('the countdown counts down', { clock: true }, async ({ page }) => {
  await signUp(page);
  const timers = [page.getByRole('article', { name: 'Access token' }).getByRole('timer'), page.getByRole('link', { name: /Signed in as/ }).getByRole('timer')];
  // Each answer tells the page the server's time, so none may be on its way.
  for (const request of ['GET /api/v1/auth/tokens', 'GET /api/v1/events']) await answered(page, request);
  await page.evaluate(() => Object.defineProperty(document, 'hidden', { value: true })); // so it doesn't look whether the server is there
  await page.clock.pauseAt(Date.now() + 1_000);
  const before = await Promise.all(timers.map(secondsLeft));
  assert(before[0] > 14 * 60 - 10 && before[0] <= 15 * 60, `${before[0]} s left`);
  await page.clock.runFor(60_000);
  const after = await Promise.all(timers.map(secondsLeft));
  assert.deepEqual(after, before.map((left) => left - 60));
});

story('an access token that has expired is said so, and the refresh token gets a new one', { clock: true }, async ({ page }) => {
  await signUp(page);
  const old = await tokenOf(page);
  await page.clock.fastForward('15:01');
  const alert = page.getByRole('alert').filter({ hasText: 'Your access token has expired.' });
  await see(alert);
  await see(page.getByRole('article', { name: 'Access token' }).getByRole('timer').filter({ hasText: /^expired .* ago$/ }));
  await alert.getByRole('button', { name: 'Refresh' }).click();
  await alert.waitFor({ state: 'hidden' });
  assert.notEqual(claims(await tokenOf(page)).jti, claims(old).jti);
});

story('with -rotate-refresh the page goes on with the next refresh token', { args: ['-rotate-refresh'] }, async ({ page, shelf }) => {
  await signUp(page);
  for (const n of [3, 5, 7]) { // the ids of new access tokens
    const refresh = await tokenOf(page, 'Refresh token');
    await page.getByRole('article', { name: 'Access token' }).getByRole('button', { name: 'Refresh' }).click();
    await see(page.getByRole('row', { name: new RegExp(`^${n} this page’s access`) }));
    assert.notEqual(await tokenOf(page, 'Refresh token'), refresh);
  }
  assert.equal((await api(shelf, await tokenOf(page), 'GET /api/v1/auth/me')).status, 200);
});

story('a refresh gets another access token, and the old one stays good', async ({ page, shelf }) => {
  await signUp(page);
  const [old, refresh] = [await tokenOf(page), await tokenOf(page, 'Refresh token')];
  await page.getByRole('article', { name: 'Access token' }).getByRole('button', { name: 'Refresh' }).click();
  await see(page.getByRole('status').filter({ hasText: 'A new access token' }));
  await see(page.getByRole('row', { name: /^3 this page’s access/ }));
  const made = await tokenOf(page);
  assert.equal(claims(old).fresh, true);
  assert.equal(claims(made).fresh, false);
  assert.equal(await tokenOf(page, 'Refresh token'), refresh);
  for (const token of [old, made]) assert.equal((await api(shelf, token, 'GET /api/v1/auth/me')).status, 200);
});

story('a refresh token that is revoked gets nothing, and its own sign-in can\'t restore it', async ({ page }) => {
  await signUp(page);
  const row = page.getByRole('row', { name: /^2 this page’s refresh/ });
  await row.getByRole('button', { name: 'Revoke token 2' }).click();
  await see(row.filter({ hasText: 'revoked' }));
  const refresh = page.getByRole('article', { name: 'Access token' }).getByRole('button', { name: 'Refresh' });
  await refresh.click();
  await see(page.getByRole('status').filter({ hasText: 'Token has been revoked' }));
  await row.getByRole('button', { name: 'Restore token 2' }).click();
  await see(page.getByText('A token of the same sign-in can\'t restore it').first());
  await see(row.filter({ hasText: 'revoked' }));
});

story('an access token that revokes itself is refused at once, and the refresh token can\'t bring it back', async ({ page }) => {
  await signUp(page);
  await page.getByRole('button', { name: 'Revoke token 1' }).click();
  await see(page.getByText('Token has been revoked').first());
  await page.getByRole('article', { name: 'Access token' }).getByRole('button', { name: 'Refresh' }).click();
  await page.getByRole('button', { name: 'Restore token 1' }).click();
  await see(page.getByText('A token of the same sign-in can\'t restore it').first());
});

story('a token that another browser revoked is refused here', async ({ page, person }) => {
  await signUp(page);
  const { page: other } = await person();
  await signUp(other, 'ann@example.com', { how: 'Sign in' });
  await other.getByRole('button', { name: 'Revoke token 1' }).click();
  await see(other.getByRole('button', { name: 'Restore token 1' }));
  await part(page, 'Items');
  await page.getByRole('form', { name: 'Add an item' }).getByLabel('Item').fill('lamp');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await see(page.getByRole('alert').filter({ hasText: 'Token has been revoked' }));
});
