// The part Account: one's own, and all of them for admins.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { accessible, api, copied, gone, part, see, shot, signUp, story, tokenOf } from './kit.js';

story('one’s names and password are changed', async ({ page, shelf }) => {
  await signUp(page);
  await part(page, 'Account');
  const you = page.getByRole('region', { name: 'You' });
  await see(you.getByText('ann@example.com').first());
  const names = page.getByRole('form', { name: 'Names' });
  await names.getByLabel('First name').fill('Ann');
  await names.getByLabel('Your username').fill('ann');
  await names.getByRole('button').click();
  await see(you.getByText('ann', { exact: true }));

  const form = page.getByRole('form', { name: 'A new password' });
  await form.getByLabel('Current password').fill('wrong');
  await form.getByLabel('New password').fill('n3w-worm');
  await form.getByRole('button').click();
  await see(form.getByRole('alert').filter({ hasText: /password/i }));
  await form.getByLabel('Current password').fill('b00k-worm');
  await form.getByRole('button').click();
  await see(page.getByRole('status').filter({ hasText: /password/i }));
  assert.equal((await api(shelf, '', 'POST /api/v1/auth/signin', { email: 'ann@example.com', password: 'n3w-worm' })).status, 200);
  await gone(page.locator('#banner').getByRole('alert'));
});

story('an account is deleted by its password only', async ({ page, shelf }) => {
  await signUp(page);
  await part(page, 'Account');
  const form = page.getByRole('form', { name: 'Delete this account' });
  await form.getByRole('button').click();
  await see(form.getByRole('alert').filter({ hasText: /password/i }));
  await form.getByLabel('Your password, to be sure').fill('b00k-worm');
  await form.getByRole('button').click();
  await see(page.getByRole('status').filter({ hasText: 'Your account is deleted' }));
  assert.equal((await api(shelf, '', 'POST /api/v1/auth/signin', { email: 'ann@example.com', password: 'b00k-worm' })).status, 401);
});

story('the password of a demo account can be copied', async ({ page, shelf }) => {
  await page.getByRole('button', { name: 'Use a demo account' }).click();
  await part(page, 'Start');
  await see(page.getByRole('button', { name: 'Copy the password' }));
  await part(page, 'Account');
  const password = await copied(page, page.getByRole('button', { name: 'Copy the password' }));
  const email = (await page.locator('[data-who]').first().textContent()).trim();
  assert.equal((await api(shelf, '', 'POST /api/v1/auth/signin', { email, password })).status, 200);
  const form = page.getByRole('form', { name: 'A new password' });
  await form.getByLabel('Current password').fill(password);
  await form.getByLabel('New password').fill('n3w-worm');
  await form.getByRole('button').click();
  await see(page.getByRole('status').filter({ hasText: 'Password successfully changed' }));
  assert.equal(await copied(page, page.getByRole('button', { name: 'Copy the password' })), 'n3w-worm');
});

story('a book account changes its username with its password', async ({ page }) => {
  await signUp(page, 'bookworm', { kind: 'Books', password: 'page' });
  await part(page, 'Account');
  const names = page.getByRole('form', { name: 'Names' });
  await names.getByLabel('Your username').fill('worm');
  await names.getByLabel('Password, for a new username').fill('page');
  await names.getByRole('button').click();
  await see(page.getByRole('link', { name: 'Signed in as worm' }));
});

story('an admin sees all accounts, and says who is one and who is disabled', { args: ['-data', 'shelf.jsonl'] }, async ({ page, shelf, person }) => {
  await signUp(page);
  await part(page, 'Account');
  await see(page.getByText('An admin sees all accounts here.'));
  await promisify(execFile)(process.env.SHELF, ['user', 'admin', 'ann@example.com', '-data', 'shelf.jsonl'], { cwd: shelf.folder });
  const { page: other } = await person();
  await signUp(other, 'bob@example.com');
  for (let i = 0; i < 30; i++) await api(shelf, '', 'POST /api/v1/auth/signup', { email: `user${i}@a-rather-long-domain-name-of-somebody.example.com`, password: 'b00k-worm' });
  await part(page, 'Items');
  await part(page, 'Account');
  const row = page.getByRole('row').filter({ hasText: 'bob@example.com' });
  await see(row);
  await page.getByRole('button', { name: 'Later accounts' }).click();
  await see(page.getByRole('row').filter({ hasText: 'user28@' }));
  await page.getByRole('combobox', { name: 'Accounts a page' }).selectOption('100');
  await see(row);
  const typed = page.getByRole('form', { name: 'Names' }).getByLabel('First name');
  await typed.fill('half a na');
  await page.getByLabel('bob@example.com is disabled').check();
  await see(page.getByRole('status').filter({ hasText: 'Changed: bob@example.com' }));
  await see(other.locator('#banner').getByRole('alert').filter({ hasText: 'An admin has disabled this account.' }));
  await page.getByLabel('bob@example.com is disabled').uncheck();
  await page.getByLabel('bob@example.com is admin').check();
  await see(page.getByLabel('bob@example.com is admin').and(page.locator(':checked')));
  assert.equal(await typed.inputValue(), 'half a na', 'what is typed stays');
  await accessible(page);
  await shot(page, 'all accounts');
  await page.getByRole('button', { name: 'Delete user0@' }).dblclick();
  await gone(page.getByRole('row').filter({ hasText: 'user0@' }));
  assert.equal((await api(shelf, await tokenOf(page), 'GET /api/v1/users?limit=1000')).data.length, 31);
});
