// Every request to the administration of authentication and database, of metadata, secrets and logs for whose answer the platform publishes
// a schema; what is refused as well. The answers are checked where they arrive (answers.mjs).

import { accountFor } from './coverage.mjs';
import { equal, input, output, until } from './session.mjs';
import { recordingFetch, run } from './wire.mjs';

const PASSWORD = 'correct horse battery staple';
const COLUMNS = [
  { columnName: 'name', type: 'string', isNullable: false, isUnique: true },
  { columnName: 'weight', type: 'float', isNullable: true, isUnique: false, defaultValue: '1.5' },
  { columnName: 'born', type: 'date', isNullable: false, isUnique: false },
];
const MIGRATION = `create table owners (id int, part int, name text, primary key (id, part));
  create table cards (id int primary key, owner int, part int, foreign key (owner, part) references owners on delete set null on update cascade);
  create sequence numbers;
  create view names as select name from owners;
  create function shout(what text) returns text language sql as 'select upper(what)';
  create function count_up() returns trigger language plpgsql as 'begin return new; end';
  create trigger counting after insert or update on owners for each row when (new.name <> '') execute function count_up();
  alter table cards enable row level security;
  create policy own on cards for select to anon, authenticated using (owner = 1);
  create policy add on cards for insert to authenticated with check (true)`;

let project;
let send;

/** A request with its status; the answer. */
async function ask(method, path, body, { status = 200, key = project.apiKey, headers = {} } = {}) {
  const form = body instanceof FormData;
  const response = await send(`${project.baseUrl}${path}`, {
    method,
    headers: { ...(key ? { authorization: `Bearer ${key}` } : {}), ...(body && !form ? { 'content-type': 'application/json' } : {}), ...headers },
    body: body && !form ? JSON.stringify(body) : body,
  });
  const text = await response.text();
  equal(`${method} ${path}: ${text}`, response.status, status);
  return { body: text && response.headers.get('content-type').includes('json') ? JSON.parse(text) : text, headers: response.headers };
}

function file(name, content, fields = {}) {
  const form = new FormData();
  form.append('file', new Blob([content]), name);
  for (const [key, value] of Object.entries(fields)) form.append(key, value);
  return form;
}

async function authentication() {
  const account = { email: 'ada@example.org', password: PASSWORD };
  const { user } = (await ask('POST', '/api/auth/users', { ...account, name: 'Ada' }, { key: project.anonKey })).body;
  const session = (await ask('POST', '/api/auth/sessions?client_type=mobile', account, { key: project.anonKey })).body;
  await ask('POST', '/api/auth/sessions', account, { key: project.anonKey });
  await ask('POST', '/api/auth/refresh?client_type=mobile', { refreshToken: session.refreshToken }, { key: project.anonKey });
  await ask('GET', '/api/auth/sessions/current', undefined, { key: session.accessToken });
  await ask('PATCH', '/api/auth/profiles/current', { profile: { avatar_url: 'https://a.example.org/1.png', city: 'London' } }, { key: session.accessToken });
  await ask('GET', `/api/auth/profiles/${user.id}`);
  await ask('GET', '/api/auth/users?search=Ada');
  await ask('GET', `/api/auth/users/${user.id}`);
  await ask('DELETE', '/api/auth/users', { userIds: [user.id] });
  for (const path of ['public-config', 'config', 'smtp-config', 'email-templates']) await ask('GET', `/api/auth/${path}`);
  await ask('PUT', '/api/auth/config', { passwordMinLength: 8, allowedRedirectUrls: ['https://*.example.org/**', 'myapp://auth'] });
  await ask('PUT', '/api/auth/email-templates/request-otp', { subject: 'Code', bodyHtml: '{{ token }}' });

  await ask('POST', '/api/auth/oauth/configs', { provider: 'google', useSharedKey: false, clientId: 'g', clientSecret: 's' });
  await ask('PUT', '/api/auth/oauth/google/config', { scopes: ['openid', 'email'] });
  await ask('POST', '/api/auth/oauth/configs', { provider: 'apple', useSharedKey: false });
  for (const path of ['configs', 'google/config', 'apple/config']) await ask('GET', `/api/auth/oauth/${path}`);
  await ask('GET', `/api/auth/oauth/google?redirect_uri=https://app.example.org/&code_challenge=${'c'.repeat(43)}`);
  await ask('POST', '/api/auth/oauth/custom/configs', { key: 'corp', name: 'Corp', discoveryEndpoint: 'https://id.example.org/.well-known/openid-configuration', clientId: 'c', clientSecret: 's' });
  await ask('PUT', '/api/auth/oauth/custom/corp/config', { name: 'The Corp' });
  for (const path of ['configs', 'corp/config']) await ask('GET', `/api/auth/oauth/custom/${path}`);
  await ask('GET', '/api/auth/public-config');

  const [username, password] = project.administrator;
  const admin = await ask('POST', '/api/auth/admin/sessions', { username, password });
  const cookie = admin.headers.getSetCookie()[0].split(';')[0];
  await ask('POST', '/api/auth/admin/refresh', undefined, { headers: { cookie, 'x-csrf-token': admin.body.csrfToken } });
  await ask('GET', '/api/auth/admin/sessions/current', undefined, { key: admin.body.accessToken });
}

async function database() {
  await ask('POST', '/api/database/tables', { tableName: 'pets', columns: COLUMNS }, { status: 201 });
  await ask('POST', '/api/database/migrations', { version: '1', name: 'owners', sql: MIGRATION }, { status: 201 });
  await ask('GET', '/api/database/migrations');
  await ask('PATCH', '/api/database/tables/pets/schema', { addColumns: [{ columnName: 'owner', type: 'integer', isNullable: true, isUnique: false }] });
  for (const table of ['pets', 'owners', 'cards', 'names']) await ask('GET', `/api/database/tables/${table}/schema`);
  for (const listing of ['schemas', 'functions', 'indexes', 'policies', 'triggers']) await ask('GET', `/api/database/${listing}`);

  await ask('POST', '/api/database/advance/rawsql', { query: 'select 1 as one, now(), null as nothing' });
  await ask('POST', '/api/database/advance/rawsql', { query: 'select 1; select 2' });
  await ask('POST', '/api/database/advance/rawsql', { query: 'select * from pets', explain: true });
  await ask('POST', '/api/database/advance/rawsql/unrestricted', { query: "insert into owners values (1, 1, 'Ada'), (2, 1, 'Bob')" });
  await ask('POST', '/api/database/advance/bulk-upsert', file('owners.csv', 'id,part,name\n1,1,Eve\n3,1,Cid\n', { table: 'owners' }), { status: 400 });
  await ask('POST', '/api/database/advance/bulk-upsert', file('pets.json', '[{"name": "Tom", "born": "2020-01-01"}]', { table: 'pets', upsertKey: 'name' }));
  for (const format of ['sql', 'json']) await ask('POST', '/api/database/advance/export', { format, includeFunctions: true, includeSequences: true, includeViews: true });
  await ask('POST', '/api/database/advance/import', file('more.sql', "insert into owners values (4, 1, 'Dee');", { truncate: 'false' }));

  const records = '/api/database/admin/tables/owners/records';
  await ask('POST', records, [{ id: 5, part: 1, name: null }], { status: 201 });
  await ask('GET', `${records}?limit=2&sort=id:desc`, undefined, { status: 206 });
  await ask('PATCH', records, { pkKeys: { id: 5, part: 1 }, data: { name: 'Fay' } });
  await ask('GET', `${records}/lookup?column=name&value=Fay`);
  equal('nothing', (await ask('GET', `${records}/lookup?column=name&value=Nobody`)).body, null);
  await ask('DELETE', records, { pkKeys: [{ id: 5, part: 1 }] });
  await ask('DELETE', '/api/database/tables/pets');
}

async function backups() {
  const path = '/api/database/backups';
  const { id } = (await ask('POST', path, { name: 'first' }, { status: 201 })).body;
  await until('the backup', async () => (await ask('GET', path)).body.backups.some(({ status }) => status === 'completed'));
  await ask('PATCH', `${path}/${id}`, { name: null });
  await ask('POST', `${path}/${id}/restore`);
  await ask('DELETE', `${path}/${id}`);
}

async function operation() {
  await ask('POST', '/api/storage/buckets', { bucketName: 'files', isPublic: true }, { status: 201 });
  await ask('POST', '/api/functions', { slug: 'hello', name: 'Hello', code: 'module.exports = async () => new Response("x")', status: 'draft' }, { status: 201 });
  await ask('GET', '/api/metadata');
  for (const slice of ['auth', 'database', 'storage', 'functions', 'realtime', 'api-key', 'anon-key', 'project-id']) await ask('GET', `/api/metadata/${slice}`);

  await ask('POST', '/api/secrets', { key: 'TOKEN', value: 'x' }, { status: 201 });
  await ask('GET', '/api/secrets/TOKEN');
  await ask('PUT', '/api/secrets/TOKEN', { value: 'y', expiresAt: '2100-01-01T00:00:00.000Z' });
  await ask('GET', '/api/secrets');
  await ask('DELETE', '/api/secrets/TOKEN');
  await ask('POST', '/api/secrets/anon-key/rotate', { gracePeriodHours: 1 });
  await ask('POST', '/api/secrets/api-key/rotate', { gracePeriodHours: 1 });

  await ask('GET', '/api/logs/audits');
  await ask('GET', '/api/logs/audits/stats');
  await ask('GET', '/api/logs/sources');
  await until('a log', async () => (await ask('GET', '/api/logs/insforge.logs')).body.logs.length > 0);
  const stats = (await ask('GET', '/api/logs/stats')).body;
  equal('a source without entries', stats.find(({ source }) => source === 'postgREST.logs').count, 0);
  await ask('GET', '/api/logs/search?q=insert&limit=1000');
  await ask('DELETE', '/api/logs/audits?days_to_keep=1');
}

/** What is refused says so in one form, with a code that clients know. */
async function refusals() {
  const refused = [
    [401, 'GET', '/api/auth/users', undefined, null],
    [401, 'GET', '/api/auth/users', undefined, 'ik_another'],
    [401, 'GET', '/api/metadata', undefined, 'a.b.c'],
    [400, 'POST', '/api/auth/users', { email: 'nobody' }],
    [400, 'POST', '/api/auth/sessions', {}],
    [401, 'POST', '/api/auth/sessions', { email: 'nobody@example.org', password: PASSWORD }],
    [400, 'POST', '/api/auth/refresh?client_type=mobile', {}],
    [404, 'GET', '/api/auth/users/9f1c1e5e-0000-4000-8000-000000000001'],
    [404, 'GET', '/api/auth/oauth/github/config'],
    [501, 'GET', `/api/auth/oauth/spotify?redirect_uri=https://app.example.org/&code_challenge=${'c'.repeat(43)}`],
    [503, 'POST', '/api/auth/email/send-otp', { email: 'a@example.org' }],
    [400, 'POST', '/api/database/tables', { tableName: 'owners', columns: COLUMNS }],
    [404, 'GET', '/api/database/tables/nowhere/schema'],
    [403, 'POST', '/api/database/advance/rawsql', { query: 'set role postgres' }],
    [409, 'POST', '/api/database/advance/rawsql', { query: 'insert into owners select * from owners' }],
    [500, 'POST', '/api/database/advance/rawsql', { query: 'select 1 / 0' }],
    [409, 'POST', '/api/database/migrations', { version: '1', name: 'again', sql: 'select 1' }],
    [404, 'DELETE', '/api/database/backups/9f1c1e5e-0000-4000-8000-000000000001'],
    [404, 'GET', '/api/secrets/NOWHERE'],
    [403, 'DELETE', '/api/secrets/API_KEY'],
    [400, 'GET', '/api/logs/search'],
    [400, 'GET', '/api/advisor/issues?severity=x'],
    [404, 'DELETE', '/api/advisor/suppressions/9f1c1e5e-0000-4000-8000-000000000001'],
    [400, 'POST', '/api/usage/mcp', {}],
    [404, 'GET', '/api/docs/nothing'],
    [404, 'GET', '/api/nowhere'],
  ];
  for (const [status, method, path, body, key] of refused) await ask(method, path, body, { status, ...(key === undefined ? {} : { key }) });
}

await run(async () => {
  project = await input();
  send = recordingFetch();
  await authentication();
  await database();
  await refusals();
  await operation();
  await backups();
  accountFor('schemas.mjs');
  output({});
});
