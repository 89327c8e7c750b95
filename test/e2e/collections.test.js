// Collections: what `shelf db.json` shows of them.
import assert from 'node:assert/strict';
import { accessible, answered, api, gone, part, phone, see, shot, signUp, story, tokenOf } from './kit.js';

const posts = Array.from({ length: 23 }, (_, i) => ({ title: `post ${i + 1}`, id: i + 1 }));
posts[0] = { title: '<img src=x onerror=alert(1)>', id: 1, tags: ['a', null], author: { name: 'Ann' } };
const db = JSON.stringify({ posts, empty: [], 'odd {name}++': [{ id: 'x' }], profile: { name: 'typicode' } })
  .replace('"id":2}', '"id":2,"price":1.10,"n":9007199254740993}');
const files = { 'db.json': db };

// tableOf is what the page has about a collection.
const tableOf = (page, name) => page.locator('#tables > details').filter({ has: page.locator('summary').getByText(name, { exact: true }) });

story('each collection of an open file is a plain table', { args: ['-open', 'db.json'], files }, async ({ page }) => {
  await part(page, 'Collections');
  const table = tableOf(page, 'posts');
  await see(table.getByText('Page 1 of 3'));
  await see(table.locator('summary').getByText('23', { exact: true }));
  assert.deepEqual(await table.getByRole('columnheader').allTextContents(), ['id', 'title', 'tags', 'author', 'price', 'n']);
  const cells = async (n) => (await table.getByRole('row').nth(n).getByRole('cell').allTextContents());
  assert.deepEqual(await cells(1), ['1', '<img src=x onerror=alert(1)>', '["a",null]', '{"name":"Ann"}', '', '']);
  assert.deepEqual(await cells(2), ['2', 'post 2', '', '', '1.10', '9007199254740993']);
  assert.equal(await page.locator('#tables img').count(), 0);
  assert.equal(await table.getByRole('link', { name: '/posts' }).getAttribute('href'), '/posts');

  await table.getByRole('button', { name: 'Next page of posts' }).click();
  await table.getByRole('button', { name: 'Next page of posts' }).click();
  await see(table.getByText('Page 3 of 3'));
  assert.deepEqual(await cells(3), ['23', 'post 23']);
  assert(await table.getByRole('button', { name: 'Next page of posts' }).isDisabled());

  await see(tableOf(page, 'empty').getByText('No rows.'));
  await see(tableOf(page, 'odd {name}++').getByRole('cell', { name: 'x' }));
  await see(tableOf(page, 'profile').getByRole('cell', { name: 'typicode' }));
  await see(tableOf(page, 'users').getByText('Sign in to read it.'));
  await accessible(page);
  await shot(page, 'collections');
});

story('a table has what the caller may read', { args: ['-guard', 'posts=600', '-guard', 'empty=644', 'db.json'], files }, async ({ page, shelf }) => {
  await part(page, 'Collections');
  await see(tableOf(page, 'posts').getByText('Sign in to read it.'));
  await see(tableOf(page, 'empty').getByText('No rows.'));
  await signUp(page);
  await api(shelf, await tokenOf(page), 'POST /posts', { title: 'mine' });
  await part(page, 'Collections');
  await see(tableOf(page, 'posts').getByRole('cell', { name: 'mine' }));
  await see(tableOf(page, 'posts').locator('summary').getByText('1', { exact: true }));
  await see(tableOf(page, 'users').getByRole('cell', { name: 'ann@example.com' }));
  await see(tableOf(page, 'profile').getByRole('cell', { name: 'typicode' }));
});

story('collections fit on a phone', { args: ['-open', 'db.json'], files, size: phone }, async ({ page }) => {
  await part(page, 'Collections');
  await see(tableOf(page, 'posts').getByText('Page 1 of 3'));
  const { wide, room } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, room: document.documentElement.clientWidth }));
  assert(wide <= room, `the page is ${wide} px wide in ${room}`);
  await accessible(page);
});

story('without collections there is nothing of them', async ({ page }) => {
  await answered(page, 'GET /openapi.json');
  await gone(page.getByRole('link', { name: 'Collections' }));
});
