// What the kit forbids to every page it notices: a story that forgets to look
// fails all the same.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import test from 'node:test';
import { accessible, visit } from './kit.js';

const sins = [
  { name: 'an error on the console', script: "console.error('oops')", want: /^console error: oops/ },
  { name: 'a warning on the console', script: "console.warn('careful')", want: /^console warning: careful/ },
  { name: 'an error that is not caught', script: "throw new Error('lost')", want: /^uncaught: Error: lost/ },
  { name: 'a promise that is not caught', script: "Promise.reject(new Error('lost'))", want: /^uncaught: Error: lost/ },
  { name: 'a dialog', script: "alert('hello')", want: /^a dialog: hello/ },
  { name: 'an answer of 500', script: "fetch('/500')", want: /^500 for GET/ },
  { name: 'a request to elsewhere', script: "fetch('http://127.0.0.1:1/').catch(() => 0)", want: /^a request to elsewhere: GET http:\/\/127.0.0.1:1/ },
  { name: 'an image from elsewhere', script: "new Image().src = 'http://shelf.example/i.png'", want: /^a request to elsewhere: GET http:\/\/shelf.example/ },
  { name: 'a web socket', script: "new WebSocket('ws://' + location.host)", want: /^a web socket/ },
  { name: 'a script in the page itself', policy: "script-src 'self'", body: '<p onclick="x()">', want: /^content security policy: script-src-attr/ },
  { name: 'a style in the page itself', policy: "style-src 'self'", body: '<style>p{}</style>', want: /^content security policy: style-src/ },
];

for (const { name, policy = '', script = '', body = '', want } of sins) {
  test(`${name} is noticed`, async (t) => {
    const { page, problems } = await visit(await serve(t, policy, body, script));
    await page.getByText('the end').waitFor();
    // What is noticed comes by other ways than the text: give it its time.
    for (const end = Date.now() + 20_000; !problems.some((p) => want.test(p)) && Date.now() < end;) await page.evaluate(() => new Promise(requestAnimationFrame));
    assert(problems.some((p) => want.test(p)), `noticed: ${JSON.stringify(problems)}`);
  });
}

test('a page that does nothing wrong has no problems, and a refusal is none', async (t) => {
  const { page, problems } = await visit(await serve(t, '', '', "fetch('/404').then(() => document.body.append('answered'))"));
  await page.getByText('answered').waitFor();
  await accessible(page);
  assert.deepEqual(problems, []);
});

test('text that is hard to read is not accessible', async (t) => {
  const { page } = await visit(await serve(t, '', '<p style="color: #ccc">grey</p>', ''));
  await assert.rejects(accessible(page), /color-contrast/);
});

test('a field without a name is not accessible', async (t) => {
  const { page } = await visit(await serve(t, '', '<input>', ''));
  await assert.rejects(accessible(page), /label/);
});

// serve serves a page until the test ends, and returns where.
async function serve(t, policy, body, script) {
  const server = createServer((request, response) => {
    const status = Number(request.url.slice(1)) || 200;
    if (request.url === '/script.js') return response.setHeader('Content-Type', 'text/javascript').end(script);
    response.writeHead(status, { 'Content-Type': 'text/html', 'Content-Security-Policy': policy });
    response.end(`<!doctype html><html lang="en"><title>A page</title><link rel="icon" href="data:,"><main><h1>A page</h1>${body}<p>the end</p></main><script src="/script.js"></script></html>`);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => { server.closeAllConnections(); server.close(); });
  return `http://127.0.0.1:${server.address().port}/`;
}
