// What the tests share: the shelf that test/clients/run has started for them, with
// examples/db.json, and a token for it where it wants one.
import { beforeEach } from 'node:test';

const { SHELF_URL, SHELF_TOKEN, SHELF_LAB_TOKEN, OPEN } = process.env;

export const url = SHELF_URL;

/** open reports whether the collections are open to everyone. */
export const open = OPEN === '1';

/** bearer is what a caller sends to be let in: nothing, or a token. */
export const bearer = open ? {} : { Authorization: `Bearer ${SHELF_TOKEN}` };

/** freshData puts back all data of the server before each test of a file. */
export function freshData() {
  beforeEach(async () => {
    const { status } = await fetch(`${url}/lab/reset`, { method: 'POST', headers: { 'X-Lab-Token': SHELF_LAB_TOKEN } });
    if (status !== 200) throw new Error(`/lab/reset answered ${status}`);
  });
}

/** ids are those of rows. */
export const ids = (rows) => rows.map((row) => row.id);

/** how ends the name of a test: which kind of server it met. */
export const how = open ? 'with -open' : 'with a token';
