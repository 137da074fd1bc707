// Every kind of database call that the real SDK makes, against a project with the tables of the Rust test.

import { createClient } from '@insforge/sdk';

import { accountFor, watched } from './coverage.mjs';
import { equal, input, output, refused, succeeded } from './session.mjs';

const project = await input();
const last = [];

/** Remembers the requests, so that a failure can show them. */
async function remembering(url, options) {
  const response = await fetch(url, options);
  const text = await response.clone().text();
  last.push(`> ${options?.method ?? 'GET'} ${url}\n${options?.body ?? ''}\n< ${response.status}\n${text}`);
  if (last.length > 3) last.shift();
  return response;
}

const client = watched(createClient({ baseUrl: project.baseUrl, anonKey: project.token, isServerMode: true, fetch: remembering }));
const db = client.database;
let steps = 0;

async function step(what, run) {
  steps += 1;
  try {
    await run();
  } catch (error) {
    throw new Error(`${what}: ${error.message}\n${last.join('\n')}`);
  }
}

const ids = (rows) => rows.map(({ id }) => id);
const read = async (what, query) => succeeded(what, await query);

await step('insert without reading back', async () => {
  const { data, error, status } = await db.from('films').insert([{ id: 1, title: 'One', year: 1990, tags: ['a', 'b'], info: { a: 1 } }]);
  equal('error', error, null);
  equal('status', status, 201);
  equal('data', data, []);
});
await step('insert many and read back', async () => {
  const rows = await read('insert', db.from('films').insert([{ id: 2, title: 'Two', year: 2000 }, { id: 3, title: 'Three, 3', director: 1 }]).select('id,title,year,director'));
  equal('rows', rows, [{ id: 2, title: 'Two', year: 2000, director: null }, { id: 3, title: 'Three, 3', year: null, director: 1 }]);
});
await step('insert with defaults', async () => {
  const rows = await read('insert', db.from('films').insert([{ id: 4, title: 'Four', year: 2010 }, { id: 5, title: 'Five' }], { defaultToNull: false }).select('id,state'));
  equal('rows', rows, [{ id: 4, state: 'new' }, { id: 5, state: 'new' }]);
});
await step('upsert', async () => {
  equal('merged', await read('upsert', db.from('films').upsert([{ id: 5, title: 'V' }]).select('title')), [{ title: 'V' }]);
  equal('ignored', await read('upsert', db.from('films').upsert([{ id: 5, title: 'no' }], { ignoreDuplicates: true }).select('title')), []);
  equal('by key', await read('upsert', db.from('directors').upsert([{ id: 1, name: 'Ada' }], { onConflict: 'name' }).select()), [{ id: 1, name: 'Ada' }]);
});
await step('comparisons', async () => {
  const films = () => db.from('films').select('id').order('id');
  equal('eq', ids(await read('eq', films().eq('title', 'Two'))), [2]);
  equal('neq', ids(await read('neq', films().neq('id', 1))), [2, 3, 4, 5]);
  equal('gt gte lt lte', ids(await read('range', films().gt('id', 1).gte('id', 2).lt('id', 5).lte('id', 4))), [2, 3, 4]);
  equal('like', ids(await read('like', films().like('title', 'T%'))), [2, 3]);
  equal('ilike', ids(await read('ilike', films().ilike('title', 't%'))), [2, 3]);
  equal('likeAnyOf', ids(await read('likeAnyOf', films().likeAnyOf('title', ['O%', 'Fo%']))), [1, 4]);
  equal('is', ids(await read('is', films().is('year', null))), [3, 5]);
  equal('in', ids(await read('in', films().in('title', ['One', 'Three, 3']))), [1, 3]);
  equal('not', ids(await read('not', films().not('year', 'is', null))), [1, 2, 4]);
  equal('or', ids(await read('or', films().or('id.eq.1,and(id.gt.3,title.eq.V)'))), [1, 5]);
  equal('match', ids(await read('match', films().match({ id: 2, title: 'Two' }))), [2]);
  equal('filter', ids(await read('filter', films().filter('id', 'in', '(1,2)'))), [1, 2]);
  equal('contains', ids(await read('contains', films().contains('tags', ['a']))), [1]);
  equal('contains JSON', ids(await read('contains', films().contains('info', { a: 1 }))), [1]);
  equal('containedBy', ids(await read('containedBy', films().containedBy('tags', ['a', 'b', 'c']))), [1]);
  equal('overlaps', ids(await read('overlaps', films().overlaps('tags', ['b', 'z']))), [1]);
  equal('textSearch', ids(await read('textSearch', films().textSearch('title', 'two', { config: 'english', type: 'plain' }))), [2]);
  equal('ranges', ids(await read('rangeGt', db.from('shows').select('id').order('id').rangeGte('at', '[2,5)').rangeLt('at', '[20,30)').rangeAdjacent('at', '[9,12)').overlaps('at', '[5,6)'))), [1]);
});
await step('order, pages and counts', async () => {
  equal('order', ids(await read('order', db.from('films').select('id').order('year', { ascending: false, nullsFirst: true }).order('id'))), [3, 5, 4, 2, 1]);
  equal('range', ids(await read('range', db.from('films').select('id').order('id').range(1, 2))), [2, 3]);
  equal('limit', ids(await read('limit', db.from('films').select('id').order('id').limit(1))), [1]);
  equal('head', (await db.from('films').select('*', { count: 'exact', head: true })).count, 5);
  const { count, data } = await db.from('films').select('id', { count: 'exact' }).limit(2);
  equal('count and rows', [count, data.length], [5, 2]);
});
await step('one row', async () => {
  equal('single', await read('single', db.from('films').select('title').eq('id', 1).single()), { title: 'One' });
  equal('none', await read('maybeSingle', db.from('films').select().eq('id', 99).maybeSingle()), null);
  equal('none is an error', refused('single', await db.from('films').select().eq('id', 99).single()).code, 'PGRST116');
});
await step('embedding', async () => {
  equal('to one', await read('embed', db.from('films').select('id,directors(name)').eq('id', 3)), [{ id: 3, directors: { name: 'Ada' } }]);
  equal('to many', await read('embed', db.from('directors').select('name,films(id)')), [{ name: 'Ada', films: [{ id: 3 }] }]);
  equal('inner', ids(await read('embed', db.from('films').select('id,directors!inner(name)').eq('directors.name', 'Ada'))), [3]);
  equal('its order and limit', await read('embed', db.from('directors').select('films(id)').order('id', { referencedTable: 'films' }).limit(1, { referencedTable: 'films' })), [{ films: [{ id: 3 }] }]);
});
await step('other schemas and forms', async () => {
  equal('schema', await read('schema', db.schema('other').from('things').select()), [{ id: 7 }]);
  equal('csv', (await read('csv', db.from('films').select('id').eq('id', 1).csv())).trim().replaceAll('"', '').split('\\n').join('\n'), 'id\n1');
});
await step('functions', async () => {
  equal('scalar', await read('rpc', db.rpc('add', { a: 1, b: 2 })), 3);
  equal('get', await read('rpc', db.rpc('add', { a: 1, b: 2 }, { get: true })), 3);
  equal('rows', ids(await read('rpc', db.rpc('recent', { since: 2000 }).order('id').limit(1))), [2]);
  equal('count', (await db.rpc('recent', { since: 2000 }, { head: true, count: 'exact' })).count, 2);
  equal('void', await read('rpc', db.rpc('nothing')), null);
  equal('unknown', refused('rpc', await db.rpc('nowhere')).code, 'PGRST202');
});
await step('update and delete', async () => {
  equal('update', await read('update', db.from('films').update({ year: 2011 }).eq('id', 4).select('year').single()), { year: 2011 });
  const silent = await db.from('films').update({ year: 2012 }).eq('id', 4);
  equal('silent update', [silent.error, silent.data, silent.status], [null, null, 204]);
  equal('delete', await read('delete', db.from('films').delete().in('id', [4, 5]).select('id')), [{ id: 4 }, { id: 5 }]);
});
await step('refusals', async () => {
  equal('unique', refused('insert', await db.from('films').insert([{ id: 1, title: 'again' }])).code, '23505');
  equal('row security', refused('insert', await db.from('guarded').insert([{ id: 1 }])).code, '42501');
  equal('unknown table', refused('select', await db.from('nowhere').select()).code, '42P01');
  equal('unknown column', refused('select', await db.from('films').select('nowhere')).code, '42703');
  equal('plan', refused('explain', await db.from('films').select().explain()).code, 'PGRST107');
});

accountFor('database.mjs');
output({ steps });
