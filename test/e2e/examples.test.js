// The front ends of examples/, as a person uses them.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { accessible, gone, see, shot, startShelf, story } from './kit.js';

const examples = fileURLToPath(new URL('../../examples/', import.meta.url));
const files = { 'db.json': await readFile(`${examples}db.json`, 'utf8') };

const admin = { args: ['-static', process.env.REACT_ADMIN, 'db.json'], files };

// signUp makes an account on react-admin's page of this example.
async function signUp(page, email) {
  await page.locator('[name=email]').fill(email);
  await page.locator('[name=password]').fill('b00k-worm');
  await page.getByLabel('I have no account yet').check();
  await page.getByRole('button', { name: 'Sign in' }).click();
}

// titles waits until a list has these in this order.
async function titles(page, ...want) {
  for (const [i, title] of want.entries()) await see(page.locator(`tbody tr:nth-child(${i + 1})`).getByText(title, { exact: true }));
  await gone(page.locator(`tbody tr:nth-child(${want.length + 1})`));
}

story('react-admin: a list has filters, an order and pages', admin, async ({ page }) => {
  await page.locator('[name=email]').fill('ann@example.com');
  await page.locator('[name=password]').fill('b00k-worm');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await see(page.getByText('Incorrect email or password'));
  await signUp(page, 'ann@example.com');

  await see(page.getByText('1-10 of 12'));
  await shot(page, 'react-admin');
  await page.getByRole('button', { name: 'Go to next page' }).click();
  await titles(page, 'Bread for beginners', 'A week without a car');
  await page.getByRole('button', { name: 'Sort by views' }).click();
  await see(page.locator('tbody tr:nth-child(1)').getByText('A shelf of my own'));
  await page.getByPlaceholder('Search').fill('train');
  await titles(page, 'A week without a car', 'Night trains, compared');
  await page.getByPlaceholder('Search').fill('');
  await page.getByRole('combobox', { name: 'Category' }).click();
  await page.getByRole('option', { name: 'books' }).click();
  await titles(page, 'A shelf of my own', 'The quietest library in town', 'Reading aloud to adults', 'Three novels about the sea');
});

story('react-admin: rows are added, changed and deleted', admin, async ({ page, person }) => {
  await signUp(page, 'ann@example.com');
  await page.getByRole('link', { name: 'Create' }).click();
  await page.locator('[name=title]').fill('From the page');
  await page.getByRole('combobox', { name: 'Category' }).click();
  await page.getByRole('option', { name: 'food' }).click();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByPlaceholder('Search').fill('from the page');
  await titles(page, 'From the page');

  const { page: other } = await person();
  await signUp(other, 'bob@example.com');
  await other.getByPlaceholder('Search').fill('from the page');
  await other.getByRole('cell', { name: 'From the page' }).click();
  await other.locator('[name=title]').fill('Taken over');
  await other.getByRole('button', { name: 'Save' }).click();
  await see(other.getByText(/^Private resource/));

  await page.getByRole('cell', { name: 'From the page' }).click();
  await page.locator('[name=views]').fill('7');
  await page.getByRole('button', { name: 'Save' }).click();
  await see(page.getByRole('cell', { name: '7', exact: true }));
  await page.getByRole('cell', { name: 'From the page' }).click();
  await page.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('button', { name: 'Confirm' }).click();
  await see(page.getByText('No Posts found using the current filters.'));
});

story('react-admin: rows that belong together', admin, async ({ page }) => {
  await signUp(page, 'ann@example.com');
  await page.getByRole('menuitem', { name: 'Comments' }).click();
  await see(page.getByRole('cell', { name: 'Night trains, compared' })); // the post of a comment
  await page.getByRole('combobox', { name: 'Post' }).fill('ferry');
  await page.getByRole('option', { name: 'The ferry that is always late' }).click();
  await see(page.getByText('No Comments found using the current filters.'));
  await page.getByRole('link', { name: 'Create' }).click();
  await page.getByRole('combobox', { name: 'Post' }).fill('ferry');
  await page.getByRole('option', { name: 'The ferry that is always late' }).click();
  await page.locator('[name=name]').fill('Ann');
  await page.locator('[name=body]').fill('Not today!');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('link', { name: 'The ferry that is always late' }).click();
  await see(page.getByRole('cell', { name: 'Not today!' })); // the comments of a post
  await shot(page, 'react-admin-post');
  await page.getByRole('button', { name: 'Profile' }).click();
  await page.getByRole('menuitem', { name: 'Logout' }).click();
  await see(page.getByRole('button', { name: 'Sign in' }));
});

// usePlainPage does all that fetch.html is for.
async function usePlainPage(page) {
  const change = async (name, text) => {
    const saved = page.waitForResponse((r) => ['PATCH', 'PUT'].includes(r.request().method()));
    await page.getByRole('textbox', { name }).fill(text);
    await page.keyboard.press('Tab');
    await saved; // a reload would cancel it
  };
  await page.getByLabel('E-mail').fill('ann@example.com');
  await page.getByLabel('Password').fill('b00k-worm');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await see(page.getByText('Incorrect email or password'));
  await page.getByRole('button', { name: 'Sign up' }).click();
  await see(page.getByText('The 10 newest of 12'));
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign in' }).click();
  await see(page.getByText('The 10 newest of 12'));

  await page.getByLabel('Title', { exact: true }).fill('From the page');
  await page.getByRole('button', { name: 'Add' }).click();
  await see(page.getByText('The 10 newest of 13'));
  await change('Title of 13', 'Changed on the page');
  await page.reload();
  await see(page.getByText('The 10 newest of 13'));
  assert.equal(await page.getByRole('textbox', { name: 'Title of 13' }).inputValue(), 'Changed on the page');
  await page.getByRole('button', { name: 'Delete 13' }).click();
  await see(page.getByText('The 10 newest of 12'));
}

story('fetch.html, served by shelf', { args: ['-static', examples, 'db.json'], files }, async ({ page, shelf }) => {
  await page.goto(`${shelf.url}/fetch.html`);
  await usePlainPage(page);
  await accessible(page);
  await shot(page, 'fetch');
});

// Another loopback port is another origin, like a build tool's server.
story('fetch.html, served by another server', { args: ['db.json'], files }, async ({ person, shelf }) => {
  const other = await startShelf(['-static', examples, 'db.json'], files);
  try {
    const { page } = await person({ url: `${other.url}/fetch.html?api=${shelf.url}`, asks: shelf.url });
    await usePlainPage(page);
  } finally {
    await other.stop();
  }
});

story('fetch.html, opened as a file', { args: ['-cors', '*', 'db.json'], files }, async ({ person, shelf }) => {
  const { page } = await person({ url: `file://${examples}fetch.html?api=${shelf.url}`, asks: shelf.url });
  await usePlainPage(page);
});
