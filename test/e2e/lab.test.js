// The lab: every attack is refused, where it is; and is seen to get through
// where a server lets it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, request as ask } from 'node:http';
import { accessible, api, part, see, shot, signUp, story, tokenOf } from './kit.js';

const attacks = JSON.parse(await readFile(new URL('../../console/attacks.json', import.meta.url)));
const here = attacks.filter(({ held }) => !held); // those that a page can make
const rotation = attacks.find((attack) => attack.rotation);
const now = here.filter((attack) => !attack.lab && attack !== rotation); // those that need nothing

const card = (page, { title }) => page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: title, exact: true }) });
const score = (page) => page.getByRole('status').filter({ hasText: /^\d+ of \d+ refused$/ });
const inside = (page, attack) => card(page, attack).getByText('What was sent, and the answer');

// A refusal says why where a token was sent as one (RFC 6750 §3): not where it was
// in a place that the server never reads, nor where it was good and what it asked for was refused.
const saysWhy = ({ id, expect }) => [401, 422].includes(expect.status) && !['token-in-query', 'token-in-cookie'].includes(id);

async function runAll(page, count) {
  await part(page, 'Break it');
  await page.getByRole('button', { name: 'Run all' }).click();
  await see(page.getByRole('status').filter({ hasText: `All fired: ${count} of ${count} refused` }));
  await see(score(page).getByText(`${count} of ${count} refused`));
}

// refused holds what is shown of an attack against the table that it comes from.
async function refused(page, attack) {
  const { title, explanation, defence, source, url, expect } = attack;
  const it = card(page, attack);
  await see(it.getByText(`refused ${expect.status}`));
  await see(it.getByText(explanation));
  await see(it.getByText(defence));
  assert.equal(await it.getByRole('link', { name: source }).getAttribute('href'), url, title);
  if (!(await it.getByRole('heading', { name: 'The answer' }).isVisible())) await inside(page, attack).click();
  await see(it.getByText(`${expect.status} ${expect.error}`));
  const why = it.getByText(/^error_description: \S/);
  assert.equal(await why.count(), saysWhy(attack) ? 1 : 0, `${title}: error_description`);
  if (expect.description) await see(why.filter({ hasText: expect.description }));
  assert.match(await it.getByRole('group', { name: 'The token that was sent' }).innerText(), /^eyJ/, title);
}

for (const alg of ['HS256', 'EdDSA']) {
  story(`every attack is refused, each with its reason (${alg})`, { args: ['-alg', alg] }, async ({ page, t }) => {
    await runAll(page, now.length);
    for (const attack of now) await t.test(attack.title, () => refused(page, attack));
  });
}

story('a server that rotates refresh tokens is attacked there as well', { args: ['-rotate-refresh'] }, async ({ page }) => {
  await part(page, 'Break it');
  await see(card(page, rotation).getByText('needs -rotate-refresh'));
  await runAll(page, now.length + 1);
  await refused(page, rotation);
});

story('one attack is fired by its own button, and the token that it forged is shown', async ({ page }) => {
  await part(page, 'Break it');
  const none = attacks.find(({ id }) => id === 'alg-none');
  await see(score(page).getByText(`0 of ${now.length} refused`));
  await page.getByRole('button', { name: `Fire: ${none.title}`, exact: true }).click();
  await see(score(page).getByText(`1 of ${now.length} refused`));
  await see(card(page, none).getByText('"alg":"none"'));
  const [header, , signature] = (await card(page, none).getByRole('group', { name: 'The token that was sent' }).innerText()).split('.');
  assert.equal(JSON.parse(Buffer.from(header, 'base64url')).alg, 'none');
  assert.equal(signature.replace('∅', ''), '');
});

story('the lab leaves nothing behind, and one’s own sign-in as it was', async ({ page, shelf }) => {
  await signUp(page);
  const token = await tokenOf(page);
  await runAll(page, now.length);
  assert.equal((await api(shelf, token, 'GET /api/v1/auth/me')).status, 200);
  assert.deepEqual((await api(shelf, token, 'GET /api/v1/items')).data, []);
  assert.equal(await tokenOf(page), token);
  const next = await api(shelf, '', 'POST /api/v1/auth/signup', { email: 'mallory@lab.example', password: 'b00k-worm' });
  assert(next.data[0].user.id > 2, 'the lab has made accounts');
  assert.deepEqual(await page.context().cookies(), []);
});

story('an attack that waits for the clock can’t be fired without it', async ({ page }) => {
  await part(page, 'Break it');
  for (const attack of attacks.filter(({ lab }) => lab)) {
    assert(await page.getByRole('button', { name: `Fire: ${attack.title}`, exact: true }).isDisabled());
    await see(card(page, attack).getByText('needs the lab’s clock'));
  }
  await see(page.getByText('2 more need the lab’s clock'));
  for (const attack of attacks.filter(({ held }) => held)) {
    assert(await page.getByRole('button', { name: `Fire: ${attack.title}`, exact: true }).isDisabled());
    await see(card(page, attack).getByText('shelf attack only'));
  }
});

story('one’s own forgery is refused, and the same token unaltered is good', async ({ page }) => {
  await signUp(page);
  const form = page.getByRole('form', { name: 'Now change it' });
  await form.getByRole('button', { name: 'Send it' }).click();
  await see(form.getByRole('status').filter({ hasText: /^200 / }));
  const payload = form.getByLabel('Payload');
  const claims = JSON.parse(await payload.inputValue());
  await payload.fill(JSON.stringify({ ...claims, exp: claims.exp + 86400 }));
  await form.getByRole('button', { name: 'Send it' }).click();
  await see(form.getByRole('status').filter({ hasText: '422 Signature verification failed' }));
  await payload.fill('{"sub": ');
  await form.getByRole('button', { name: 'Send it' }).click();
  await see(form.getByRole('status').filter({ hasText: /^422 / }));
});

const own = (page) => page.getByRole('form', { name: 'Now change it' });
const send = (page) => own(page).getByRole('button', { name: 'Send it' }).click();

story('each forgery can be taken, looked at, sent and put back', async ({ page, t }) => {
  await signUp(page);
  await part(page, 'Your token');
  const list = own(page).getByLabel('Take a forgery');
  const titles = (await list.locator('option').allTextContents()).slice(1);
  assert(titles.length >= 15, `${titles.length} forgeries`);
  for (const title of titles) {
    await t.test(title, async () => {
      await list.selectOption(title);
      const { explanation } = attacks.find((attack) => attack.title === title);
      await see(own(page).getByText(explanation, { exact: false }));
      await send(page);
      await see(own(page).getByRole('status').filter({ hasText: /^4\d\d / }));
    });
  }
  await own(page).getByRole('button', { name: 'Reset' }).click();
  await send(page);
  await see(own(page).getByRole('status').filter({ hasText: /^200 / }));
});

story('a secret of one’s own signs a token that the server refuses', async ({ page }) => {
  await signUp(page);
  await part(page, 'Your token');
  await own(page).getByLabel('Sign it with a secret of your own').fill('hunter2');
  await own(page).getByRole('button', { name: 'Sign', exact: true }).click();
  await see(own(page).getByText('Altered, with another signature.'));
  await send(page);
  await see(own(page).getByRole('status').filter({ hasText: '422 Signature verification failed' }));
});

story('any token can be pasted, without a sign-in', async ({ page, shelf }) => {
  const { data: [{ access_token: token }] } = await api(shelf, '', 'POST /api/v1/auth/signup', { email: 'bob@example.com', password: 'b00k-worm' });
  await part(page, 'Your token');
  await see(own(page).getByText('Sign in, or paste a token.'));
  await own(page).getByLabel('Paste any token').fill(`Bearer ${token}`);
  assert.equal(JSON.parse(await own(page).getByLabel('Payload').inputValue()).type, 'access');
  await send(page);
  await see(own(page).getByRole('status').filter({ hasText: /^200 / }));
  await own(page).getByLabel('Paste any token').fill('eyJub.token');
  await see(page.getByRole('status').filter({ hasText: 'That is no token' }));
  await own(page).getByRole('button', { name: 'Reset' }).click();
  assert.equal(await own(page).getByLabel('Payload').inputValue(), '');
});

story('the picture of a token’s life says where yours is, and what the look-up costs', { clock: true }, async ({ page }) => {
  await part(page, 'Your token');
  const here = page.locator('#life [aria-current=step]');
  await see(here.getByText('Sign-in'));
  await signUp(page);
  await see(here.getByText('Each request'));
  await page.getByText('What does the look-up of the jti cost?').click();
  await see(page.getByText('Here both are reads of a map in memory', { exact: false }));
  await page.clock.fastForward('15:01');
  await see(here.getByText('Expired'));
});

// holed is a server with a hole in it: a proxy before shelf that takes each token
// through whose header says alg none, by putting a good one in its place. It
// listens until the test ends.
async function holed(t, shelf) {
  const good = new Map(); // by public id
  const proxy = createServer((request, response) => {
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
    const headers = { ...request.headers };
    if (token) {
      const { alg } = JSON.parse(Buffer.from(token.split('.')[0], 'base64url'));
      const { sub } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
      if (alg === 'none' && good.has(sub)) headers.authorization = `Bearer ${good.get(sub)}`;
    }
    const behind = ask(shelf.url + request.url, { method: request.method, headers }, (answer) => {
      let text = '';
      answer.on('data', (part) => { text += part; });
      answer.on('end', () => {
        const made = /"access_token":"([^"]+)"/.exec(text)?.[1];
        if (made) good.set(JSON.parse(Buffer.from(made.split('.')[1], 'base64url')).sub, made);
      });
      response.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(response);
    });
    behind.on('error', () => response.destroy());
    response.on('close', () => behind.destroy());
    request.pipe(behind);
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.after(() => { proxy.closeAllConnections(); proxy.close(); });
  return `http://127.0.0.1:${proxy.address().port}`;
}

story('an attack that gets through is shown as a hole', async ({ shelf, person, t }) => {
  const { page } = await person({ url: await holed(t, shelf) });
  await part(page, 'Break it');
  await page.getByRole('button', { name: 'Run all' }).click();
  await see(page.getByRole('status').filter({ hasText: `All fired: ${now.length - 1} of ${now.length} refused` }));
  for (const attack of now) {
    const it = card(page, attack);
    if (attack.id !== 'alg-none') {
      await see(it.getByText(`refused ${attack.expect.status}`));
      continue;
    }
    await see(it.getByText('GOT THROUGH', { exact: true }));
    await see(it.getByRole('alert').filter({ hasText: 'that is a hole' }));
  }
  await see(page.getByText('1 not refused as it should be'));
  await shot(page, 'a hole');
});

// openLab opens the link that shelf -lab prints.
const openLab = async (shelf, person, more) => (await person({ url: await shelf.said(/http:\S+#lab=\S+/), ...more })).page;

const clock = (page) => page.getByRole('region', { name: 'The lab’s clock' });

story('with the lab’s clock every attack is fired, and the clock is put back', { args: ['-lab'] }, async ({ shelf, person, t }) => {
  const page = await openLab(shelf, person);
  await see(page.getByRole('heading', { name: 'Break it' }));
  await runAll(page, now.length + 2);
  for (const attack of attacks.filter(({ lab }) => lab)) await t.test(attack.title, () => refused(page, attack));
  await see(clock(page).getByText('this machine’s time'));
});

story('the lab’s secret is taken off the address, and is on no projector', { args: ['-lab'] }, async ({ shelf, person }) => {
  const secret = (await shelf.said(/#lab=\S+/)).slice('#lab='.length);
  const page = await openLab(shelf, person);
  await see(clock(page).getByText('this machine’s time'));
  await clock(page).getByRole('button', { name: '+ 1 day' }).click();
  await see(clock(page).getByText('1 d ahead'));
  assert(!page.url().includes(secret), page.url());
  assert(!(await page.locator('html').innerText()).includes(secret));
  await page.goBack();
  assert(!page.url().includes(secret), `one step back: ${page.url()}`);
});

story('the clock goes ahead, and the access token is over', { args: ['-lab'] }, async ({ shelf, person }) => {
  const page = await openLab(shelf, person);
  await signUp(page);
  await part(page, 'Break it');
  await clock(page).getByRole('button', { name: '+ 16 minutes' }).click();
  const alert = page.getByRole('alert').filter({ hasText: 'Your access token has expired.' });
  await see(alert);
  await part(page, 'Your token');
  await page.getByRole('form', { name: 'Now change it' }).getByRole('button', { name: 'Send it' }).click();
  await see(page.getByRole('status').filter({ hasText: /401 Token has expired.*expired 1m\d+s ago/ }));
  await alert.getByRole('button', { name: 'Refresh' }).click();
  await alert.waitFor({ state: 'hidden' });
  await part(page, 'Break it');
  await clock(page).getByRole('button', { name: 'Reset' }).click();
  await see(clock(page).getByText('this machine’s time'));
});

story('the clock stands still, and with it what is left of a token', { args: ['-lab'] }, async ({ shelf, person }) => {
  const page = await openLab(shelf, person, { clock: true });
  await signUp(page);
  await part(page, 'Break it');
  await clock(page).getByRole('button', { name: 'Freeze' }).click();
  await see(clock(page).getByText('frozen'));
  const timer = page.getByRole('link', { name: /Signed in as/ }).getByRole('timer');
  const seconds = async () => Number(/(\d+) s left/.exec(await timer.innerText())?.[1] ?? 0);
  await page.clock.runFor(2_000);
  const before = await seconds();
  await page.clock.runFor(20_000);
  assert(before - (await seconds()) <= 1, 'what is left goes on');
  await clock(page).getByRole('button', { name: 'Run' }).click();
  await see(clock(page).getByRole('button', { name: 'Freeze' }));
});

story('the lab takes a snapshot, goes back to it, and to the start', { args: ['-lab'] }, async ({ shelf, person }) => {
  const page = await openLab(shelf, person);
  await signUp(page);
  const token = await tokenOf(page);
  await part(page, 'Break it');
  await page.getByRole('button', { name: 'Take a snapshot' }).click();
  await see(page.getByText('Snapshot 1', { exact: true }));
  await api(shelf, token, 'POST /api/v1/items', { itemname: 'lamp', category: 'light', description: 'new' });
  await page.getByRole('button', { name: 'Restore snapshot 1' }).click();
  await see(page.getByRole('status').filter({ hasText: 'Snapshot 1 is restored' }));
  assert.deepEqual((await api(shelf, token, 'GET /api/v1/items')).data, []);
  await accessible(page);
  await shot(page, 'the lab, open');
  await page.getByRole('button', { name: 'Back to the start' }).click();
  await see(page.locator('#banner').getByRole('alert').filter({ hasText: 'The server refuses your token.' }));
  await see(clock(page).getByText('this machine’s time'));
});

for (const [name, args, says] of [['a wrong secret is refused', ['-lab'], /secret|X-Lab-Token/i], ['a shelf without a lab says so', [], 'This shelf runs without -lab']]) {
  story(name, { args }, async ({ page }) => {
    await part(page, 'Break it');
    await page.getByRole('textbox', { name: 'Secret' }).fill('open sesame');
    await page.getByRole('button', { name: 'Open the lab' }).click();
    await see(clock(page).getByRole('alert').filter({ hasText: says }));
  });
}
