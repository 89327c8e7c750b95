// On the wire: every request, as it goes.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { answered, api, copied, entry, focused, part, phone, see, shot, signUp, story, tokenOf } from './kit.js';

const panel = (page) => page.getByRole('complementary', { name: /^On the wire/ });

// opened is the entry of the last such request, with what is inside to be seen.
async function opened(page, request) {
  await answered(page, request);
  const it = entry(page, request);
  const copy = it.getByRole('button', { name: 'Copy as curl' });
  if (!(await copy.isVisible())) await it.getByText(request.split(' ')[1]).first().click();
  await see(copy);
  return it;
}

const curlOf = async (page, request) => copied(page, (await opened(page, request)).getByRole('button', { name: 'Copy as curl' }));

// sh has a shell run what was copied, and returns the answer that curl -i prints.
async function sh(line, folder) {
  assert.match(line, /^curl -i/);
  const { stdout } = await promisify(execFile)('sh', ['-c', `${line} -sS`], { cwd: folder, timeout: 20_000 });
  const [head, body] = stdout.split(/\r\n\r\n(.*)/s);
  return { status: head.split(' ')[1], body };
}

story('a request is shown with method, path, headers, body, answer and time', async ({ page }) => {
  await signUp(page);
  const sent = await opened(page, 'POST /api/v1/auth/signup');
  for (const text of ['Content-Type: application/json', '"email": "ann@example.com"', '201 Created', 'Cache-Control: no-store', '"status": 201']) {
    await see(sent.getByText(text).first());
  }
  await see(sent.getByText(/^[\d.]+ ms$/));
  await shot(page, 'a request');
});

story('a request that was refused says so, and why', async ({ page }) => {
  await signUp(page);
  await page.getByRole('button', { name: 'Revoke token 1' }).click();
  await see(page.getByRole('row').getByText('Token has been revoked'));
  const refused = await opened(page, 'GET /api/v1/auth/tokens');
  await see(refused.getByText('401').first());
  await see(refused.getByText(/error_description=/).first());
});

story('no whole token is shown on the wire', async ({ page }) => {
  await signUp(page);
  const tokens = [await tokenOf(page), await tokenOf(page, 'Refresh token')];
  await page.getByRole('article', { name: 'Access token' }).getByRole('button', { name: 'Refresh' }).click();
  await see(page.getByRole('row', { name: /^3 this page’s access/ }));
  tokens.push(await tokenOf(page));
  for (const request of ['POST /api/v1/auth/signup', 'POST /api/v1/auth/refresh', 'GET /api/v1/auth/tokens']) await opened(page, request);
  const text = await panel(page).innerText();
  assert.match(text, /Authorization: Bearer eyJ\w+…/);
  for (const piece of tokens.flatMap((token) => token.split('.')).filter((piece) => piece.length > 30)) {
    assert(!text.includes(piece.slice(0, 30)), `shown at length: ${piece}`);
  }
});

// What would break a careless quotation, in a shell or in curl.
const nasty = { Item: `it's "quoted" $(touch broken) \`id\` \\`, Category: '@/etc/hostname', Description: '!! %s é 🙂 [a-c] {x,y} # ~' };

story('an item that was added is added again by the copied curl, letter by letter', async ({ page, shelf }) => {
  await signUp(page);
  const token = await tokenOf(page);
  await part(page, 'Items');
  const form = page.getByRole('form', { name: 'Add an item' });
  for (const [label, text] of Object.entries(nasty)) await form.getByLabel(label).fill(text);
  await form.getByRole('button', { name: 'Add' }).click();
  const line = await curlOf(page, 'POST /api/v1/items');
  assert.equal((await sh(line, shelf.folder)).status, '201');
  const items = (await api(shelf, token, 'GET /api/v1/items')).data;
  assert.equal(items.length, 2);
  for (const item of items) assert.deepEqual([item.itemname, item.category, item.description], Object.values(nasty));
});

story('the copied curl gets the answer that is shown', async ({ page, shelf }) => {
  await signUp(page);
  await part(page, 'Books');
  await see(page.getByText('No books yet.'));
  await part(page, 'Items');
  await page.getByRole('button', { name: 'Add a few' }).click();
  await page.getByRole('searchbox', { name: 'Search in name and description' }).fill('for [the] & {more}');
  await see(page.getByText('No item is like that.'));
  for (const request of ['GET /openapi.json', 'GET /api/v1/items', 'GET /api/v1/categories', 'GET /bookapi/books', 'GET /api/v1/auth/tokens', 'POST /api/v1/auth/signup']) {
    const shown = await opened(page, request);
    const { status, body } = await sh(await curlOf(page, request), shelf.folder);
    if (request === 'POST /api/v1/auth/signup') { // it can't be done twice
      assert.match(body, /User already exists/);
      continue;
    }
    await see(shown.getByText(status, { exact: true }).first());
    if (request === 'GET /openapi.json') continue; // is cut short
    assert.deepEqual(JSON.parse(await shown.getByRole('group', { name: 'shelf answered: the body' }).innerText()), JSON.parse(body));
  }
});

story('a change is made again by the copied curl', async ({ page, shelf }) => {
  await signUp(page);
  await page.getByRole('button', { name: 'Revoke token 2' }).click();
  await see(page.getByRole('button', { name: 'Restore token 2' }));
  const revoke = await curlOf(page, 'PUT /api/v1/auth/tokens/2');
  assert.match((await sh(revoke, shelf.folder)).body, /Token successfully revoked/);
  await page.getByRole('button', { name: 'Read the list again' }).click();
  await see(page.getByRole('button', { name: 'Restore token 2' }));
  assert.equal((await sh(await curlOf(page, 'GET /api/v1/auth/tokens'), shelf.folder)).status, '200');
  await page.getByRole('button', { name: 'Log out', exact: true }).click();
  assert.equal((await sh(await curlOf(page, 'DELETE /api/v1/auth/logout'), shelf.folder)).status, '401');
});

story('each request names the function that answered it, and there it is in the code', async ({ page }) => {
  await signUp(page, 'bookworm', { kind: 'Books', password: 'page' });
  await part(page, 'Books');
  await page.getByRole('button', { name: 'Add a few' }).click();
  await page.getByRole('button', { name: 'Delete Dune' }).dblclick();
  await part(page, 'Items');
  await page.getByRole('button', { name: 'Add a few' }).click();
  await page.getByRole('button', { name: 'Edit lamp' }).click();
  await page.getByRole('button', { name: 'Save' }).click();
  await see(page.getByRole('status').filter({ hasText: 'Saved' }));
  await page.getByRole('button', { name: 'Delete lamp' }).dblclick();
  await see(page.getByRole('status').filter({ hasText: 'Deleted' }));
  const requests = ['POST /signup', 'POST /login', 'GET /api/v1/auth/me', 'GET /api/v1/auth/tokens', 'GET /api/v1/events', 'GET /bookapi/books', 'POST /bookapi/addbook',
    'DELETE /bookapi/books/2', 'POST /api/v1/items', 'GET /api/v1/items', 'GET /api/v1/items/1', 'PUT /api/v1/items/1', 'DELETE /api/v1/items/1', 'GET /api/v1/categories', 'GET /openapi.json'];
  for (const request of requests) {
    const said = await (await opened(page, request)).getByText(/^Answered by/).innerText();
    const [, name, file] = /^Answered by (\S+) in (\w+\.go)$/.exec(said) ?? assert.fail(`${request}: ${said}`);
    const code = await readFile(new URL(`../../${file}`, import.meta.url), 'utf8');
    const [, receiver, method] = /^\((\*\w+)\)\.(\w+)$/.exec(name) ?? assert.fail(`${request}: ${name}`);
    assert.match(code, new RegExp(`^func \\(\\w+ ${receiver.replace('*', '\\*')}\\) ${method}\\(`, 'm'), `${request}: ${said}`);
  }
});

story('the stream of events is shown as it comes', async ({ page }) => {
  await signUp(page);
  await part(page, 'Items');
  await page.getByRole('button', { name: 'Add a few' }).click();
  const stream = await opened(page, 'GET /api/v1/events');
  await see(stream.getByText('open', { exact: true }));
  await see(stream.getByText(/event: item.created/));
});

story('the list of requests can be emptied', async ({ page }) => {
  await signUp(page);
  await answered(page, 'GET /api/v1/auth/tokens');
  await panel(page).getByRole('button', { name: 'Clear' }).click();
  await see(page.getByRole('status').filter({ hasText: 'The list of requests is empty' }));
  assert.equal(await panel(page).getByRole('listitem').count(), 0);
});

story('on a phone the requests are a sheet that opens, and closes by Escape', { size: phone }, async ({ page }) => {
  const button = page.getByRole('button', { name: /^On the wire/ });
  assert.equal(await panel(page).isVisible(), false);
  await button.click();
  await see(panel(page));
  assert.equal(await button.getAttribute('aria-expanded'), 'true');
  await panel(page).getByRole('button', { name: 'Clear' }).press('Escape');
  await panel(page).waitFor({ state: 'hidden' });
  assert(await focused(button), 'the focus goes back');
  await button.click();
  await panel(page).getByRole('button', { name: 'Close' }).click();
  await panel(page).waitFor({ state: 'hidden' });
});
