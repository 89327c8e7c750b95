// Every call of refine's data provider for json-server, which is made of axios.
import assert from 'node:assert/strict';
import test from 'node:test';
import simpleRest from '@refinedev/simple-rest';
import axios from 'axios';
import { bearer, freshData, how, ids, open, url } from './kit.js';

freshData();

// As refine's manual adds a token: an axios of one's own.
const provider = simpleRest(url, axios.create({ headers: bearer }));

test(`getList pages and sorts, ${how}`, async () => {
  const list = (more) => provider.getList({ resource: 'posts', ...more });
  const first = await list();
  assert.deepEqual([ids(first.data), first.total], [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 12]);
  const second = await list({
    pagination: { currentPage: 2, pageSize: 5 },
    sorters: [{ field: 'category', order: 'asc' }, { field: 'views', order: 'desc' }],
  });
  assert.deepEqual([ids(second.data), second.total], [[8, 4, 11, 5, 7], 12]);
  const all = await list({ pagination: { mode: 'off' } });
  assert.deepEqual([all.data.length, all.total], [12, 12]);
});

const where = (field, operator, value) => ({ field, operator, value });
for (const { filters, found } of [
  { filters: [where('category', 'eq', 'books')], found: [3, 6, 9, 12] },
  { filters: [where('published', 'eq', false)], found: [12] },
  { filters: [where('category', 'ne', 'books'), where('author', 'ne', 'Mina')], found: [2, 4, 8, 11] },
  { filters: [where('views', 'gte', 2980)], found: [2, 5] },
  { filters: [where('views', 'lte', 41)], found: [11, 12] },
  { filters: [where('date', 'gte', '2026-03-01'), where('date', 'lte', '2026-03-31')], found: [4, 5] },
  { filters: [where('title', 'contains', 'LIBRARY')], found: [3] },
  { filters: [where('title', 'contains', ''), where('views', 'gte', 2980)], found: [2, 5] },
  { filters: [where('q', 'eq', 'train')], found: [1, 5] },
  { filters: [where('category', 'in', ['food', 'books']), where('views', 'lte', 100)], found: [3, 11, 12] },
  { filters: [where('category', 'eq', undefined), where('author', 'eq', 'Amara')], found: [6, 9, 12] }, // a field that was emptied
]) {
  test(`getList filters by ${filters.map((f) => `${f.field} ${f.operator} ${f.value}`).join(' and ')}, ${how}`, async () => {
    const { data, total } = await provider.getList({ resource: 'posts', filters });
    assert.deepEqual([ids(data), total], [found, found.length]);
  });
}

test(`a bad regular expression is an error that says so, ${how}`, async () => {
  const asked = provider.getList({ resource: 'posts', filters: [where('title', 'contains', 'C++ (')] });
  await assert.rejects(asked, (e) => e.response.status === 400 && e.response.data.error.includes('title_like'));
});

test(`getOne and getMany, ${how}`, async () => {
  assert.equal((await provider.getOne({ resource: 'posts', id: 3 })).data.author, 'Mina');
  assert.deepEqual(ids((await provider.getMany({ resource: 'posts', ids: [9, '2', 99] })).data), [2, 9]);
  await assert.rejects(provider.getOne({ resource: 'posts', id: 99 }), (e) => e.response.status === 404);
});

test(`create, update and deleteOne, ${how}`, async () => {
  const { data: made } = await provider.create({ resource: 'posts', variables: { title: 'New', views: 0 } });
  assert.equal(made.id, 13);
  const { data: changed } = await provider.update({ resource: 'posts', id: 13, variables: { views: 1 } });
  assert.deepEqual(changed, { ...made, views: 1 });
  const { data: replaced } = await provider.update({ resource: 'posts', id: 13, variables: { title: 'Other' }, meta: { method: 'put' } });
  assert.equal(replaced.views, undefined);
  assert.equal(replaced.userId, made.userId);
  await provider.deleteOne({ resource: 'posts', id: 13 });
  await provider.deleteOne({ resource: 'posts', id: 12, variables: { why: 'a body' } });
  assert.equal((await provider.getList({ resource: 'posts' })).total, 11);
});

// refine sends these one row at a time, as simple-rest has none of its own.
test(`createMany, updateMany and deleteMany, ${how}`, async () => {
  const each = (list, call) => Promise.all(list.map(call));
  const made = await each(['a', 'b', 'c'], (title) => provider.create({ resource: 'posts', variables: { title } }));
  assert.deepEqual(ids(made.map(({ data }) => data)).sort(), [13, 14, 15]);
  await each([13, 14], (id) => provider.update({ resource: 'posts', id, variables: { views: 7 } }));
  assert.equal((await provider.getList({ resource: 'posts', filters: [where('views', 'eq', 7)] })).total, 2);
  await each([13, 14, 15], (id) => provider.deleteOne({ resource: 'posts', id }));
  assert.equal((await provider.getList({ resource: 'posts' })).total, 12);
});

test(`meta adds headers, ${how}`, async () => {
  const bare = simpleRest(url);
  assert.equal((await bare.getOne({ resource: 'posts', id: 1, meta: { headers: bearer } })).data.id, 1);
  if (!open) await assert.rejects(bare.getOne({ resource: 'posts', id: 1 }), { statusCode: 401 });
});

test(`custom, with every method, ${how}`, async () => {
  const custom = async (method, path, more) => (await provider.custom({ url: `${provider.getApiUrl()}${path}`, method, ...more })).data;
  assert.equal((await custom('get', '/profile')).name, 'Three of us');
  const asked = { sorters: [{ field: 'views', order: 'desc' }], filters: [where('category', 'eq', 'food')], query: { _limit: 2 } };
  assert.deepEqual(ids(await custom('get', '/posts', asked)), [2, 8]);
  assert.deepEqual(ids(await custom('get', '/posts/1/comments')), [1, 2]);
  assert.equal((await custom('post', '/posts/3/comments', { payload: { body: 'hi' } })).postId, 3);
  assert.deepEqual(await custom('put', '/profile', { payload: { name: 'Two' } }), { name: 'Two' });
  assert.deepEqual(await custom('patch', '/profile', { payload: { about: 'x' } }), { name: 'Two', about: 'x' });
  assert.deepEqual(await custom('delete', '/comments/7'), {});
});
