// Items and books: what people do with them, also two at a time.
import assert from 'node:assert/strict';
import { api, focused, gone, part, see, signUp, story, tokenOf } from './kit.js';

// add fills a form of the page, by its labels, and sends it.
async function add(page, form, fields) {
  const filled = page.getByRole('form', { name: form });
  for (const [label, text] of Object.entries(fields)) await filled.getByLabel(label).fill(text);
  await filled.getByRole('button', { name: 'Add' }).click();
}

const lamp = { Item: 'lamp', Category: 'light', Description: 'Bends its neck' };

// rowOf is the row of a table that has these words in it.
const rowOf = (page, ...words) => words.reduce((rows, text) => rows.filter({ hasText: text }), page.getByRole('row'));

// open signs up and goes to a part of the page.
async function open(page, name, ...account) {
  await signUp(page, ...account);
  await part(page, name);
  await see(page.getByRole('heading', { name }).getByText('live', { exact: true }));
}

story('an item is added, edited in place and deleted', async ({ page, shelf }) => {
  await signUp(page);
  const token = await tokenOf(page);
  await part(page, 'Items');
  await see(page.getByText('No items yet.'));
  await add(page, 'Add an item', lamp);
  await see(rowOf(page, 'lamp', 'light', 'Bends its neck', 'yours'));
  await see(page.getByText('1 item', { exact: true }));

  await page.getByRole('button', { name: 'Edit lamp' }).click();
  const editor = page.getByRole('form', { name: 'Edit lamp' });
  assert.equal(await editor.getByLabel('Description').inputValue(), 'Bends its neck');
  await editor.getByLabel('Description').fill('Stands upright');
  await editor.getByRole('button', { name: 'Save' }).click();
  await see(rowOf(page, 'lamp', 'Stands upright'));
  assert.equal((await api(shelf, token, 'GET /api/v1/items/1')).data[0].description, 'Stands upright');

  await page.getByRole('button', { name: 'Delete lamp' }).click();
  assert.equal((await api(shelf, token, 'GET /api/v1/items/1')).status, 200, 'one press deletes nothing');
  await page.getByRole('button', { name: 'Really? Delete lamp' }).click();
  await see(page.getByText('No items yet.'));
  assert.equal((await api(shelf, token, 'GET /api/v1/items/1')).status, 404);
});

story('an edit that is given up changes nothing', async ({ page }) => {
  await open(page, 'Items');
  await add(page, 'Add an item', lamp);
  for (const giveUp of [(editor) => editor.getByRole('button', { name: 'Cancel' }).click(), (editor) => editor.getByLabel('Item').press('Escape')]) {
    await page.getByRole('button', { name: 'Edit lamp' }).click();
    const editor = page.getByRole('form', { name: 'Edit lamp' });
    await editor.getByLabel('Item').fill('candle');
    await giveUp(editor);
    await gone(editor);
    await see(rowOf(page, 'lamp', 'Bends its neck'));
  }
});

story('a fault of an item is shown at its field', async ({ page }) => {
  await open(page, 'Items');
  const form = page.getByRole('form', { name: 'Add an item' });
  for (const [label, says] of [['Item', 'Invalid item name'], ['Category', 'Invalid category name'], ['Description', 'Invalid description']]) {
    await add(page, 'Add an item', { ...lamp, [label]: ' ' });
    await see(form.getByRole('alert').filter({ hasText: says }));
    assert.equal(await form.getByLabel(label).getAttribute('aria-invalid'), 'true', label);
    assert(await focused(form.getByLabel(label)), `${label} has the focus`);
  }
  await add(page, 'Add an item', lamp);
  await see(rowOf(page, 'lamp'));
  await gone(form.getByRole('alert'));
});

story('what a stranger called an item is text, whatever it looks like', async ({ page }) => {
  await open(page, 'Items');
  const markup = '<img src=x onerror=alert(1)>';
  await add(page, 'Add an item', { Item: markup, Category: '<b>bold</b>', Description: '"><script>alert(2)</script>' });
  await see(rowOf(page, markup, '<b>bold</b>', '"><script>alert(2)</script>'));
  assert.equal(await page.getByRole('table', { name: 'Items' }).getByRole('img').count(), 0);
});

// conflict has two people open the same item, and the other one save first.
async function conflict(page, person) {
  await open(page, 'Items');
  await add(page, 'Add an item', lamp);
  const { page: other } = await person();
  await open(other, 'Items', 'ann@example.com', { how: 'Sign in' });
  for (const p of [page, other]) {
    await p.getByRole('button', { name: 'Edit lamp' }).click();
    await see(p.getByRole('form', { name: 'Edit lamp' }));
  }
  for (const [p, description] of [[other, 'Theirs'], [page, 'Mine']]) {
    await p.getByRole('form', { name: 'Edit lamp' }).getByLabel('Description').fill(description);
    await p.getByRole('button', { name: 'Save' }).click();
    if (p === other) await see(rowOf(p, 'lamp', 'Theirs'));
  }
  const shown = page.getByRole('group', { name: 'Conflict' });
  await see(shown.getByRole('heading', { name: /412/ }));
  await see(shown.getByText('Mine', { exact: true }));
  await see(shown.getByText('Theirs', { exact: true }));
  return { shown, other };
}

story('a conflict is shown as one, and one can keep what the other saved', async ({ page, person }) => {
  const { shown } = await conflict(page, person);
  await shown.getByRole('button', { name: 'Keep the server’s' }).click();
  await see(rowOf(page, 'lamp', 'Theirs'));
});

story('a conflict is shown as one, and one can save over it, knowingly', async ({ page, person }) => {
  const { shown, other } = await conflict(page, person);
  await shown.getByRole('button', { name: 'Save mine over it' }).click();
  await see(rowOf(page, 'lamp', 'Mine'));
  await see(rowOf(other, 'lamp', 'Mine'));
});

story('a conflict can be had alone', async ({ page }) => {
  await open(page, 'Items');
  await add(page, 'Add an item', lamp);
  await page.getByRole('button', { name: 'Edit lamp' }).click();
  await page.getByRole('button', { name: 'Let another tab change it first' }).click();
  await see(page.getByRole('status').or(page.getByRole('listitem')).filter({ hasText: 'PATCH' }).first());
  await page.getByRole('button', { name: 'Save' }).click();
  await see(page.getByRole('group', { name: 'Conflict' }));
});

story('an item that is deleted under an edit is said to be gone', async ({ page, person }) => {
  await open(page, 'Items');
  await add(page, 'Add an item', lamp);
  const { page: other } = await person();
  await open(other, 'Items', 'ann@example.com', { how: 'Sign in' });
  await page.getByRole('button', { name: 'Edit lamp' }).click();
  await see(page.getByRole('form', { name: 'Edit lamp' }));
  await other.getByRole('button', { name: 'Delete lamp' }).dblclick();
  await see(other.getByText('No items yet.'));
  await page.getByRole('button', { name: 'Save' }).click();
  await see(page.getByRole('form', { name: 'Edit lamp' }).getByRole('alert').filter({ hasText: 'Item does not exist' }));
});

story('what happens in another browser is seen here as it happens', async ({ page, person }) => {
  await open(page, 'Items');
  const { page: other } = await person();
  await open(other, 'Items', 'bob@example.com');
  await add(other, 'Add an item', lamp);
  await see(rowOf(page, 'lamp', 'Bends its neck'));
  assert.equal(await rowOf(page, 'lamp', 'yours').count(), 0);
  await other.getByRole('button', { name: 'Edit lamp' }).click();
  await other.getByRole('form', { name: 'Edit lamp' }).getByLabel('Category').fill('furniture');
  await other.getByRole('button', { name: 'Save' }).click();
  await see(rowOf(page, 'lamp', 'furniture'));
  await other.getByRole('button', { name: 'Delete lamp' }).dblclick();
  await gone(rowOf(page, 'lamp'));
});

story('a live change leaves the focus where it is', async ({ page, person }) => {
  await open(page, 'Items');
  await add(page, 'Add an item', lamp);
  await see(rowOf(page, 'lamp'));
  const { page: other } = await person();
  await open(other, 'Items', 'bob@example.com');
  const edit = page.getByRole('button', { name: 'Edit lamp' });
  await edit.focus();
  await add(other, 'Add an item', { ...lamp, Item: 'ladder' });
  await see(rowOf(page, 'ladder'));
  assert(await focused(edit), 'the focus is lost');
});

story('a live change leaves what is being typed alone', async ({ page, person }) => {
  await open(page, 'Items');
  await add(page, 'Add an item', lamp);
  const { page: other } = await person();
  await open(other, 'Items', 'bob@example.com');
  await page.getByRole('button', { name: 'Edit lamp' }).click();
  const field = page.getByRole('form', { name: 'Edit lamp' }).getByLabel('Description');
  await field.fill('A lamp');
  await field.press('Home');
  await add(other, 'Add an item', { ...lamp, Item: 'ladder' });
  await see(rowOf(page, 'ladder'));
  await page.keyboard.type('Not '); // goes wherever the keyboard is
  assert.equal(await field.inputValue(), 'Not A lamp');
});

story('a delete that was asked for and not confirmed can be left with the keyboard', async ({ page }) => {
  await open(page, 'Items');
  await add(page, 'Add an item', lamp);
  const remove = page.getByRole('button', { name: 'Delete lamp' });
  await remove.press('Enter');
  await see(page.getByRole('button', { name: 'Really?' }));
  await page.keyboard.press('Shift+Tab');
  await gone(page.getByRole('button', { name: 'Really?' }));
  assert(await focused(page.getByRole('button', { name: 'Edit lamp' })), 'the focus is lost');
  await see(rowOf(page, 'lamp'));
});

story('another’s item can be seen, and not changed', async ({ page, person }) => {
  await open(page, 'Items');
  await add(page, 'Add an item', lamp);
  const { page: other } = await person();
  await open(other, 'Items', 'bob@example.com');
  await other.getByRole('button', { name: 'Delete lamp' }).dblclick();
  await see(other.getByRole('status').filter({ hasText: 'Only the creator of an item or an admin can change it' }));
  await other.getByRole('button', { name: 'Edit lamp' }).click();
  await other.getByRole('button', { name: 'Save' }).click();
  await see(other.getByText('Only the creator of an item or an admin can change it').first());
  await see(rowOf(page, 'lamp'));
});

// stocked signs up where 25 items are: 12 tools of another account's, 13 toys of one's own.
async function stocked(page, shelf) {
  const make = (n, category, from) => Array.from({ length: n }, (_, i) => ({ itemname: `${category} ${from + i}`, category, description: i === 0 ? 'The first of its kind' : 'Another one' }));
  const bob = await api(shelf, '', 'POST /api/v1/auth/signup', { email: 'bob@example.com', password: 'b00k-worm' });
  await api(shelf, bob.data[0].access_token, 'POST /api/v1/items', make(12, 'tool', 10));
  await signUp(page);
  await api(shelf, await tokenOf(page), 'POST /api/v1/items', make(13, 'toy', 30));
  await part(page, 'Items');
  await see(page.getByText('25 items'));
}

// names are the items that a table shows, from top to bottom.
const names = async (page) => (await page.getByRole('button', { name: /^Edit / }).all()).length
  && page.getByRole('button', { name: /^Edit / }).evaluateAll((buttons) => buttons.map((b) => b.getAttribute('aria-label').slice('Edit '.length)));

story('a long list is read a page at a time', async ({ page, shelf }) => {
  await stocked(page, shelf);
  const next = page.getByRole('button', { name: 'Next' }), previous = page.getByRole('button', { name: 'Previous' });
  const seen = [];
  for (const number of [1, 2, 3]) {
    await see(page.getByText(`Page ${number}`, { exact: true }));
    assert.equal(await previous.isDisabled(), number === 1);
    assert.equal(await next.isDisabled(), number === 3);
    seen.push(...(await names(page)));
    if (number < 3) await next.click();
  }
  assert.equal(seen.length, 25);
  assert.equal(new Set(seen).size, 25);
  assert.equal(seen[0], 'toy 42');
  assert.equal(seen[24], 'tool 10');
  await previous.click();
  await see(page.getByText('Page 2', { exact: true }));
  assert.deepEqual(await names(page), seen.slice(10, 20));
  await page.getByRole('search', { name: 'Items' }).getByRole('combobox', { name: 'Rows a page' }).selectOption('100');
  await gone(next.and(page.locator(':enabled')));
  assert.deepEqual(await names(page), seen);
});

story('a list is searched, filtered and put in order by the server', async ({ page, shelf }) => {
  await stocked(page, shelf);
  const tools = page.getByRole('search', { name: 'Items' });
  await tools.getByLabel('Search in name and description').fill('FIRST of');
  await gone(rowOf(page, 'Another one').first());
  assert.deepEqual(await names(page), ['toy 30', 'tool 10']);
  await tools.getByLabel('Search in name and description').fill('no such thing');
  await see(page.getByText('No item is like that.'));
  await tools.getByLabel('Search in name and description').fill('');
  await see(page.getByText('25 items'));

  await tools.getByRole('combobox', { name: 'Category', exact: true }).selectOption('tool');
  await see(page.getByText('12 items'));
  assert((await names(page)).every((name) => name.startsWith('tool')));
  await tools.getByRole('combobox', { name: 'Order' }).selectOption('By name');
  await see(page.getByRole('row').nth(1).filter({ hasText: 'tool 10' }));
  await tools.getByRole('combobox', { name: 'Category', exact: true }).selectOption('All categories');
  await tools.getByLabel('Mine only').check();
  await see(page.getByText('13 items'));
  await tools.getByRole('combobox', { name: 'Order' }).selectOption('By name, reversed');
  await see(page.getByRole('row').nth(1).filter({ hasText: 'toy 42' }));
  assert((await names(page)).every((name) => name.startsWith('toy')));
});

story('a book account adds, finds and deletes books', async ({ page, person }) => {
  await open(page, 'Books', 'bookworm', { kind: 'Books', password: 'page' });
  await add(page, 'Add a book', { Title: 'Dune', Author: 'Frank Herbert' });
  await see(rowOf(page, 'Dune', 'Frank Herbert'));
  await add(page, 'Add a book', { Title: 'Dune', Author: 'Somebody' });
  await see(page.getByRole('alert').filter({ hasText: 'Book with same title already exists!' }));
  await add(page, 'Add a book', { Title: 'Emma', Author: 'Jane Austen' });
  await see(page.getByText('2 books'));
  await page.getByRole('search', { name: 'Books' }).getByLabel('Search in title and author').fill('austen');
  await gone(rowOf(page, 'Dune'));
  await see(rowOf(page, 'Emma'));

  const { page: other } = await person();
  await open(other, 'Books', 'ann@example.com');
  await see(rowOf(other, 'Dune'));
  await other.getByRole('button', { name: 'Delete Dune' }).dblclick();
  await see(other.getByRole('status').filter({ hasText: 'Only the creator of a book or an admin can delete it' }));
  await page.getByRole('button', { name: 'Delete Emma' }).dblclick();
  await gone(rowOf(other, 'Emma'));
});
