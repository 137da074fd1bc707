// The client itself against a project: who it is by its keys, its session as time passes, its own requests, and what it makes of failures.

import * as members from '@insforge/sdk';
import { SignJWT } from 'jose';
import { accountFor, watchedMembers } from './coverage.mjs';
import { equal, input, output, refused, succeeded } from './session.mjs';
import { CookieJar, pretendBrowser, recordingFetch, run } from './wire.mjs';

const sdk = watchedMembers('@insforge/sdk', members);
const PASSWORD = 'correct horse battery staple';
const SCHEMA = `create function who() returns text stable language sql as 'select current_user::text';
  create function tenant() returns text stable language sql as $$ select current_setting('request.headers')::json ->> 'x-tenant' $$;
  create function slow(seconds float) returns text stable language sql as $$ select pg_sleep(seconds)::text $$;
  create function down() returns text stable language plpgsql as $$ begin raise sqlstate 'PT503' using message = 'in repair'; end $$`;

/** A fetch, and the requests that went through it. */
function counted(send) {
  const requests = [];
  const counting = (target, init = {}) => {
    const { pathname, search } = new URL(target instanceof Request ? target.url : target);
    requests.push(`${init.method ?? 'GET'} ${pathname}${search}`);
    return send(target, init);
  };
  return { requests, fetch: counting };
}

function browser({ baseUrl, anonKey }, jar = new CookieJar()) {
  const { requests, fetch } = counted(recordingFetch(jar));
  return { jar, requests, client: sdk.createClient({ baseUrl, anonKey, fetch }) };
}

function administrator({ baseUrl, apiKey }, options = {}) {
  return sdk.createAdminClient({ baseUrl, apiKey, fetch: recordingFetch(), ...options });
}

/** A token whose time is over. */
function expired({ jwtSecret }, sub) {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ sub, role: 'authenticated', iat: now - 120, exp: now - 60 }).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(jwtSecret));
}

async function keys(project) {
  const { baseUrl, anonKey, apiKey } = project;
  const user = succeeded('sign-up', await sdk.createClient({ baseUrl, anonKey, isServerMode: true, fetch: recordingFetch() }).auth.signUp({ email: 'keys@example.org', password: PASSWORD }));
  const who = (options) => sdk.createClient({ baseUrl, fetch: recordingFetch(), ...options }).database.rpc('who');
  const known = {
    anon: { anonKey },
    authenticated: { anonKey, accessToken: user.accessToken },
    project_admin: { accessToken: apiKey, edgeFunctionToken: user.accessToken },
  };
  for (const [role, options] of Object.entries(known)) equal('the role', succeeded(role, await who(options)), role);
  equal('the older name', succeeded('edge', await who({ anonKey, edgeFunctionToken: user.accessToken })), 'authenticated');
  equal('the administrator', succeeded('administrator', await administrator(project).database.rpc('who')), 'project_admin');
  const unknown = [
    [{}, 'AUTH_INVALID_CREDENTIALS', 'No token provided'],
    [{ anonKey: 'anon_another' }, 'AUTH_INVALID_CREDENTIALS', 'Invalid anon key'],
    [{ anonKey, accessToken: 'ik_another' }, 'AUTH_INVALID_API_KEY', 'Invalid API key'],
    [{ anonKey, accessToken: await expired({ jwtSecret: 'another secret of thirty-two characters' }, user.user.id) }, 'AUTH_UNAUTHORIZED', 'Invalid token'],
    [{ anonKey, accessToken: await expired(project, user.user.id) }, 'AUTH_UNAUTHORIZED', 'Invalid token'],
  ];
  for (const [options, code, message] of unknown) {
    const { error, status } = await who(options);
    equal(message, [status, error?.error, error?.message], [401, code, message]);
  }
  const fixed = sdk.createClient({ baseUrl, anonKey, accessToken: user.accessToken, fetch: recordingFetch() });
  equal('the user of a fixed token', succeeded('current', await fixed.auth.getCurrentUser()).user.email, 'keys@example.org');
  equal('headers of its own', succeeded('tenant', await sdk.createClient({ baseUrl, anonKey, headers: { 'X-Tenant': 'blue' }, fetch: recordingFetch() }).database.rpc('tenant')), 'blue');
}

/** While the application goes on, tokens end and are replaced; once no new one is given, the session is over. */
async function sessions(project) {
  pretendBrowser();
  const { jar, requests, client } = browser(project);
  const events = [];
  const stop = client.auth.onAuthStateChange((event) => events.push(event));
  const { user } = succeeded('sign-up', await client.auth.signUp({ email: 'session@example.org', password: PASSWORD }));
  const old = await expired(project, user.id);
  const refreshes = () => requests.filter((request) => request.startsWith('POST /api/auth/refresh')).length;

  client.setAccessToken(old, sdk.AuthChangeEvent.TOKEN_REFRESHED);
  const [first, second, profile] = await Promise.all([client.database.rpc('who'), client.database.rpc('who'), client.auth.setProfile({ city: 'London' })]);
  equal('nobody notices', [first.data, second.data, profile.data?.profile.city], ['authenticated', 'authenticated', 'London']);
  equal('refreshed once for all', refreshes(), 1);
  const http = client.getHttpClient();
  equal('a token with time left', await http.getValidAccessToken(), http.getHeaders().Authorization.slice('Bearer '.length));
  equal('is kept', refreshes(), 1);
  equal('one without', typeof (await http.getValidAccessToken(3600)), 'string');
  equal('is replaced', refreshes(), 2);

  const page = { location: { search: '', href: 'https://app.example.org/', protocol: 'https:' }, history: { replaceState: () => undefined } };
  globalThis.window = page;
  const again = browser(project, jar);
  equal('after a reload of the page', succeeded('current', await again.client.auth.getCurrentUser()).user.id, user.id);
  equal('by the cookie', again.requests, ['POST /api/auth/refresh']);
  delete globalThis.window;

  jar.cookies.clear();
  client.setAccessToken(old, sdk.AuthChangeEvent.TOKEN_REFRESHED);
  const over = refused('without a cookie', await client.database.rpc('who'));
  equal('the session is over', over.message, 'InsForgeError: No refresh token provided');
  equal('and nobody is signed in', succeeded('anonymous', await client.database.rpc('who')), 'anon');
  const { SIGNED_IN, TOKEN_REFRESHED, SIGNED_OUT } = sdk.AuthChangeEvent;
  equal('events', [events[0], events.slice(1, -1).every((event) => event === TOKEN_REFRESHED), events.at(-1)], [SIGNED_IN, true, SIGNED_OUT]);
  stop();
  client.setAccessToken(old);
  client.setAccessToken(null);
  equal('nothing more', events.at(-1), SIGNED_OUT);

  // Where there are no cookies, the client holds the refresh token itself.
  const phone = browser(project);
  const mobile = sdk.createClient({ ...project, isServerMode: true, fetch: recordingFetch() });
  const { refreshToken } = succeeded('sign-in', await mobile.auth.signInWithPassword({ email: 'session@example.org', password: PASSWORD }));
  const held = phone.client.getHttpClient();
  held.setRefreshToken(refreshToken);
  held.setAuthToken(old);
  equal('who it is', (await held.get('/api/auth/sessions/current')).user.id, user.id);
  equal('what was asked', phone.requests, ['GET /api/auth/sessions/current', 'POST /api/auth/refresh?client_type=mobile', 'GET /api/auth/sessions/current']);
}

/** What the client has no method for is asked with its own requests. */
async function requests(project) {
  const http = administrator(project, { headers: { 'X-Request': 'own' } }).getHttpClient();
  equal('headers', http.getHeaders(), { 'X-Request': 'own', Authorization: `Bearer ${project.apiKey}` });
  const column = { columnName: 'name', type: 'string', isNullable: false, isUnique: true };
  equal('post', (await http.post('/api/database/tables', { tableName: 'pets', columns: [column] })).autoFields, ['id', 'created_at', 'updated_at']);
  equal('patch', (await http.patch('/api/database/tables/pets/schema', { addColumns: [{ ...column, columnName: 'kind', isUnique: false, isNullable: true }] })).operations, ['Added column: kind']);
  equal('get', await http.get('/api/database/records/pets', { params: { select: 'id, name', limit: '1' } }), []);
  equal('put', (await http.put('/api/auth/config', { passwordMinLength: 7 })).passwordMinLength, 7);
  equal('request', (await http.request('GET', '/api/auth/config')).passwordMinLength, 7);
  const insert = new Request(`${project.baseUrl}/api/database/records/pets`, { method: 'POST', body: '[{"name": "Tom"}]', headers: { 'content-type': 'application/json', prefer: 'return=representation' } });
  const raw = await http.rawFetch(insert);
  equal('raw', [raw.status, (await raw.json())[0].name], [201, 'Tom']);
  equal('without a body', await http.delete('/api/database/records/pets?name=eq.Tom'), undefined);

  const failure = async (work) => {
    try {
      return [await work()];
    } catch (error) {
      equal('its class', error instanceof sdk.InsForgeError, true);
      return [error.statusCode, error.error, error.message, error.nextActions];
    }
  };
  equal('an error', (await failure(() => http.get('/api/database/tables/nowhere/schema'))).slice(0, 3), [404, 'DATABASE_NOT_FOUND', 'table not found']);
  const twice = await failure(() => http.post('/api/database/advance/rawsql', { query: "insert into pets (name) values ('Tom'), ('Tom')" }));
  equal('what to do next', twice, [409, 'DATABASE_DUPLICATE', 'duplicate key value violates unique constraint "pets_name_key"', 'A record with this field(name) already exists. You can query the existing record by using the query tool and then try again.']);
  return failure;
}

/** A server that is in repair is asked again, one that is slow or away is not waited for. */
async function failures(project, failure) {
  const { requests: seen, fetch } = counted(recordingFetch());
  const options = { ...project, fetch, retryCount: 2, retryDelay: 1 };
  const times = async (what, work, expected) => {
    seen.length = 0;
    const outcome = await work();
    equal(`${what}: requests`, seen.length, expected);
    return outcome;
  };
  const patient = sdk.createClient(options);
  const down = refused('in repair', await times('a read', () => patient.database.rpc('down', {}, { get: true }), 3));
  equal('in repair', [down.message, down.code], ['in repair', 'PT503']);
  refused('in repair', await times('a write', () => patient.database.rpc('down'), 1));
  const path = '/api/database/rpc/down';
  const own = patient.getHttpClient();
  equal('its error', (await times('a request', () => failure(() => own.get(path)), 3)).slice(0, 2), [503, 'REQUEST_FAILED']);
  await times('a write that may be repeated', () => failure(() => own.post(path, {}, { idempotent: true })), 3);

  const slow = '/api/database/rpc/slow?seconds=3';
  const hasty = sdk.createClient({ ...options, timeout: 100 });
  equal('too slow', await times('a slow answer', () => failure(() => hasty.getHttpClient().get(slow)), 1), [408, 'REQUEST_TIMEOUT', 'Request timed out after 100ms', undefined]);
  equal('a slow query', refused('slow', await hasty.database.rpc('slow', { seconds: 3 })).message, 'InsForgeError: Request timed out after 100ms');
  const signal = AbortSignal.timeout(100);
  const given = await own.get(slow, { signal }).catch((error) => error);
  equal('given up', given === signal.reason, true);

  const away = sdk.createClient({ ...options, baseUrl: project.nobody });
  const gone = await times('nobody', () => failure(() => away.getHttpClient().get('/api/health')), 3);
  equal('nobody there', gone.slice(0, 2), [0, 'NETWORK_ERROR']);

  const lines = [];
  const open = sdk.createClient({ ...options, debug: (line) => lines.push(line) });
  refused('sign-in', await open.auth.signInWithPassword({ email: 'nobody@example.org', password: PASSWORD }));
  equal('what it says', [lines.some((line) => line.includes('→ POST')), lines.some((line) => line.includes('/api/auth/sessions 401'))], [true, true]);
  equal('and what not', lines.some((line) => line.includes(PASSWORD) || line.includes(project.anonKey)), false);
  new sdk.Logger((line) => lines.push(line)).warn('enough');
  equal('its own words', lines.at(-1), '[InsForge Debug] enough');
}

await run(async () => {
  const project = await input();
  await administrator(project).getHttpClient().post('/api/database/migrations', { version: '1', name: 'functions', sql: SCHEMA });
  await keys(project);
  await sessions(project);
  await failures(project, await requests(project));
  accountFor('client.mjs');
  output({});
});
