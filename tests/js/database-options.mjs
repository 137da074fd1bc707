// Every option of the database calls of the real SDK that database.mjs leaves out, as a table: what, the call, and what it gives.

import { createClient } from '@insforge/sdk';
import { accountFor, watched } from './coverage.mjs';
import { equal, input, output, refused, succeeded } from './session.mjs';
import { recordingFetch, run } from './wire.mjs';

const ADA = { id: 1, name: 'Ada' };

await run(async () => {
  const project = await input();
  const client = (options) => watched(createClient({ baseUrl: project.baseUrl, anonKey: project.token, isServerMode: true, fetch: recordingFetch(), ...options }));
  const db = client().database;
  await reads(db);
  await counts(db);
  await writes(db);
  await functions(db);
  await schemas(db, client({ db: { schema: 'other' } }).database);
  await outcomes(db);
  accountFor('database-options.mjs');
  output({});
});

/** Runs a table of calls; each gives its data, or its ids where those are asked for. */
async function table(rows) {
  for (const [what, call, expected] of rows) equal(what, succeeded(what, await call()), expected);
}

async function reads(db) {
  const films = () => db.from('films').select('id').order('id');
  const filters = [
    ['likeAllOf', films().likeAllOf('title', ['T%', '%o']), [2]],
    ['ilikeAllOf', films().ilikeAllOf('title', ['t%', '%O']), [2]],
    ['ilikeAnyOf', films().ilikeAnyOf('title', ['%E', '%d']), [1, 3, 4]],
    ['is true', films().is('seen', true), [1]],
    ['is false', films().is('seen', false), [2]],
    ['is unknown', films().filter('seen', 'is', 'unknown'), [3, 4]],
    ['isdistinct', films().filter('seen', 'isdistinct', true), [2, 3, 4]],
    ['match', films().filter('title', 'match', '^T.*d$'), [4]],
    ['rangeGt', films().rangeGt('at', '[1,5)'), [2, 3]],
    ['rangeLte', films().rangeLte('at', '[1,9)'), [1, 2]],
    ['contains a range', films().contains('at', '[2,3)'), [1]],
    ['contains an empty array', films().contains('tags', []), [1, 2, 3, 4]],
    ['contains a list in JSON', films().contains('info', { list: [2] }), [2]],
    ['containedBy a range', films().containedBy('at', '[0,10)'), [1, 2]],
    ['containedBy JSON', films().containedBy('info', { a: 1, b: { c: 2 }, more: true }), [1, 4]],
    ['textSearch', films().textSearch('title', 'thousand'), [4]],
    ['textSearch by phrase', films().textSearch('title', 'ten thousand', { type: 'phrase', config: 'english' }), [4]],
    ['textSearch like a web search', films().textSearch('title', 'ten or two', { type: 'websearch' }), [2, 4]],
    ['not in', films().not('id', 'in', '(1,2)'), [3, 4]],
    ['not of a word', films().not('title', 'ilike', 't%'), [1]],
    ['filter inside JSON', films().eq('info->b->>c', 2), [1]],
    ['order inside JSON', db.from('films').select('id').order('info->a', { ascending: false, nullsFirst: false }).limit(2), [2, 1]],
    ['nulls first', db.from('films').select('id').order('seen', { nullsFirst: true }).order('id', { ascending: false }).limit(3), [4, 3, 2]],
    ['in with quotes', films().in('title', ['Two', 'a,b(c)', 'O"ne']), [2]],
    ['or of an embedded table', db.from('films').select('id,directors!inner(id)').or('name.eq.Ada,name.eq.Cid', { referencedTable: 'directors' }).order('id'), [1, 2]],
    ['range past the end', films().range(3, 9), [4]],
  ];
  for (const [what, query, expected] of filters) equal(what, succeeded(what, await query).map(({ id }) => id), expected);
  const film = (columns) => db.from('films').select(columns).eq('id', 1).single();
  const director = () => db.from('directors').select('name,films(id)').eq('id', 1).order('id', { referencedTable: 'films', ascending: false });
  await table([
    ['names, casts and JSON', () => film('number:id, year::text, c:info->b->c, text:info->b->>c'), { number: 1, year: '1990', c: 2, text: '2' }],
    ['spread', () => film('id, ...directors(director:name)'), { id: 1, director: 'Ada' }],
    ['by the name of the key', () => film('made_by:directors!films_director_fkey(name)'), { made_by: { name: 'Ada' } }],
    ['pages of an embedded table', () => director().range(1, 1, { referencedTable: 'films' }).single(), { name: 'Ada', films: [{ id: 1 }] }],
    ['the older name of the same', () => director().limit(1, { foreignTable: 'films' }).single(), { name: 'Ada', films: [{ id: 2 }] }],
    ['anti join', () => db.from('directors').select('id,films()').is('films', null).returns().overrideTypes(), [{ id: 3 }]],
    ['another time zone', () => db.from('films').select('added').eq('id', 1).setHeader('Prefer', 'timezone=Asia/Tokyo').single(), { added: '2026-01-01T09:00:00+09:00' }],
    ['places', () => db.from('films').select('id').eq('id', 1).geojson(), { type: 'FeatureCollection', features: [{ type: 'Feature', properties: { id: 1 } }] }],
    ['rows as CSV', () => db.from('films').select('id,title').lte('id', 2).order('id').csv(), 'id,title\n1,One\n2,Two'],
    ['nobody', () => db.from('films').select().eq('id', 99).maybeSingle(), null],
  ]);
}

async function counts(db) {
  const totals = async (query) => {
    const { data, count, status, error } = await query;
    equal('no error', error, null);
    return [count, data?.length, status];
  };
  equal('exact', await totals(db.from('films').select('id', { count: 'exact' }).range(0, 1)), [4, 2, 206]);
  equal('exact of all', await totals(db.from('films').select('id', { count: 'exact' })), [4, 4, 200]);
  equal('exact with a filter', await totals(db.from('films').select('id', { count: 'exact', head: true }).gt('id', 1)), [3, undefined, 200]);
  for (const count of ['planned', 'estimated']) {
    const [total, rows] = await totals(db.from('films').select('id', { count }));
    equal(count, [Number.isInteger(total), rows], [true, 4]);
  }
  equal('of an insert', await totals(db.from('directors').insert([{ id: 10, name: 'x' }, { id: 11, name: 'y' }], { count: 'exact' })), [2, 0, 201]);
  equal('of an upsert', await totals(db.from('directors').upsert([{ id: 10, name: 'z' }], { count: 'exact' }).select()), [1, 1, 200]);
  equal('of an update', await totals(db.from('directors').update({ name: 'w' }, { count: 'exact' }).eq('id', 10)), [1, undefined, 204]);
  equal('of a delete', await totals(db.from('directors').delete({ count: 'exact' }).gte('id', 10)), [2, undefined, 204]);
  equal('of a function', await totals(db.rpc('older', { than: 2015 }, { count: 'exact' }).limit(1)), [3, 1, 206]);
  const beyond = await db.from('films').select('id', { count: 'exact' }).range(50, 60);
  equal('beyond the end', [beyond.status, beyond.error?.code], [416, 'PGRST103']);
}

async function writes(db) {
  const directors = () => db.from('directors');
  await table([
    ['one row', () => directors().insert({ id: 20, name: 'Dee' }).select().single(), { id: 20, name: 'Dee' }],
    ['one row merged', () => directors().upsert({ id: 20, name: 'Eve' }).select('name').single(), { name: 'Eve' }],
    ['one row kept', () => directors().upsert({ id: 20, name: 'Fay' }, { ignoreDuplicates: true }).select().maybeSingle(), null],
    ['merged with defaults', () => db.from('films').upsert([{ id: 20, title: 'T' }, { id: 21, state: 'old' }], { defaultToNull: false, onConflict: 'id' }).select('id,title,state'), [{ id: 20, title: 'T', state: 'new' }, { id: 21, title: null, state: 'old' }]],
    ['without defaults', () => db.from('films').insert([{ id: 22, title: 'T' }, { id: 23, state: 'old' }]).select('id,state'), [{ id: 22, state: null }, { id: 23, state: 'old' }]],
    ['nothing to update', () => directors().update({ name: 'x' }).eq('id', 99).select().maybeSingle(), null],
    ['updated through an embedded table', () => db.from('films').update({ director: 1 }).eq('id', 20).select('id,directors(name)').single(), { id: 20, directors: { name: 'Ada' } }],
    ['no more than two', () => directors().update({ name: 'Gus' }).eq('id', 20).maxAffected(2).select(), [{ id: 20, name: 'Gus' }]],
    ['a rollback is not offered', () => directors().insert({ id: 24, name: 'Hal' }).rollback().select().single(), { id: 24, name: 'Hal' }],
    ['so the row is there', () => directors().delete().eq('id', 24).select('id').single(), { id: 24 }],
  ]);
  const many = await db.from('films').delete().gte('id', 20).maxAffected(3).select('id');
  equal('too many', [many.status, refused('delete', many).code], [400, 'PGRST124']);
  equal('so none', succeeded('delete', await db.from('films').delete().gte('id', 20).maxAffected(4).select('id')).length, 4);
  const several = await db.from('films').update({ state: 'x' }).gt('id', 0).select('id').single();
  equal('one of many', [several.status, refused('update', several).code, several.error.details], [406, 'PGRST116', 'The result contains 4 rows']);
  equal('nothing was changed', succeeded('select', await db.from('films').select('id').eq('state', 'x')), []);
  equal('many for one', refused('select', await db.from('films').select().maybeSingle()).code, 'PGRST116');
}

async function functions(db) {
  await table([
    ['arguments in the address', () => db.rpc('tagged', { given: ['a', 'c'], unused: undefined }, { get: true }).select('id').order('id'), [{ id: 1 }, { id: 3 }]],
    ['arguments in the body', () => db.rpc('tagged', { given: ['a'] }).select('id,directors(name)'), [{ id: 1, directors: { name: 'Ada' } }]],
    ['one row', () => db.rpc('older', { than: 1995 }).select('title').single(), { title: 'One' }],
    ['a filter', () => db.rpc('older', { than: 3000 }).gt('id', 3).select('id'), [{ id: 4 }]],
    ['a default', () => db.rpc('older').select('id'), [{ id: 1 }]],
    ['one that writes', () => db.rpc('age', { from_id: 4 }).maxAffected(1).select('id,year'), [{ id: 4, year: 2021 }]],
    ['JSON', () => db.rpc('echo', { value: { list: [1, null], text: 'é' } }), { list: [1, null], text: 'é' }],
  ]);
  const heads = await db.rpc('older', { than: 3000 }, { head: true, count: 'exact' });
  equal('the number only', [heads.data, heads.count, heads.status], [null, 4, 200]);
  const many = await db.rpc('age', { from_id: 1 }).maxAffected(1);
  equal('too many', [many.status, refused('age', many).code], [400, 'PGRST124']);
  const writes = await db.rpc('age', { from_id: 1 }, { get: true });
  equal('a write by reading', [writes.status, refused('age', writes).code], [405, '25006']);
  const raised = await db.rpc('refuse', { why: 'closed' });
  equal('what it raises', [raised.status, refused('refuse', raised)], [400, { code: 'P0001', message: 'closed', details: 'today', hint: 'tomorrow' }]);
}

async function schemas(db, other) {
  await table([
    ['read', () => db.schema('other').from('things').select('name').eq('id', 7).single(), { name: 'x' }],
    ['write', () => db.schema('other').from('things').insert({ id: 8 }).select().single(), { id: 8, name: 'x' }],
    ['function', () => db.schema('other').rpc('twice', { n: 4 }), 8],
    ['function by reading', () => db.schema('other').rpc('twice', { n: 4 }, { get: true }), 8],
    ['back again', () => db.schema('other').schema('public').from('directors').select().eq('id', 1), [ADA]],
    ['by the client', () => other.from('things').delete().eq('id', 8).select(), [{ id: 8, name: 'x' }]],
    ['function by the client', () => other.rpc('twice', { n: 5 }), 10],
  ]);
  const hidden = await db.schema('auth').from('users').select();
  equal('one that is not offered', [hidden.status, refused('auth', hidden).code], [406, 'PGRST106']);
}

async function outcomes(db) {
  equal('thrown when asked for', (await db.from('directors').select().eq('id', 1).throwOnError()).data, [ADA]);
  const thrown = await db.from('nowhere').select().throwOnError().then(() => null, (error) => error);
  equal('its class', [thrown?.name, thrown?.code, thrown?.message, thrown?.details, thrown?.hint], ['PostgrestError', '42P01', 'relation "public.nowhere" does not exist', null, null]);
  for (const options of [{ format: 'json' }, { analyze: true, verbose: true, settings: true, buffers: true, wal: true }]) {
    const plan = await db.from('directors').select().explain(options);
    equal('no plans', [plan.status, refused('explain', plan).code], [406, 'PGRST107']);
  }
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 100);
  const given = await db.rpc('slow', { seconds: 30 }).abortSignal(controller.signal);
  equal('given up', [given.status, given.error?.message], [0, 'AbortError: This operation was aborted']);
  equal('and nothing waits for it', succeeded('select', await db.from('directors').select().eq('id', 1)), [ADA]);
}
