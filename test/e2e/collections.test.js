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

story('after a reload the page reads again what a sign-in that was kept may read', { args: ['-guard', 'posts=600', 'db.json'], files }, async ({ page }) => {
  await signUp(page);
  await part(page, 'Your token');
  await page.getByLabel(/Stay signed in over a reload/).check();
  const asked = page.waitForRequest((request) => request.url().endsWith('/openapi.json') && request.headers().authorization, { timeout: 30_000 });
  await page.reload();
  await asked;
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

// wide rows of many shapes: what a table has to put up with.
const uuid = '0b6f1f0e-5b1c-4f0e-9c55-2f1f6a1d2c3b';
const films = Array.from({ length: 10_000 }, (_, i) => ({
  id: i === 0 ? uuid : i + 1, title: `film ${i + 1}`, year: 1900 + (i % 125), rating: 7.5,
  ...(i === 0 && { cast: Array.from({ length: 30 }, (_, n) => ({ name: `actor ${n}`, role: 'somebody' })), plot: 'It goes on. '.repeat(60), ['a-member-with-a-very-long-name-'.repeat(3)]: 'x'.repeat(120) }),
}));
const many = { args: ['-open', 'films.json'], files: { 'films.json': JSON.stringify({ films, ['b'.repeat(90)]: [] }) } };

story('ten thousand rows can be used', many, async ({ page }) => {
  await part(page, 'Collections');
  const table = tableOf(page, 'films');
  await see(table.locator('summary').getByText('10,000', { exact: true }));
  await see(table.getByText('Page 1 of 1,000'));
  await table.getByRole('spinbutton', { name: 'Go to a page of films' }).fill('777');
  await table.getByRole('button', { name: 'Go' }).click();
  await see(table.getByText('Page 777 of 1,000'));
  await see(table.getByRole('cell', { name: 'film 7761', exact: true }));
  await table.getByRole('combobox', { name: 'Rows a page of films' }).selectOption('500');
  await see(table.getByText('Page 1 of 20'));
  assert.equal(await table.getByRole('row').count(), 501);
  await table.getByRole('combobox', { name: 'Rows a page of films' }).selectOption('25');
  await table.getByRole('button', { name: 'year' }).click();
  await see(table.getByRole('columnheader', { name: 'year' }).and(page.locator('[aria-sort=ascending]')));
  await table.getByRole('button', { name: 'year' }).click();
  await see(table.getByRole('columnheader', { name: 'year' }).and(page.locator('[aria-sort=descending]')));
  await see(table.getByRole('row').nth(1).getByRole('cell', { name: '2024' }));
  await table.getByRole('searchbox', { name: 'Search in films' }).fill('film 9999');
  await see(table.locator('summary').getByText('1', { exact: true }));
  await see(table.getByRole('cell', { name: 'film 9999', exact: true }));
  await table.getByRole('searchbox', { name: 'Search in films' }).fill('no such film');
  await see(table.getByText('No row is like that.'));
});

for (const [room, size] of Object.entries({ laptop: undefined, phone })) {
  story(`${room}: long ids, names and values stay in their boxes, and open`, { ...many, size }, async ({ page }) => {
    await part(page, 'Collections');
    const table = tableOf(page, 'films');
    await see(table.getByText('film 1', { exact: true }));
    const id = table.getByRole('cell', { name: uuid });
    assert.equal(await id.evaluate((node) => getComputedStyle(node).whiteSpace), 'nowrap', 'an id is never broken');
    await table.getByText('[{"name":"actor 0"', { exact: false }).first().click();
    await see(table.getByText('"name": "actor 29"', { exact: false }));
    const { wide, room: width, outside } = await page.evaluate(() => ({
      wide: document.documentElement.scrollWidth, room: document.documentElement.clientWidth,
      outside: [...document.querySelectorAll('#tables > details > *')].filter((node) => node.getBoundingClientRect().right > node.parentNode.getBoundingClientRect().right).length,
    }));
    assert(wide <= width, `the page is ${wide} px wide in ${width}`);
    assert.equal(outside, 0);
    if (size) assert(await table.locator('.scroll').evaluate((box) => box.scrollWidth <= box.clientWidth), 'a phone need not scroll a table sideways');
    await accessible(page);
    await shot(page, `${room}, a table of any shape`);
  });
}

story('a table follows what others change', { args: ['-open', 'db.json'], files }, async ({ page, shelf }) => {
  await signUp(page);
  await part(page, 'Collections');
  await see(tableOf(page, 'empty').getByText('No rows.'));
  await api(shelf, '', 'POST /empty', { title: 'not empty any more' });
  await see(tableOf(page, 'empty').getByRole('cell', { name: 'not empty any more' }));
});
