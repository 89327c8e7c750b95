// Clients as tutorials about json-server and json-server-auth write them, with
// axios and with fetch: sign up, sign in, list, add, change, delete.
import assert from 'node:assert/strict';
import test from 'node:test';
import axios from 'axios';
import { bearer, freshData, how, ids, open, url } from './kit.js';

freshData();

// storage is what localStorage is in a page.
const storage = () => {
  const kept = new Map();
  return { getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => kept.set(name, value), removeItem: (name) => kept.delete(name) };
};

test(`axios: an account and its rows, ${how}`, async () => {
  const localStorage = storage();
  const api = axios.create({ baseURL: url, headers: { 'Content-Type': 'application/json' } });
  api.interceptors.request.use((config) => {
    const token = localStorage.getItem('token');
    if (token) config.headers.Authorization = `Bearer ${token}`;
    return config;
  });

  const registered = await api.post('/register', { email: 'ann@example.com', password: 'b00k-worm', firstName: 'Ann' });
  assert.equal(registered.status, 201);
  assert.equal(registered.data.user.firstName, 'Ann');
  assert.equal(registered.data.user.password, undefined);
  const again = api.post('/register', { email: 'ann@example.com', password: 'b00k-worm' });
  await assert.rejects(again, (e) => e.response.status === 400 && e.response.data === 'Email already exists');
  const wrong = api.post('/login', { email: 'ann@example.com', password: 'bookworm' });
  await assert.rejects(wrong, (e) => e.response.status === 400 && e.response.data === 'Incorrect email or password');

  const { data: { accessToken, user } } = await api.post('/login', { email: 'ann@example.com', password: 'b00k-worm' });
  localStorage.setItem('token', accessToken);
  // The token's middle part is read as tutorials do.
  assert.equal(JSON.parse(atob(accessToken.split('.')[1].replaceAll('-', '+').replaceAll('_', '/'))).exp * 1000 > Date.now(), true);
  assert.equal((await api.get(`/users/${user.id}`)).data.email, 'ann@example.com');

  const { data: post } = await api.post('/posts', { title: 'Mine', userId: user.id });
  assert.equal(post.userId, user.id);
  assert.equal((await api.patch(`/posts/${post.id}`, { title: 'Still mine' })).data.title, 'Still mine');
  assert.deepEqual((await api.put(`/posts/${post.id}`, { title: 'Whole', userId: user.id })).data, { title: 'Whole', userId: user.id, id: post.id });
  assert.deepEqual(ids((await api.get('/600/posts')).data), [post.id]);
  assert.deepEqual(ids((await api.get(`/posts?userId=${user.id}`)).data), [post.id]);
  assert.equal((await api.get('/posts', { params: { _expand: 'user', userId: user.id } })).data[0].user.email, 'ann@example.com');
  assert.equal((await api.delete(`/posts/${post.id}`)).status, 200);
  await assert.rejects(api.get(`/posts/${post.id}`), (e) => e.response.status === 404);
});

test(`axios: lists, ${how}`, async () => {
  const api = axios.create({ baseURL: url, headers: bearer });
  const page = await api.get('/posts', { params: { _page: 2, _limit: 5, _sort: 'title', _order: 'asc' } });
  assert.equal(page.headers['x-total-count'], '12');
  assert.deepEqual([...page.headers.link.matchAll(/[?&]_page=(\d)[^>]*>; rel="(\w+)"/g)].map(([, n, rel]) => [rel, n]),
    [['first', '1'], ['prev', '1'], ['next', '3'], ['last', '3']]);
  assert.deepEqual(ids((await api.get('/posts', { params: { id: [2, 5] } })).data), [2, 5]); // sent as id[]=2&id[]=5
  assert.deepEqual(ids((await api.get('/posts?q=soup&_limit=3')).data), [4]);
  assert.equal((await api.get('/comments?_expand=post&_limit=1')).data[0].post.id, 1);
  assert.deepEqual((await api.get('/posts/11?_embed=comments')).data.comments.length, 1);
  assert.equal((await api.get('/posts', { params: { _: 1795845600000, category: 'food' } })).data.length, 4); // jQuery's, against caches
});

test(`axios: forms, ${how}`, async () => {
  const { data } = await axios.post(`${url}/comments`, new URLSearchParams({ body: 'hi', name: 'Ann' }), { headers: bearer });
  assert.equal(data.body, 'hi');
  assert.equal((await axios.postForm(`${url}/comments`, { body: 'ho' }, { headers: bearer })).data.id, 8);
  const forgotten = fetch(`${url}/comments`, { method: 'POST', headers: bearer, body: JSON.stringify({ body: 'hi' }) }); // no Content-Type
  assert.equal((await forgotten).status, 415);
});

test(`fetch: an account and its rows, ${how}`, async () => {
  // send is what most tutorials have around fetch.
  const send = async (method, path, body, token) => {
    const response = await fetch(url + path, {
      method,
      headers: { 'Content-type': 'application/json; charset=UTF-8', ...(token && { Authorization: 'Bearer ' + token }) },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw Object.assign(new Error(response.statusText), { status: response.status });
    return response.json();
  };
  await send('POST', '/signup', { email: 'bob@example.com', password: 'b00k-worm' });
  const { accessToken: token, user } = await send('POST', '/signin', { email: 'bob@example.com', password: 'b00k-worm' });
  const post = await send('POST', '/posts', { title: 'Mine', userId: user.id }, token);
  assert.equal((await send('PUT', `/posts/${post.id}`, { ...post, title: 'Changed' }, token)).title, 'Changed');
  assert.equal((await send('PATCH', `/posts/${post.id}`, { views: 1 }, token)).views, 1);
  assert.deepEqual(await send('DELETE', `/posts/${post.id}`, undefined, token), {});
  await assert.rejects(send('DELETE', `/posts/${post.id}`, undefined, token), { status: 404 });
  if (!open) await assert.rejects(send('POST', '/posts', { title: 'x' }), { status: 401 });
  await assert.rejects(send('POST', '/posts', { title: 'x' }, 'eyJ'), { status: 401 });
});

test(`fetch: lists, ${how}`, async () => {
  const response = await fetch(`${url}/posts?_start=10&_end=20`, { headers: bearer });
  assert.equal(response.headers.get('X-Total-Count'), '12');
  assert.deepEqual(ids(await response.json()), [11, 12]);
  const posts = await fetch(`${url}/posts/`, { headers: bearer }).then((r) => r.json());
  assert.equal(posts.length, 12);
});

test(`${how}, who is not signed in sees ${open ? 'all' : 'nothing'}`, async () => {
  const response = await fetch(`${url}/posts`);
  assert.deepEqual([response.status, response.headers.get('WWW-Authenticate')?.split(' ')[0]], open ? [200, undefined] : [401, 'Bearer']);
});
