// What everybody can see and reach: by eye, on any screen, without a mouse.
import assert from 'node:assert/strict';
import { accessible, focused, laptop, part, phone, projector, see, shot, signUp, story, tablet } from './kit.js';

const parts = ['Start', 'Docs', 'Your token', 'Items', 'Books', 'Account', 'Break it'];

const rooms = {
  light: { size: laptop },
  dark: { size: laptop, dark: true },
  phone: { size: phone },
  'phone, dark': { size: phone, dark: true },
  tablet: { size: tablet },
  projector: { size: projector },
};

// fits fails where a page has to be scrolled sideways (WCAG 1.4.10).
async function fits(page, name) {
  const { wide, room } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, room: document.documentElement.clientWidth }));
  assert(wide <= room, `${name} is ${wide} px wide in ${room}`);
}

// look holds parts of the page against what holds for all of them.
async function look(page, room, when, names) {
  for (const name of names) {
    await part(page, name);
    await fits(page, name);
    await accessible(page);
    await shot(page, `${room}, ${when}, ${name}`);
  }
}

for (const [room, settings] of Object.entries(rooms)) {
  story(`${room}: each part can be read by everybody`, settings, async ({ page }) => {
    await look(page, room, 'signed out', ['Start', 'Items']);
    await signUp(page);
    for (const [name, example] of [['Items', 'lamp'], ['Books', 'Dune']]) {
      await part(page, name);
      await page.getByRole('button', { name: 'Add a few' }).click();
      await see(page.getByRole('row').filter({ hasText: example }));
    }
    await part(page, 'Items');
    await page.getByRole('button', { name: 'Edit lamp' }).click();
    await page.getByRole('button', { name: 'Let another tab change it first' }).click();
    await see(page.getByRole('status').filter({ hasText: 'Another tab has changed it' }));
    await page.getByRole('button', { name: 'Save' }).click();
    await see(page.getByRole('group', { name: 'Conflict' }));
    await part(page, 'Break it');
    await page.getByRole('button', { name: 'Run all' }).click();
    await see(page.getByText(/^(\d+) of \1 refused$/));
    await look(page, room, 'signed in', parts);
  });
}

// 360 px is a small phone; 320 px is 1280 at four times the size (WCAG 1.4.10).
for (const width of [360, 320]) {
  story(`nothing has to be scrolled sideways at ${width} px`, { size: { width, height: 640 } }, async ({ page }) => {
    await signUp(page, 'somebody-with-a-rather-long-name@a-rather-long-domain.example.com');
    for (const name of parts) {
      await part(page, name);
      await fits(page, name);
    }
    await part(page, 'Items');
    await page.getByRole('button', { name: 'Add a few' }).click();
    await page.getByRole('button', { name: 'Edit lamp' }).click();
    await page.getByRole('form', { name: 'Edit lamp' }).getByLabel('Description').fill('x'.repeat(300));
    await page.getByRole('button', { name: 'Let another tab change it first' }).click();
    await see(page.getByRole('status').filter({ hasText: 'Another tab has changed it' }));
    await fits(page, 'the editor');
    await page.getByRole('button', { name: 'Save' }).click();
    await see(page.getByRole('group', { name: 'Conflict' }));
    await fits(page, 'a conflict');
    await page.getByRole('button', { name: 'Save mine over it' }).click();
    await see(page.getByRole('button', { name: 'Edit lamp' }));
    await fits(page, 'a long description');
    await part(page, 'Break it');
    await page.getByRole('button', { name: 'Run all' }).click();
    await see(page.getByText(/^(\d+) of \1 refused$/));
    for (const summary of await page.getByText('What was sent, and the answer').all()) await summary.click();
    await fits(page, 'the lab, all of it open');
    await page.getByRole('button', { name: /^On the wire/ }).click();
    await fits(page, 'On the wire');
  });
}

// tabTo goes from control to control as a person without a mouse does, until it is
// at the one that is wanted. At each stop the focus has to be seen (WCAG 2.4.7,
// 2.4.11): drawn, and not beneath anything.
async function tabTo(page, wanted, key = 'Tab') {
  for (let stops = 0; stops < 150; stops++) {
    await page.keyboard.press(key);
    const { name, drawn, covered } = await page.evaluate(() => {
      const node = document.activeElement;
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(node);
      const { x, y, width, height } = node.getClientRects()[0]; // the first line of several
      const top = document.elementFromPoint(x + width / 2, y + Math.min(height, innerHeight) / 2);
      return {
        name: `${node.tagName} ${node.ariaLabel ?? node.textContent.slice(0, 40)}`,
        drawn: (outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1) || boxShadow !== 'none',
        covered: !(top && (node.contains(top) || top.contains(node))),
      };
    });
    assert(drawn, `the focus is not to be seen on ${name}`);
    assert(!covered, `the focus is on ${name}, which is beneath something`);
    if (await focused(wanted)) return;
  }
  assert.fail(`150 times ${key}, and not there yet`);
}

story('to skip to the content stays on the part that is shown', async ({ page }) => {
  await signUp(page);
  await part(page, 'Books');
  await page.getByRole('link', { name: 'Skip to the content' }).focus();
  await page.keyboard.press('Enter');
  await see(page.locator('main:focus'));
  await tabTo(page, page.getByRole('button', { name: 'Add a few' }));
});

for (const [room, settings] of Object.entries({ laptop: { size: laptop }, phone: { size: phone } })) {
  story(`${room}: sign-up and lab go without a mouse`, settings, async ({ page }) => {
    await page.keyboard.press('Tab');
    const skip = page.getByRole('link', { name: 'Skip to the content' });
    assert(await focused(skip), 'the first stop skips what is on every part');
    await page.keyboard.press('Enter');
    await see(page.locator('main:focus'));
    await tabTo(page, page.getByRole('radio', { name: 'Catalog' }));
    await tabTo(page, page.getByLabel('E-mail', { exact: true }));
    await page.keyboard.type('ann@example.com');
    await tabTo(page, page.getByLabel('Password', { exact: true }));
    await page.keyboard.type('b00k-worm');
    await page.keyboard.press('Enter');
    const title = page.getByRole('heading', { name: 'Your token' });
    await see(title);
    await see(page.getByRole('article', { name: 'Access token' }));
    assert(await focused(title), 'a reader is told which part this is');

    await tabTo(page, page.getByRole('link', { name: 'Next: break it' }));
    await page.keyboard.press('Enter');
    await see(page.getByRole('heading', { name: 'Break it' }));
    const run = page.getByRole('button', { name: 'Run all' }), lab = page.getByRole('button', { name: 'Open the lab' });
    await tabTo(page, lab);
    await tabTo(page, run);
    await page.keyboard.press('Enter');
    await see(page.getByText(/^(\d+) of \1 refused$/));
    assert(await focused(run), 'the focus stays where it was');
    const first = page.getByRole('listitem').filter({ has: page.getByRole('button', { name: /^Fire: / }) }).first();
    await tabTo(page, first.getByRole('button', { name: /^Fire: / }));
    await page.keyboard.press('Enter');
    await see(first.getByRole('heading', { name: 'The answer' }));
    await tabTo(page, lab, 'Shift+Tab'); // all the way back up
  });
}

story('the browser’s own way back goes back, and each part has a title', async ({ page }) => {
  assert.equal(await page.title(), 'shelf');
  await part(page, 'Books');
  await see(page.getByRole('heading', { name: 'Books' }));
  assert.match(await page.title(), /^Books/);
  await page.goBack();
  await see(page.getByRole('heading', { level: 1, name: 'Your API is up.' }));
  assert.equal(await page.title(), 'shelf');
});

for (const still of [false, true]) {
  story(still ? 'nothing moves for those who asked for that' : 'what has changed lights up', { still }, async ({ page }) => {
    await signUp(page);
    await part(page, 'Items');
    for (const label of ['Item', 'Category', 'Description']) await page.getByRole('form', { name: 'Add an item' }).getByLabel(label).fill('lamp');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await see(page.getByRole('row', { name: /lamp/ }));
    const moving = await page.evaluate(() => document.getAnimations().length);
    assert(still ? moving === 0 : moving > 0, `${moving} animations`);
  });
}

story('without JavaScript there is a way to the API still', { script: false }, async ({ page }) => {
  await see(page.getByRole('link', { name: '/openapi.json' }));
});
