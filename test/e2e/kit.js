// What the stories share: a shelf of their own, people with browsers in front of
// it, and what their pages must never do. test/e2e/run starts them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test, { after } from 'node:test';
import axe from 'axe-core';
import { chromium } from 'playwright-core';

// patience is how long a story waits for anything before it fails, in ms.
const patience = 30_000;

// Sizes in CSS pixels.
export const laptop = { width: 1280, height: 800 };
export const phone = { width: 390, height: 844 };
export const tablet = { width: 820, height: 1180 };
export const projector = { width: 1920, height: 1080 };

// One browser for each file of stories. Names but loopback's lead nowhere, so a
// page that calls out is found here and heard nowhere else.
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost'],
});
after(() => browser.close());

/**
 * story is a test with a shelf of its own and a person in front of its page. It
 * fails as well where a page did what none may: see Person.problems.
 *
 * settings: args for shelf, files for its folder (texts by their names), and what
 * person() takes.
 */
export function story(name, settings, tell) {
  if (!tell) [settings, tell] = [{}, settings];
  test(name, { timeout: 10 * patience }, async (t) => {
    const shelf = await startShelf(settings.args ?? [], settings.files);
    const people = [];
    const person = async (others = settings) => {
      const p = await visit(others.url ?? shelf.url, others);
      people.push(p);
      return p;
    };
    try {
      const { page } = await person();
      await tell({ page, shelf, person, t });
      for (const { problems } of people) assert.deepEqual(problems, []);
    } catch (e) {
      for (const [i, p] of people.entries()) await shot(p.page, `failed ${name} ${i + 1}`.replaceAll(/\W+/g, '-'));
      throw e;
    } finally {
      for (const [i, p] of people.entries()) {
        for (const problem of p.problems) t.diagnostic(`page ${i + 1}: ${problem}`);
        await p.context.close();
      }
      await shelf.stop();
    }
  });
}

/**
 * startShelf starts the real program on a free port, in a folder with no other files
 * and with no setting but these, and returns when it says where it listens. said waits
 * until standard error holds a pattern, and returns what fits it.
 */
export async function startShelf(args = [], files = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'shelf-e2e-'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const child = spawn(
    process.env.SHELF,
    ['-addr', '127.0.0.1:0', '-data', 'memory', '-bcrypt-cost', '4', '-log', 'problems', ...args],
    { cwd: folder, env: { PATH: process.env.PATH }, stdio: ['ignore', 'pipe', 'pipe'], timeout: 20 * patience }, // and a story that hangs ends
  );
  let stderr = '';
  child.stderr.on('data', (text) => { stderr += text; });
  const said = async (pattern) => {
    for (;;) {
      const found = pattern.exec(stderr);
      if (found) return found[0];
      await once(child.stderr, 'data', { signal: AbortSignal.timeout(patience) });
    }
  };
  const ended = once(child, 'exit');
  const stop = async () => {
    child.kill();
    await ended;
    await rm(folder, { recursive: true });
  };
  for await (const line of createInterface(child.stdout)) {
    const url = /^listening on (http:\S+)$/.exec(line)?.[1];
    if (url) return { url, folder, said, stop };
  }
  await stop();
  throw new Error(`shelf did not start: ${stderr}`);
}

/**
 * visit opens url in a browser of its own, as a person who comes for the first
 * time. problems lists what no page may do. asks is the URL of another server that
 * the page may ask.
 */
export async function visit(url, { size = laptop, dark = false, still = true, script = true, clock, away, asks = url } = {}) {
  const context = await browser.newContext({
    viewport: size,
    colorScheme: dark ? 'dark' : 'light',
    reducedMotion: still ? 'reduce' : 'no-preference',
    hasTouch: size === phone,
    javaScriptEnabled: script,
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  context.setDefaultTimeout(patience);
  const page = await context.newPage();
  const problems = watch(context, page, [new URL(url).origin, new URL(asks).origin], away);
  await context.exposeBinding('violated', (_, what) => problems.push(`content security policy: ${what}`));
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', (e) => {
      window.violated(`${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`);
    });
    new ReportingObserver((reports) => {
      for (const r of reports) window.violated(`${r.type}: ${JSON.stringify(r.body)}`);
    }, { buffered: true }).observe();
  });
  if (clock) await page.clock.install();
  const answer = await page.goto(url);
  assert.equal(answer.status(), 200);
  return { page, context, problems };
}

// watch collects what a page may not do that asks servers of these origins, whatever
// its story is about. away tells that a server goes away, which Chromium itself writes of.
function watch(context, page, origins, away) {
  const problems = [];
  page.on('pageerror', (e) => problems.push(`uncaught: ${e.stack || e}`));
  page.on('crash', () => problems.push('the page crashed'));
  page.on('dialog', async (d) => {
    problems.push(`a dialog: ${d.message()}`);
    await d.dismiss();
  });
  page.on('console', (m) => {
    if (m.type() !== 'error' && m.type() !== 'warning') return;
    // Chromium itself writes this for every answer of 400 and above; no page can
    // prevent it, and refusals are what this one is there to show.
    if (/^Failed to load resource: the server responded with a status of 4\d\d/.test(m.text())) return;
    if (away && /net::ERR_/.test(m.text())) return;
    problems.push(`console ${m.type()}: ${m.text()} (${m.location().url})`);
  });
  context.on('request', (r) => {
    const url = new URL(r.url());
    if (url.protocol !== 'data:' && url.protocol !== 'blob:' && !origins.includes(url.origin)) {
      problems.push(`a request to elsewhere: ${r.method()} ${r.url()}`);
    }
  });
  context.on('response', (r) => {
    if (r.status() >= 500) problems.push(`${r.status()} for ${r.request().method()} ${r.url()}`);
  });
  page.on('websocket', (w) => problems.push(`a web socket to ${w.url()}`));
  return problems;
}

/** see waits until there is what the locator finds. */
export const see = (locator) => locator.waitFor({ state: 'visible' });

/** gone waits until there is no longer what the locator finds. */
export const gone = (locator) => locator.waitFor({ state: 'hidden' });

/**
 * accessible fails where axe-core finds anything serious or critical in the page
 * as it stands: contrast, names, roles, landmarks (WCAG 2.2 A and AA, and
 * axe-core's best practices).
 */
export async function accessible(page) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const found = violations
    .filter((v) => v.impact === 'serious' || v.impact === 'critical')
    .flatMap((v) => v.nodes.map((n) => `${v.id}: ${v.help}: ${n.target}: ${n.any[0]?.message ?? ''}`));
  assert.deepEqual(found, []);
}

/** shot keeps a picture of the whole page, where SHELF_SHOTS names a folder. */
export async function shot(page, name) {
  if (process.env.SHELF_SHOTS) {
    await page.screenshot({ path: join(process.env.SHELF_SHOTS, `${name}.png`), fullPage: true });
  }
}

/**
 * part goes to a part of the page by its navigation, and waits until it is shown:
 * a browser tells of the new address later, and for that long the button that a
 * story means next may still be the last part's.
 */
export async function part(page, name) {
  const link = page.getByRole('navigation', { name: 'Parts of this page' }).getByRole('link', { name, exact: true });
  await link.click();
  await see(link.and(page.locator('[aria-current=page]')));
}

/** signUp makes an account on the page, of the catalog's or of the book API's kind. */
export async function signUp(page, name = 'ann@example.com', { how = 'Sign up', password = 'b00k-worm', kind = 'Catalog' } = {}) {
  await part(page, 'Start');
  await page.getByRole('radio', { name: kind }).check();
  await page.getByLabel(kind === 'Catalog' ? 'E-mail' : 'Username', { exact: true }).fill(name);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: how, exact: true }).click();
  await see(page.getByRole('link', { name: `Signed in as ${name}` }));
}

/**
 * copied presses a button that copies something, and returns what. It doesn't wait for
 * the page to say so: something else that ends at this moment may be said over it.
 */
export async function copied(page, button) {
  await page.evaluate(() => navigator.clipboard.writeText(''));
  await button.click();
  const text = await page.waitForFunction(() => navigator.clipboard.readText());
  return text.jsonValue();
}

/** tokenOf copies a token of the page's: 'Access token' or 'Refresh token'. */
export async function tokenOf(page, title = 'Access token') {
  await part(page, 'Your token');
  return copied(page, page.getByRole('article', { name: title }).getByRole('button', { name: 'Copy' }));
}

/** entry is what On the wire has about the last request such as 'GET /api/v1/items'. */
export function entry(page, request) {
  const [method, path] = request.split(' ');
  return page.getByRole('list', { name: 'Requests, newest first' }).getByRole('listitem')
    .filter({ has: page.getByText(method, { exact: true }) })
    .filter({ has: page.getByText(new RegExp(`^${path.replaceAll('.', '\\.')}(\\?|$)`)) })
    .first();
}

/** answered waits until that request is. */
export const answered = (page, request) => see(entry(page, request).getByText(/^\d{3}$/).first());

/** api asks the server behind the page's back, as another program would. */
export async function api(shelf, token, request, body) {
  const [method, path] = request.split(' ');
  const answer = await fetch(shelf.url + path, {
    method,
    headers: { ...(token && { Authorization: `Bearer ${token}` }), ...(body && { 'Content-Type': 'application/json' }) },
    body: body && JSON.stringify(body),
  });
  return { status: answer.status, headers: answer.headers, ...(await answer.json()) };
}

/** focused reports whether the keyboard is at what the locator finds. */
export const focused = (locator) => locator.evaluate((node) => node === document.activeElement);
