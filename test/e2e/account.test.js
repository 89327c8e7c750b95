// Signing up, in and out.
import assert from 'node:assert/strict';
import { api, focused, gone, part, see, signUp, story, tokenOf } from './kit.js';

story('a person signs up and is signed in', async ({ page }) => {
  await signUp(page, 'ann@example.com');
  await see(page.getByRole('heading', { name: 'Your token' }));
  await see(page.getByRole('article', { name: 'Access token' }));
  await see(page.getByRole('article', { name: 'Refresh token' }));
  await see(page.getByRole('row', { name: /this page’s access/ }));
});

story('a demo account takes one click', async ({ page }) => {
  await page.getByRole('button', { name: 'Use a demo account' }).click();
  await see(page.getByRole('article', { name: 'Access token' }));
});

story('a book account gets one token, and it opens both APIs', async ({ page }) => {
  await signUp(page, 'bookworm', { kind: 'Books', password: 'page' });
  await see(page.getByRole('article', { name: 'Access token' }));
  assert.equal(await page.getByRole('article', { name: 'Refresh token' }).count(), 0);
  await part(page, 'Items');
  await see(page.getByText('0 items'));
});

// What is wrong with a sign-up or a sign-in, and where the page says so.
const faults = [
  { name: 'an e-mail is no e-mail', identity: 'ann', password: 'b00k-worm', at: 'E-mail', says: 'Invalid email format' },
  { name: 'an e-mail is missing', identity: '', password: 'b00k-worm', at: 'E-mail', says: 'Invalid email format' },
  { name: 'a password has no digit', identity: 'bob@example.com', password: 'book-worm', at: 'Password', says: /^Invalid password/ },
  { name: 'a password is missing', identity: 'bob@example.com', password: '', at: 'Password', says: /^Invalid password/ },
  { name: 'a password is longer than bcrypt reads', identity: 'bob@example.com', password: '1-' + 'x'.repeat(71), at: 'Password', says: /72 bytes/ },
  { name: 'an e-mail is taken', identity: 'ann@example.com', password: 'b00k-worm', at: 'E-mail', says: 'User already exists' },
  { name: 'a sign-in names an unknown account', how: 'Sign in', identity: 'bob@example.com', password: 'b00k-worm', says: 'Bad email or password' },
  { name: 'a sign-in has the wrong password', how: 'Sign in', identity: 'ann@example.com', password: 'b00k-w0rm', says: 'Bad email or password' },
  { name: 'a book account needs a username', kind: 'Books', identity: '', password: 'page', at: 'Username', says: 'Invalid input!' },
  { name: 'a book account needs a password', kind: 'Books', identity: 'bob', password: '', at: 'Password', says: 'Invalid input!' },
  { name: 'a book account is no e-mail', kind: 'Books', identity: 'bob@example.com', password: 'page', at: 'Username', says: 'Invalid input!' },
  { name: 'a username is taken', kind: 'Books', identity: 'bookworm', password: 'page', at: 'Username', says: 'User already exists!' },
  { name: 'a log-in names an unknown book account', kind: 'Books', how: 'Sign in', identity: 'bob', password: 'page', at: 'Username', says: 'Could not verify user, Please signup!' },
  { name: 'a log-in has the wrong password', kind: 'Books', how: 'Sign in', identity: 'bookworm', password: 'cover', at: 'Password', says: 'Could not verify password!' },
];

story('a fault is shown in the words of the API, at the field that has it', async ({ page, shelf, t }) => {
  await api(shelf, '', 'POST /api/v1/auth/signup', { email: 'ann@example.com', password: 'b00k-worm' });
  await api(shelf, '', 'POST /signup', { username: 'bookworm', password: 'page' });
  for (const { name, kind = 'Catalog', how = 'Sign up', identity, password, at, says } of faults) {
    await t.test(name, async () => {
      const fields = { [kind === 'Catalog' ? 'E-mail' : 'Username']: identity, Password: password };
      await page.getByRole('radio', { name: kind }).check();
      for (const [label, text] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(text);
      await page.getByRole('button', { name: how, exact: true }).click();
      await see(page.getByRole('alert').filter({ hasText: says }));
      for (const label of Object.keys(fields)) {
        const field = page.getByLabel(label, { exact: true });
        const faulty = label === at;
        assert.equal(await field.getAttribute('aria-invalid') === 'true', faulty, `${label} is marked as faulty`);
        const description = await describedBy(field);
        if (!faulty) assert.doesNotMatch(description, says instanceof RegExp ? says : new RegExp(says), `what is said of ${label}`);
        else if (says instanceof RegExp) assert.match(description, says);
        else assert(description.startsWith(says), `${label} is described by ${description}`);
        if (faulty) assert(await focused(field), `${label} has the focus`);
      }
    });
  }
});

// describedBy is what a screen reader says of a field after its name.
const describedBy = (field) =>
  field.evaluate((f) => f.getAttribute('aria-describedby').split(' ').map((id) => document.getElementById(id).textContent).join(' ').trim());

story('a fault goes when the form is sent again', async ({ page }) => {
  await page.getByLabel('E-mail', { exact: true }).fill('ann');
  await page.getByLabel('Password', { exact: true }).fill('b00k-worm');
  await page.getByRole('button', { name: 'Sign up', exact: true }).click();
  await see(page.getByText('Invalid email format').first());
  await signUp(page, 'ann@example.com');
  await part(page, 'Start');
  await gone(page.getByText('Invalid email format').first());
});

story('a password is dots until it is asked for, on the wire too', async ({ page }) => {
  const password = page.getByLabel('Password', { exact: true });
  await password.fill('b00k-worm');
  assert.equal(await password.getAttribute('type'), 'password');
  await page.getByLabel('Show the password').check();
  assert.equal(await password.getAttribute('type'), 'text');
  await signUp(page);
  const sent = page.getByRole('listitem').filter({ hasText: '/api/v1/auth/signup' });
  await see(sent.getByText('••••••••'));
  assert.doesNotMatch(await page.getByRole('complementary', { name: 'On the wire' }).innerText(), /b00k-worm/);
});

story('after a log-out the tokens are refused, also as a copy', async ({ page, shelf }) => {
  await signUp(page);
  const [access, refresh] = [await tokenOf(page), await tokenOf(page, 'Refresh token')];
  assert.equal((await api(shelf, access, 'GET /api/v1/auth/me')).status, 200);
  await page.getByRole('button', { name: 'Log out', exact: true }).click();
  await see(page.getByRole('status').filter({ hasText: 'Logged out' }));
  await see(page.getByRole('button', { name: 'Use a demo account' }).first());
  assert.equal(await page.getByRole('link', { name: /Signed in as/ }).count(), 0);
  for (const [token, request] of [[access, 'GET /api/v1/auth/me'], [refresh, 'POST /api/v1/auth/refresh']]) {
    const answer = await api(shelf, token, request);
    assert.equal(`${answer.status} ${answer.error}`, '401 Token has been revoked', request);
    assert.match(answer.headers.get('WWW-Authenticate'), /error_description="/);
  }
});

story('to log out everywhere ends the sign-in in another browser too', async ({ page, person }) => {
  await signUp(page);
  const { page: other } = await person();
  await signUp(other, 'ann@example.com', { how: 'Sign in' });
  await page.getByRole('button', { name: 'Log out everywhere' }).click();
  await see(page.getByRole('status').filter({ hasText: 'Logged out everywhere' }));
  await part(other, 'Your token');
  await other.getByRole('button', { name: 'Read the list again' }).click();
  await see(other.getByText('Token has been revoked').first());
});

story('a reload forgets the tokens, as the page says, and does not end them', async ({ page, shelf }) => {
  await signUp(page);
  const access = await tokenOf(page);
  await see(page.getByText('a reload forgets them'));
  await page.reload();
  await see(page.getByText('You are not signed in'));
  const kept = await page.evaluate(async () => [document.cookie, { ...localStorage }, { ...sessionStorage }, await indexedDB.databases(), await caches.keys()]);
  assert.deepEqual(kept, ['', {}, {}, [], []]);
  assert.equal((await api(shelf, access, 'GET /api/v1/auth/me')).status, 200);
});
