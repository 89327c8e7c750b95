// Start and Docs: what a person who builds a front end looks for first.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { accessible, copied, part, phone, see, shot, signUp, story } from './kit.js';

const db = JSON.stringify({
  posts: Array.from({ length: 1200 }, (_, i) => ({ id: i + 1, title: `post ${i + 1}`, views: i })),
  comments: [{ id: 'x1', postId: 1, body: 'nice' }], profile: { name: 'typicode' },
  ['a-collection-with-a-name-that-is-longer-than-any-box-' + 'x'.repeat(40)]: [],
});
const files = { 'db.json': db };

const lineOf = (page, name) => page.locator('#there li').filter({ has: page.getByRole('link', { name, exact: true }) });

// run has node run lines as a file of its own.
async function run(folder, text, name = 'lines.mjs') {
  await writeFile(join(folder, name), text);
  return (await promisify(execFile)(process.execPath, [name], { cwd: folder, timeout: 20_000 })).stdout;
}

story('Start shows the base URL, and it can be copied', async ({ page, shelf }) => {
  await see(page.getByRole('heading', { level: 1, name: 'Your API is up.' }));
  assert.equal(await copied(page, page.locator('#copy-base')), shelf.url);
  await see(page.getByRole('status').filter({ hasText: 'Base URL copied' }));
  assert.equal(await page.getByRole('link', { name: 'openapi.json', exact: true }).getAttribute('href'), '/openapi.json');
});

story('Start counts what there is, as far as the caller may read it', async ({ page }) => {
  await see(lineOf(page, 'Items').getByText('sign in to read'));
  await signUp(page);
  await part(page, 'Start');
  await see(lineOf(page, 'Items').getByText('rows'));
  assert.match(await lineOf(page, 'Items').innerText(), /0\s*rows/);
  assert.equal(await lineOf(page, 'Books').getByRole('link', { name: '/bookapi/books' }).getAttribute('href'), '/bookapi/books');
  await lineOf(page, 'Books').getByRole('link', { name: 'Books', exact: true }).click();
  await see(page.getByRole('heading', { name: 'Books' }));
});

for (const [name, settings, want] of [
  ['items', {}, 'itemname:'],
  ['an open collection', { args: ['-open', 'db.json'], files }, 'postId:'],
  ['a guarded collection', { args: ['db.json'], files }, 'title:'],
  ['collections beside plain users', { args: ['db.json'], files: { 'db.json': '{"users":[{"id":1,"name":"Ann"}],"posts":[]}' } }, 'title:'],
]) {
  story(`the six lines of fetch work as they are copied: ${name}`, settings, async ({ page, shelf }) => {
    await see(page.locator('#lines').getByText('call("GET"'));
    const text = await copied(page, page.locator('#copy-lines'));
    assert.equal(text.split('\n').length, 6);
    const said = await run(shelf.folder, text);
    assert.match(said, /made/);
    assert.match(said, /there is/);
    assert.doesNotMatch(said, /error|Missing|Private/);
    assert(said.includes(want), `${want} in ${said}`);
    const logged = [];
    page.on('console', (m) => logged.push(m.text()));
    await page.evaluate(`(async () => {${text}\n})()`); // as in the browser's console
    assert.equal(logged.length, 2, logged.join('\n'));
  });
}

story('the collections come first, and long names stay in their boxes', { args: ['-open', 'db.json'], files }, async ({ page }) => {
  await see(lineOf(page, 'posts').getByText('1,200'));
  await see(lineOf(page, 'profile').getByText('object'));
  const outside = await page.evaluate(() => [...document.querySelectorAll('#there *')].filter((node) => node.getBoundingClientRect().right > document.querySelector('#there').getBoundingClientRect().right + 1).length);
  assert.equal(outside, 0);
  await accessible(page);
  await shot(page, 'start with collections');
});

// --- docs

const route = (page, id) => page.locator(`[id="docs/${id}"]`);

async function open(page, id) {
  await route(page, id).locator('summary').first().click();
  await see(route(page, id).getByRole('group', { name: 'Snippet' }));
  return route(page, id);
}

story('/docs shows every route, and one is tried in two clicks after a demo account', async ({ page, shelf }) => {
  await page.goto(`${shelf.url}/docs`);
  await see(page.getByRole('heading', { level: 1, name: 'Docs' }));
  const described = await (await fetch(`${shelf.url}/openapi.json`)).json();
  const all = Object.values(described.paths).flatMap(Object.keys).filter((name) => ['get', 'post', 'put', 'patch', 'delete'].includes(name));
  await see(page.getByText(`${all.length} routes`, { exact: true }));
  assert.equal(await page.locator('.route').count(), all.length);
  await page.getByRole('button', { name: 'Use a demo account' }).click();
  await see(page.getByText('They are tried with the token of'));
  assert.equal(new URL(page.url()).pathname, '/docs');

  const create = await open(page, 'createItem');
  await create.getByRole('button', { name: 'Send' }).click();
  await see(create.getByRole('status').getByText('201'));
  await see(create.getByText('Location:'));
  const list = await open(page, 'listItems');
  await list.getByRole('button', { name: 'Send' }).click();
  await see(list.getByRole('group', { name: 'The answer’s body' }).getByText('"itemname"'));
  await accessible(page);
  await shot(page, 'docs, tried');
});

story('a search finds routes, and an address opens one', async ({ page, shelf }) => {
  await part(page, 'Docs');
  assert.equal(new URL(page.url()).pathname, '/docs');
  await page.getByRole('searchbox', { name: 'Find a route' }).fill('post items');
  await see(page.getByText(/^1 of \d+ routes$/));
  assert(await route(page, 'createItem').isVisible());
  assert(!(await route(page, 'listItems').isVisible()));
  await page.goto(`${shelf.url}/docs#docs/getBook`);
  await see(route(page, 'getBook').getByRole('button', { name: 'Send' }));
  await part(page, 'Start');
  assert.equal(new URL(page.url()).pathname, '/');
  await page.goBack();
  await see(page.getByRole('heading', { level: 1, name: 'Docs' }));
});

story('a link to /docs keeps the sign-in', async ({ page }) => {
  await signUp(page);
  await part(page, 'Start');
  await page.getByRole('link', { name: 'Read and try each route' }).click();
  await see(page.getByText('They are tried with the token of'));
});

story('the copied snippet has the token, and does what was shown', async ({ page, shelf }) => {
  await signUp(page);
  await part(page, 'Docs');
  const create = await open(page, 'createItem');
  await create.getByRole('textbox').first().fill('{"itemname":"it\'s","category":"a","description":"b"}');
  assert.doesNotMatch(await create.getByRole('group', { name: 'Snippet' }).innerText(), /eyJ[\w-]{30}/);
  const text = await copied(page, create.getByRole('button', { name: 'Copy the snippet' }));
  assert.match(await run(shelf.folder, text), /^201 /);
  await page.getByRole('combobox', { name: 'Snippets' }).selectOption('curl');
  const line = await copied(page, create.getByRole('button', { name: 'Copy the snippet' }));
  const { stdout } = await promisify(execFile)('sh', ['-c', `${line} -sS`]);
  assert.match(stdout, /201 Created/);
  for (const [language, begins] of [['axios', 'import axios'], ['Python', 'import requests'], ['Go', 'package main']]) {
    await page.getByRole('combobox', { name: 'Snippets' }).selectOption(language);
    await see(create.getByText(begins).first());
  }
});

story('without a sign-in a snippet says where the token goes', async ({ page }) => {
  await part(page, 'Docs');
  const list = await open(page, 'listItems');
  await see(list.getByText(/Bearer YOUR_TOKEN/));
  await list.getByRole('button', { name: 'Send' }).click();
  await see(list.getByRole('status').getByText('401'));
});

story('the stream of events is listened to, and stopped', async ({ page }) => {
  await signUp(page);
  await part(page, 'Docs');
  const events = await open(page, 'streamEvents');
  await events.getByRole('button', { name: 'Listen' }).click();
  await see(events.getByText('the stream is open'));
  const create = await open(page, 'createItem');
  await create.getByRole('button', { name: 'Send' }).click();
  await see(events.getByRole('group', { name: 'What was heard' }).getByText('item.created'));
  await events.getByRole('button', { name: 'Stop' }).click();
  await see(events.getByText('and has ended'));
});

story('the routes of a collection come first, and work, on a phone too', { args: ['-open', 'db.json'], files, size: phone }, async ({ page }) => {
  await part(page, 'Docs');
  assert.match(await page.locator('#routes > section').first().getByRole('heading').innerText(), /^\//);
  const list = await open(page, 'list_posts');
  await list.getByRole('textbox', { name: '_limit' }).fill('2');
  await list.getByRole('button', { name: 'Send' }).click();
  await see(list.getByText('X-Total-Count:'));
  await see(list.getByText('1200').first());
  const create = await open(page, 'create_posts');
  await create.getByRole('button', { name: 'Send' }).click();
  await see(create.getByRole('status').getByText('201'));
  const { wide, room } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, room: document.documentElement.clientWidth }));
  assert(wide <= room, `the page is ${wide} px wide in ${room}`);
  const outside = await page.evaluate(() => [...document.querySelectorAll('.operation > *, .route > summary > *')].filter((node) => {
    const box = node.getBoundingClientRect();
    return box.width > 0 && box.right > node.closest('.card').getBoundingClientRect().right;
  }).length);
  assert.equal(outside, 0, 'what is in a card stays in it');
  await accessible(page);
  await shot(page, 'docs on a phone');
});
