// Every call of react-admin's data provider for json-server.
import assert from 'node:assert/strict';
import test from 'node:test';
import { fetchUtils } from 'ra-core';
import jsonServerProvider from 'ra-data-json-server';
import { bearer, freshData, how, ids, url } from './kit.js';

freshData();

// As react-admin's manual adds a token: options.user.
const provider = jsonServerProvider(url, (address, options = {}) =>
  fetchUtils.fetchJson(address, { ...options, user: { authenticated: !!bearer.Authorization, token: bearer.Authorization } }));

const sort = { field: 'id', order: 'ASC' };
const pagination = { page: 1, perPage: 5 };

test(`getList pages and sorts, ${how}`, async () => {
  const first = await provider.getList('posts', { pagination, sort: { field: 'views', order: 'DESC' }, filter: {} });
  assert.deepEqual([ids(first.data), first.total], [[2, 5, 7, 1, 8], 12]);
  const last = await provider.getList('posts', { pagination: { page: 3, perPage: 5 }, sort, filter: {} });
  assert.deepEqual([ids(last.data), last.total], [[11, 12], 12]);
  const beyond = await provider.getList('posts', { pagination: { page: 9, perPage: 5 }, sort, filter: {} });
  assert.deepEqual([beyond.data, beyond.total], [[], 12]);
});

for (const { filter, found, total = found.length } of [
  { filter: { category: 'books' }, found: [3, 6, 9, 12] },
  { filter: { category: 'books', published: true }, found: [3, 6, 9] },
  { filter: { category: ['books', 'food'] }, found: [2, 3, 4, 6, 8], total: 8 },
  { filter: { id: [3, 1] }, found: [1, 3] },
  { filter: { q: 'TRAIN' }, found: [1, 5] },
  { filter: { views_gte: 1000, views_lte: 2980 }, found: [1, 5, 7] },
  { filter: { title_like: '^the' }, found: [3, 10] },
  { filter: { author_ne: 'Mina', category_ne: 'food' }, found: [6, 9, 12] },
  { filter: { tags: { 0: 'train' } }, found: [5] }, // written tags.0=train
  { filter: { category: 'sport' }, found: [] },
]) {
  test(`getList filters by ${JSON.stringify(filter)}, ${how}`, async () => {
    const list = await provider.getList('posts', { pagination, sort, filter });
    assert.deepEqual([ids(list.data), list.total], [found, total]);
  });
}

test(`getList embeds, ${how}`, async () => {
  const { data } = await provider.getList('posts', { pagination, sort, filter: {}, meta: { embed: 'comments' } });
  assert.deepEqual(data.map((post) => ids(post.comments)), [[1, 2], [3, 4], [], [], [5]]);
});

test(`getList of a collection without rows takes any sort and filter, ${how}`, async () => {
  await provider.deleteMany('comments', { ids: [1, 2, 3, 4, 5, 6] });
  const { data, total } = await provider.getList('comments', { pagination, sort: { field: 'name', order: 'ASC' }, filter: { name: 'x' } });
  assert.deepEqual([data, total], [[], 0]);
});

test(`getOne, with and without children, ${how}`, async () => {
  assert.equal((await provider.getOne('posts', { id: 3 })).data.title, 'The quietest library in town');
  assert.equal((await provider.getOne('posts', { id: '3' })).data.id, 3);
  assert.deepEqual(ids((await provider.getOne('posts', { id: 1, meta: { embed: 'comments' } })).data.comments), [1, 2]);
  await assert.rejects(provider.getOne('posts', { id: 99 }), { status: 404 });
});

test(`getMany, ${how}`, async () => {
  assert.deepEqual(ids((await provider.getMany('posts', { ids: [9, 2, 99] })).data), [2, 9]);
  const { data } = await provider.getMany('posts', { ids: Array.from({ length: 200 }, (_, i) => i + 1) });
  assert.equal(data.length, 12);
});

test(`getManyReference, ${how}`, async () => {
  const of = (id, more) => provider.getManyReference('comments', { target: 'postId', id, pagination, sort, filter: {}, ...more });
  assert.deepEqual([ids((await of(1)).data), (await of(1)).total], [[1, 2], 2]);
  assert.deepEqual(ids((await of('1', { sort: { field: 'name', order: 'DESC' } })).data), [2, 1]);
  assert.deepEqual(ids((await of(2, { filter: { name: 'Sam' } })).data), [3]);
  assert.deepEqual([(await of(12)).data, (await of(12)).total], [[], 0]);
});

test(`create, ${how}`, async () => {
  const { data } = await provider.create('posts', { data: { title: 'New', views: 0, tags: ['a'] } });
  assert.equal(data.id, 13);
  assert.deepEqual((await provider.getOne('posts', { id: 13 })).data, data);
});

test(`update replaces a row, ${how}`, async () => {
  const { data: previousData } = await provider.getOne('posts', { id: 4 });
  const { data } = await provider.update('posts', { id: 4, data: { ...previousData, title: 'Other' }, previousData });
  assert.deepEqual(data, { ...previousData, title: 'Other' });
  assert.deepEqual((await provider.getOne('posts', { id: 4 })).data, data);
});

test(`updateMany, ${how}`, async () => {
  const { data } = await provider.updateMany('comments', { ids: [1, 6], data: { postId: 3, body: 'moved' } });
  assert.deepEqual(data, [1, 6]);
  assert.deepEqual(ids((await provider.getManyReference('comments', { target: 'postId', id: 3, pagination, sort, filter: {} })).data), [1, 6]);
});

test(`delete takes the children too, ${how}`, async () => {
  await provider.delete('posts', { id: 1, previousData: { id: 1 } });
  await assert.rejects(provider.getOne('posts', { id: 1 }), { status: 404 });
  assert.deepEqual(ids((await provider.getList('comments', { pagination, sort, filter: {} })).data), [3, 4, 5, 6]);
});

test(`deleteMany, ${how}`, async () => {
  await provider.deleteMany('posts', { ids: [10, 11, 12] });
  assert.equal((await provider.getList('posts', { pagination, sort, filter: {} })).total, 9);
});
