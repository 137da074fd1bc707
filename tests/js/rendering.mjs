// Applications that render on a server keep the session in cookies of their own: every entry point of the SDK for them, from signing in by
// each way to a page's own client, with mails and a provider that are real.

import * as middlewareMembers from '@insforge/sdk/ssr/middleware';
import * as renderingMembers from '@insforge/sdk/ssr';
import { SignJWT, decodeJwt } from 'jose';
import { accountFor, watchedMembers } from './coverage.mjs';
import { IdentityProvider, client } from './identity-provider.mjs';
import { equal, input, output, refused, succeeded } from './session.mjs';
import { Mailbox, anotherClient, codeIn, recordingFetch, run } from './wire.mjs';

const rendering = watchedMembers('@insforge/sdk/ssr', renderingMembers);
const middleware = watchedMembers('@insforge/sdk/ssr/middleware', middlewareMembers);
const APP = 'https://app.example.org/callback';
const PASSWORD = 'correct horse battery staple';
const ACCESS = rendering.DEFAULT_ACCESS_TOKEN_COOKIE;
const REFRESH = rendering.DEFAULT_REFRESH_TOKEN_COOKIE;
const SCHEMA = `create table notes (id int primary key, owner uuid default auth.uid());
  alter table notes enable row level security;
  create policy own on notes to authenticated using (owner = auth.uid()) with check (owner = auth.uid())`;

/** The cookies of one visitor, as a framework hands them to the application. */
class Cookies {
  kept = new Map();

  get(name) {
    return this.kept.get(name);
  }

  set(name, value, options) {
    if (options?.maxAge === 0) this.kept.delete(name);
    else this.kept.set(name, { name, value, ...options });
  }

  get header() {
    return [...this.kept.values()].map(({ name, value }) => `${name}=${encodeURIComponent(value)}`).join('; ');
  }

  /** Takes what an answer sets. */
  take(response) {
    for (const line of response.headers.getSetCookie()) {
      const [name, value] = line.split(';')[0].split(/=(.*)/s);
      this.set(name, decodeURIComponent(value), { maxAge: /Max-Age=0/.test(line) ? 0 : undefined });
    }
  }
}

await run(async () => {
  const project = await input();
  const options = { baseUrl: project.baseUrl, anonKey: project.anonKey, fetch: recordingFetch() };
  const send = recordingFetch();
  const admin = async (method, path, body) => {
    const headers = { authorization: `Bearer ${project.apiKey}`, 'content-type': 'application/json' };
    const response = await send(`${project.baseUrl}${path}`, { method, headers, body: JSON.stringify(body) });
    equal(`${method} ${path}`, response.ok, true);
  };
  await admin('POST', '/api/database/migrations', { version: '1', name: 'notes', sql: SCHEMA });
  const cookies = await byPassword(options);
  await pages(options, cookies);
  await renewals(options, cookies);
  await inTheBrowser(options, cookies);
  await byMail(options, project, admin);
  await byProvider(options, project, admin);
  accountFor('rendering.mjs');
  output({});
});

function actionsWith(options, cookies) {
  return watchedMembers('createAuthActions()', rendering.createAuthActions({ ...options, cookies }));
}

/** What every way of signing in leaves: a user without tokens, and two cookies that last as long as their tokens. */
function signedIn(what, result, cookies) {
  const data = succeeded(what, result);
  equal(`${what}: no tokens`, ['accessToken', 'refreshToken', 'csrfToken'].filter((name) => name in data), []);
  const [access, refresh] = [cookies.get(ACCESS), cookies.get(REFRESH)];
  equal(`${what}: who`, decodeJwt(access.value).sub, data.user.id);
  equal(`${what}: readable only where it must be`, [access.httpOnly, refresh.httpOnly, access.path, access.sameSite], [false, true, '/', 'lax']);
  for (const { value, expires } of [access, refresh]) equal(`${what}: its time`, expires.getTime(), decodeJwt(value).exp * 1000);
  return data.user;
}

async function byPassword(options) {
  const cookies = new Cookies();
  const actions = actionsWith(options, cookies);
  const user = signedIn('sign-up', await actions.signUp({ email: 'ssr@example.org', password: PASSWORD, name: 'Ada' }), cookies);
  const wrong = refused('sign-in', await actions.signInWithPassword({ email: 'ssr@example.org', password: 'wrong password' }));
  equal('a wrong password', [wrong.statusCode, wrong.error, wrong.message], [401, 'AUTH_UNAUTHORIZED', 'Invalid credentials']);
  equal('signed out', [(await actions.signOut()).error, cookies.kept.size], [null, 0]);
  equal('the same', signedIn('sign-in', await actions.signInWithPassword({ email: 'ssr@example.org', password: PASSWORD }), cookies).id, user.id);
  return cookies;
}

/** A page that is rendered for the visitor sees what the visitor may see. */
async function pages(options, cookies) {
  const server = rendering.createServerClient({ ...options, cookies });
  const { user } = succeeded('current', await server.auth.getCurrentUser());
  equal('who', user.email, 'ssr@example.org');
  equal('their rows', succeeded('insert', await server.database.from('notes').insert({ id: 1 }).select().single()), { id: 1, owner: user.id });
  const given = rendering.createServerClient({ ...options, accessToken: cookies.get(ACCESS).value });
  equal('by the token', succeeded('select', await given.database.from('notes').select('id')), [{ id: 1 }]);
  const stranger = rendering.createServerClient({ ...options, cookies: new Cookies() });
  equal('nobody', succeeded('current', await stranger.auth.getCurrentUser()).user, null);
  equal('sees nothing', succeeded('select', await stranger.database.from('notes').select()), []);
}

/** Before a page is rendered, and by a route, the session is renewed while its refresh token lasts. */
async function renewals(options, cookies) {
  const renew = (update, requestCookies, more) => update({ ...options, requestCookies, responseCookies: cookies, ...more });
  for (const { updateSession } of [rendering, middleware]) {
    const kept = await renew(updateSession, cookies);
    equal('still good', [kept.refreshed, kept.accessToken, kept.error], [false, cookies.get(ACCESS).value, null]);
    const asked = new Cookies();
    asked.set(REFRESH, cookies.get(REFRESH).value);
    const renewed = await renew(updateSession, asked);
    equal('renewed', [renewed.refreshed, renewed.error, renewed.accessToken], [true, null, cookies.get(ACCESS).value]);
    equal('for the page too', asked.get(ACCESS).value, renewed.accessToken);
    equal('before its time is over', (await renew(updateSession, asked, { refreshLeewaySeconds: 3600 })).refreshed, true);
    const forged = new Cookies();
    forged.set(REFRESH, 'a.forged.token');
    const over = await renew(updateSession, forged, { responseCookies: forged });
    equal('over', [over.refreshed, over.accessToken, over.error.statusCode, over.error.error, over.error.message, forged.kept.size], [false, null, 401, 'AUTH_UNAUTHORIZED', 'Invalid or expired refresh token', 0]);
  }
  const request = (header) => new Request('https://app.example.org/api/auth/refresh', { method: 'POST', headers: header ? { cookie: header } : {} });
  const result = await rendering.refreshAuth({ ...options, request: request(cookies.header) });
  equal('by a request', [result.error, result.data.user.email, result.response.status], [null, 'ssr@example.org', 200]);
  equal('what it sets', result.response.headers.getSetCookie().map((line) => line.split('=')[0]), [ACCESS, REFRESH]);
  const { POST } = rendering.createRefreshAuthRouter(options);
  const answered = await POST(request(cookies.header));
  const body = await answered.json();
  equal('the route', [answered.status, Object.keys(body).sort(), body.user.email], [200, ['accessToken', 'user'], 'ssr@example.org']);
  const without = await POST(request());
  equal('without a cookie', [without.status, (await without.json()).error], [401, 'AUTH_UNAUTHORIZED']);

  // The parts, for frameworks that keep their cookies otherwise.
  const names = { accessToken: 'a', refreshToken: 'r' };
  for (const parts of [rendering, middleware]) {
    equal('names', [parts.getAccessTokenCookieName(names), parts.getRefreshTokenCookieName(), parts.DEFAULT_ACCESS_TOKEN_COOKIE, parts.DEFAULT_REFRESH_TOKEN_COOKIE], ['a', REFRESH, ACCESS, REFRESH]);
    const own = new Cookies();
    parts.setAuthCookies(own, { accessToken: result.accessToken, refreshToken: result.refreshToken }, { names });
    equal('set', [...own.kept.keys()], ['a', 'r']);
    equal('renewed under them', (await middleware.updateSession({ ...options, names, requestCookies: own, responseCookies: own, refreshLeewaySeconds: 3600 })).refreshed, true);
    parts.clearAuthCookies(own, { names });
    equal('cleared', own.kept.size, 0);
  }
  equal('options of its own', rendering.accessTokenCookieOptions(result.accessToken, { secure: true }).secure, true);
  equal('a week', rendering.refreshTokenCookieOptions(result.refreshToken).expires.getTime(), decodeJwt(result.refreshToken).exp * 1000);
}

/** The page's own client takes the access token from the cookie, and has the application renew it. */
async function inTheBrowser(options, cookies) {
  const { POST } = rendering.createRefreshAuthRouter(options);
  let renewals = 0;
  const fetchInPage = async (target, init) => {
    if (target !== '/api/auth/refresh') return options.fetch(target, init);
    renewals += 1;
    const response = await POST(new Request(`https://app.example.org${target}`, { method: 'POST', headers: { cookie: cookies.header } }));
    cookies.take(response);
    return response;
  };
  const page = () => rendering.createBrowserClient({ ...options, fetch: fetchInPage });
  globalThis.document = { get cookie() { return cookies.get(ACCESS) ? `${ACCESS}=${cookies.get(ACCESS).value}` : ''; }, set cookie(line) {} };

  const first = page();
  equal('their rows', succeeded('select', await first.database.from('notes').select('id')), [{ id: 1 }]);
  equal('nothing renewed', renewals, 0);
  succeeded('configuration', await first.auth.getPublicAuthConfig());
  const { sub } = decodeJwt(cookies.get(ACCESS).value);
  equal('profile', succeeded('profile', await first.auth.getProfile(sub)).profile.name, 'Ada');
  // The project's own cookie is not there, because the session is the application's.
  globalThis.window = { location: { protocol: 'https:' } };
  equal('who, asked of the project', refused('current', await first.auth.getCurrentUser()).message, 'No refresh token provided');
  delete globalThis.window;
  first.setAccessToken('an.expired.token');
  equal('after a renewal', succeeded('select', await first.database.from('notes').select('id')), [{ id: 1 }]);
  equal('renewed', renewals, 1);

  cookies.kept.delete(ACCESS);
  equal('without an access token', succeeded('select', await page().database.from('notes').select('id')), [{ id: 1 }]);
  equal('renewed once', renewals, 2);
  cookies.kept.clear();
  equal('without a session', succeeded('select', await page().database.from('notes').select('id')), []);
  delete globalThis.document;
}

async function byMail(options, project, admin) {
  const { smtp } = project;
  const mailbox = await new Mailbox(smtp).listen(2525);
  await admin('PUT', '/api/auth/smtp-config', { enabled: true, host: smtp.host, port: 2525, username: smtp.username, password: smtp.password, senderEmail: 'app@example.org', senderName: 'App', minIntervalSeconds: 0 });
  const cookies = new Cookies();
  const actions = actionsWith(options, cookies);
  const otto = { email: 'otto@example.org' };
  equal('a code', succeeded('code', await actions.signInWithOtp(otto)).success, true);
  signedIn('by a code', await actions.verifyOtp({ ...otto, otp: codeIn(await mailbox.next(otto.email)), name: 'Otto' }), cookies);

  await admin('PUT', '/api/auth/config', { requireEmailVerification: true });
  const grace = { email: 'grace@example.org', password: PASSWORD };
  cookies.kept.clear();
  equal('not yet', [succeeded('sign-up', await actions.signUp(grace)), cookies.kept.size], [{ requireEmailVerification: true }, 0]);
  signedIn('by proving the address', await actions.verifyEmail({ email: grace.email, otp: codeIn(await mailbox.next(grace.email)) }), cookies);
  await mailbox.close();
}

async function byProvider(options, project, admin) {
  anotherClient();
  const provider = await new IdentityProvider().serve({
    port: project.providerPort,
    clients: [client('google', `${project.baseUrl}/api/auth/oauth/google/callback`)],
    challenged: [],
  });
  await admin('PUT', '/api/auth/config', { allowedRedirectUrls: [APP] });
  await admin('POST', '/api/auth/oauth/configs', { provider: 'google', useSharedKey: false, clientId: 'google-client', clientSecret: 'google-secret' });
  provider.people.set('person', { name: 'Person', email: 'person@example.org', email_verified: true });

  const cookies = new Cookies();
  const actions = actionsWith(options, cookies);
  const begun = succeeded('begin', await actions.signInWithOAuth('google', { redirectTo: APP }));
  const back = await provider.visit(begun.url, 'person', APP);
  const user = signedIn('by a provider', await actions.exchangeOAuthCode(back.searchParams.get('insforge_code'), begun.codeVerifier), cookies);

  cookies.kept.clear();
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: provider.issuer, aud: 'google-client', sub: 'person', email: 'person@example.org', email_verified: true, iat: now, exp: now + 600 };
  const token = await new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'signing' }).sign(provider.signing.privateKey);
  equal('the same', signedIn('by its token', await actions.signInWithIdToken({ provider: 'google', token }), cookies).id, user.id);
  provider.close();
}
