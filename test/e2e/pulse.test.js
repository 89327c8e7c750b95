// The banner: whether the server is there, and takes the token.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { accessible, api, gone, part, phone, see, shot, signUp, startShelf, story, tokenOf } from './kit.js';

const banner = (page) => page.locator('#banner').getByRole('alert');

// freePort is a port that no program listens on.
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

// took is how many ms it takes until the banner says something.
async function took(page, says) {
  const began = performance.now();
  await see(banner(page).getByText(says));
  return performance.now() - began;
}

for (const signedIn of [true, false]) {
  story(`a restart of a server in memory is noticed within two seconds, signed ${signedIn ? 'in' : 'out'}`, async ({ person, t }) => {
    const address = `127.0.0.1:${await freePort()}`;
    let shelf = await startShelf(['-addr', address]);
    t.after(() => shelf.stop());
    const { page } = await person({ url: shelf.url, away: true });
    const best = { away: Infinity, back: Infinity };
    // The machine may be busy: one of three has to be fast.
    for (let i = 0; i < 3 && Math.max(best.away, best.back) >= 2000; i++) {
      if (signedIn) await signUp(page, `ann${i}@example.com`);
      await shelf.stop();
      best.away = Math.min(best.away, await took(page, 'The server is away.'));
      if (i === 0) await shot(page, `away, signed ${signedIn ? 'in' : 'out'}`);
      shelf = await startShelf(['-addr', address]);
      best.back = Math.min(best.back, await took(page, signedIn ? 'The server is back, and refuses your token.' : 'The server is back.'));
    }
    t.diagnostic(`away after ${best.away.toFixed(0)} ms, back after ${best.back.toFixed(0)} ms`);
    assert(best.away < 2000 && best.back < 2000, JSON.stringify(best));
    if (!signedIn) return gone(banner(page));
    await see(page.getByRole('link', { name: /Signed in as/ }).getByRole('timer').filter({ hasText: 'refused' }));
    await see(banner(page).getByText('Another key signed it.', { exact: false }));
    await accessible(page);
    await shot(page, 'refused after a restart');
    await banner(page).getByRole('link', { name: 'Sign in' }).click();
    await signUp(page, 'bob@example.com');
    await gone(banner(page));
  });
}

story('a server that keeps its data is back, and the sign-in is good', async ({ person, shelf: { folder }, t }) => {
  const args = ['-addr', `127.0.0.1:${await freePort()}`, '-data', `${folder}/kept.jsonl`];
  let shelf = await startShelf(args);
  t.after(() => shelf.stop());
  const { page } = await person({ url: shelf.url, away: true });
  await signUp(page);
  await part(page, 'Items');
  await shelf.stop();
  await see(banner(page).getByText('The server is away.'));
  shelf = await startShelf(args);
  await see(banner(page).getByText('Your sign-in is still good.'));
  await gone(banner(page));
  await see(page.getByRole('heading', { name: 'Items' }).getByText('live', { exact: true }));
});

story('a token that was ended elsewhere is told at once, on every part', async ({ page, shelf }) => {
  await signUp(page);
  const token = await tokenOf(page);
  await part(page, 'Books');
  await api(shelf, token, 'DELETE /api/v1/auth/sessions');
  await see(banner(page).getByText('The server refuses your token.'));
  await see(banner(page).getByText('It was ended before its time, by log-out.', { exact: false }));
  await see(page.getByRole('link', { name: /Signed in as/ }).getByRole('timer').filter({ hasText: 'refused' }));
  for (const name of ['Docs', 'Account', 'Break it']) {
    await part(page, name);
    await see(banner(page).getByRole('link', { name: 'Sign in' }));
  }
});

story('a page that gets no stream asks less and less often', { args: ['-max-account-streams', '1'] }, async ({ page, shelf, t }) => {
  await api(shelf, '', 'POST /api/v1/auth/signup', { email: 'ann@example.com', password: 'b00k-worm' });
  const { data: [{ access_token: token }] } = await api(shelf, '', 'POST /api/v1/auth/signin', { email: 'ann@example.com', password: 'b00k-worm' });
  const off = new AbortController();
  t.after(() => off.abort());
  const held = await fetch(`${shelf.url}/api/v1/events`, { headers: { Authorization: `Bearer ${token}` }, signal: off.signal });
  assert.equal(held.status, 200);
  const times = [], loads = [];
  page.on('request', (request) => {
    if (request.url().endsWith('/api/v1/events')) times.push(performance.now());
    if (request.url().endsWith('/api/v1/auth/me')) loads.push(request);
  });
  await signUp(page, 'ann@example.com', { how: 'Sign in' });
  while (times.length < 3) await page.waitForRequest(`${shelf.url}/api/v1/events`);
  assert(times[2] - times[1] > 1500, `after ${times[2] - times[1]} ms again`);
  assert.equal(loads.length, 0, 'a refused stream says nothing about the token');
});

story('the way to sign in is on every part, and leads back', async ({ page, shelf }) => {
  await api(shelf, '', 'POST /api/v1/auth/signup', { email: 'ann@example.com', password: 'b00k-worm' });
  for (const name of ['Docs', 'Your token', 'Items', 'Books', 'Account', 'Break it']) {
    await part(page, name);
    await see(page.getByRole('banner').getByRole('link', { name: 'Sign in' }));
  }
  await part(page, 'Books');
  await page.getByRole('banner').getByRole('link', { name: 'Sign in' }).click();
  await see(page.locator('#identity:focus'));
  await page.keyboard.type('ann@example.com');
  await page.getByLabel('Password', { exact: true }).fill('b00k-worm');
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await see(page.getByRole('heading', { name: 'Books' }));
});

story('who wants to stay signed in over a reload does, until the log-out', async ({ page }) => {
  await signUp(page);
  await part(page, 'Your token');
  await page.getByLabel(/Stay signed in over a reload/).check();
  await page.reload();
  await see(page.getByRole('link', { name: 'Signed in as ann@example.com' }));
  await part(page, 'Your token');
  assert(await page.getByLabel(/Stay signed in over a reload/).isChecked());
  await page.getByRole('button', { name: 'Log out', exact: true }).click();
  await see(page.getByRole('status').filter({ hasText: 'Logged out' }));
  assert.deepEqual(await page.evaluate(() => ({ ...sessionStorage })), {});
  await page.reload();
  await see(page.getByRole('banner').getByRole('link', { name: 'Sign in' }));
});

for (const size of [undefined, phone]) {
  story(`a message never lies on a button${size ? ', on a phone' : ''}`, { size }, async ({ page }) => {
    await signUp(page);
    await see(page.getByRole('status').filter({ hasText: 'Signed in as' }));
    const covered = await page.evaluate(() => {
      const strip = document.querySelector('#strip').getBoundingClientRect();
      return [...document.querySelectorAll('button, a')].filter((node) => {
        const box = node.getBoundingClientRect();
        return getComputedStyle(node).position === 'fixed' && box.height > 0 && box.bottom > strip.top + 1 && box.top < strip.bottom - 1;
      }).length;
    });
    assert.equal(covered, 0);
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    const last = await page.getByRole('link', { name: 'Next: break it' }).boundingBox();
    const strip = await page.locator('#strip').boundingBox();
    assert(last.y + last.height <= strip.y, 'the last button can be scrolled above the line of messages');
  });
}
