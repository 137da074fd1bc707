// Signing in through providers of every kind.

import { createClient } from '@insforge/sdk';
import { SignJWT, generateKeyPair } from 'jose';
import { createHash } from 'node:crypto';
import { accountFor, watched } from './coverage.mjs';
import { hostileProvider } from './hostile-provider.mjs';
import { IdentityProvider, client } from './identity-provider.mjs';
import { equal, input, output, refused, succeeded } from './session.mjs';
import { CookieJar, anotherClient, pretendBrowser, recordingFetch, run } from './wire.mjs';

const APP = 'http://app.example.org/callback';
const BUILT_IN = ['google', 'github', 'discord', 'linkedin', 'facebook', 'microsoft', 'x', 'apple'];

/** The provider, the people it knows, and the project. */
class World extends IdentityProvider {
  static async start(project) {
    const world = new World();
    world.project = project;
    world.admin = world.admin.bind(world);
    const own = (id, path = id) => client(id, `${project.baseUrl}/api/auth/oauth/${path}/callback`);
    return world.serve({
      port: project.providerPort,
      clients: [...BUILT_IN.map((id) => own(id)), own('corp', 'custom/corp')],
      challenged: ['corp-client', 'x-client'],
      appleKey: project.appleKey.public,
    });
  }

  visit(authUrl, visitor) {
    return super.visit(authUrl, visitor, APP);
  }

  async admin(method, path, body) {
    const headers = { authorization: `Bearer ${this.project.apiKey}`, ...(body ? { 'content-type': 'application/json' } : {}) };
    const response = await this.send(`${this.project.baseUrl}${path}`, { method, headers, body: body && JSON.stringify(body), redirect: 'manual' });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : null };
  }
}

function browser({ project }) {
  pretendBrowser();
  return watched(createClient({ baseUrl: project.baseUrl, anonKey: project.anonKey, fetch: recordingFetch(new CookieJar()) }));
}

async function begin(client, provider, additionalParams) {
  return succeeded(`beginning with ${provider}`, await client.auth.signInWithOAuth(provider, { redirectTo: APP, skipBrowserRedirect: true, additionalParams })).url;
}

async function configurations({ admin, project }) {
  const unknown = await admin('POST', '/api/auth/oauth/configs', { provider: 'myspace', useSharedKey: false });
  equal('an unknown provider', [unknown.status, unknown.body.message], [400, "provider: Invalid enum value. Expected 'google' | 'github' | 'discord' | 'linkedin' | 'facebook' | 'instagram' | 'tiktok' | 'apple' | 'x' | 'spotify' | 'microsoft', received 'myspace'"]);
  const shared = await admin('POST', '/api/auth/oauth/configs', { provider: 'google', useSharedKey: true });
  equal('no shared keys here', [shared.status, shared.body.error, shared.body.message], [400, 'AUTH_OAUTH_CONFIG_ERROR', 'Shared OAuth keys are not enabled in this environment']);
  for (const provider of BUILT_IN) {
    const clientSecret = provider === 'apple' ? JSON.stringify({ teamId: 'TEAM', keyId: 'KEY', privateKey: project.appleKey.privatePem }) : `${provider}-secret`;
    const scopes = provider === 'apple' ? ['openid', 'name', 'email'] : undefined;
    const made = await admin('POST', '/api/auth/oauth/configs', { provider, useSharedKey: false, clientId: `${provider}-client`, clientSecret, scopes });
    equal(`configuring ${provider}`, [made.status, made.body.provider, made.body.clientSecret], [200, provider, undefined]);
  }
  const again = await admin('POST', '/api/auth/oauth/configs', { provider: 'google', useSharedKey: false });
  equal('once', [again.status, again.body.error, again.body.message], [409, 'AUTH_OAUTH_CONFIG_ALREADY_EXISTS', 'OAuth configuration for google already exists']);
  const listed = await admin('GET', '/api/auth/oauth/configs');
  equal('listed', [listed.body.count, listed.body.data.find(({ provider }) => provider === 'microsoft').scopes], [8, ['User.Read']]);
  equal('the secret for administrators', (await admin('GET', '/api/auth/oauth/google/config')).body.clientSecret, 'google-secret');
  const changed = await admin('PUT', '/api/auth/oauth/google/config', { nativeClientIds: ['google-phone'] });
  equal('changed', [changed.status, changed.body.nativeClientIds, changed.body.clientId], [200, ['google-phone'], 'google-client']);
  const missing = await admin('DELETE', '/api/auth/oauth/spotify/config');
  equal('nothing to delete', [missing.status, missing.body.error, missing.body.message], [404, 'AUTH_OAUTH_CONFIG_NOT_FOUND', 'OAuth configuration not found']);
  const names = (await admin('GET', '/api/auth/public-config')).body.oAuthProviders;
  equal('what sign-up forms show', names, [...BUILT_IN].sort());
}

async function signInBy(world, provider) {
  anotherClient();
  const id = `${provider}-person`;
  world.people.set(id, { name: `P ${provider}`, email: `${provider}@example.org`, email_verified: true, login: `${provider}login`, emails: [{ email: `${provider}@example.org`, primary: true, verified: true }] });
  const client = browser(world);
  const url = new URL(await begin(client, provider, { prompt: 'login', client_id: 'evil' }));
  equal(`${provider}: extras are added, never replaced`, [url.searchParams.get('prompt'), url.searchParams.getAll('client_id')], ['login', [`${provider}-client`]]);
  const back = await world.visit(url.href, id);
  const code = back.searchParams.get('insforge_code');
  equal(`${provider}: a code (${back.searchParams.get('error')})`, /^[0-9a-f]{64}$/.test(code), true);
  const session = succeeded(`${provider}: session`, await client.auth.exchangeOAuthCode(code));
  const email = { x: 'xlogin@users.noreply.x.local' }[provider] ?? `${provider}@example.org`;
  const name = { x: 'xlogin', apple: 'apple' }[provider] ?? `P ${provider}`;
  equal(`${provider}: who it is`, [session.user.email, session.user.emailVerified, session.user.providers, session.user.profile.name], [email, true, [provider], name]);
  equal(`${provider}: a browser's session`, [typeof session.csrfToken, session.refreshToken], ['string', undefined]);
  const again = refused(`${provider}: once`, await client.auth.exchangeOAuthCode(code, 'v'.repeat(43)));
  equal(`${provider}: once`, [again.statusCode, again.message], [400, 'Invalid or expired code']);

  const second = browser(world);
  const returned = await world.visit(await begin(second, provider), id);
  const same = succeeded(`${provider}: again`, await second.auth.exchangeOAuthCode(returned.searchParams.get('insforge_code')));
  equal(`${provider}: the same account`, same.user.id, session.user.id);
}

/** Which account an identity belongs to. */
async function accounts(world) {
  anotherClient();
  const client = browser(world);
  const { user } = succeeded('sign-up', await client.auth.signUp({ email: 'Linked@Example.org', password: 'a good password' }));
  world.people.set('linked', { name: 'Linked', email: 'linked@example.org', email_verified: true });
  const linked = await world.visit(await begin(client, 'google'), 'linked');
  const session = succeeded('linking', await client.auth.exchangeOAuthCode(linked.searchParams.get('insforge_code')));
  equal('linked to who has the address', [session.user.id, session.user.providers, session.user.emailVerified], [user.id, ['google', 'email'], true]);

  world.people.set('impostor', { name: 'Impostor', email: 'linked@example.org', email_verified: false });
  const impostor = await world.visit(await begin(client, 'google'), 'impostor');
  equal('an address that the provider does not vouch for', impostor.searchParams.get('error'), 'A verified email address is required to create or link an OAuth account.');

  world.people.set('octo', { name: 'Octo', login: 'octo', profileEmail: 'linked@example.org', emails: [{ email: 'linked@example.org', primary: true, verified: false }] });
  const octo = await world.visit(await begin(client, 'github'), 'octo');
  const claimed = succeeded('an account of its own', await client.auth.exchangeOAuthCode(octo.searchParams.get('insforge_code')));
  equal('a profile that only claims an address', [claimed.user.email, claimed.user.id === user.id], ['octo@users.noreply.github.com', false]);

  await world.admin('PUT', '/api/auth/config', { disableSignup: true });
  world.people.set('late', { name: 'Late', email: 'late@example.org', email_verified: true });
  const late = await world.visit(await begin(client, 'google'), 'late');
  equal('no new users', late.searchParams.get('error'), 'User signups are disabled for this project.');
  await world.admin('PUT', '/api/auth/config', { disableSignup: false });
}

/** What must not work. */
async function guards(world) {
  anotherClient();
  const { admin } = world;
  const challenge = 'c'.repeat(43);
  const start = (provider, query) => admin('GET', `/api/auth/oauth/${provider}?${new URLSearchParams(query)}`);
  const message = async (provider, query) => {
    const { status, body } = await start(provider, query);
    return [status, body.error, body.message];
  };
  equal('nothing given', await message('google', {}), [400, 'INVALID_INPUT', 'redirect_uri: Required, code_challenge: Required']);
  equal('badly given', await message('google', { redirect_uri: 'x', code_challenge: 'short' }), [400, 'INVALID_INPUT', 'redirect_uri: Invalid url, code_challenge: String must contain at least 43 character(s)']);
  equal('elsewhere', await message('google', { redirect_uri: 'https://evil.example.org/', code_challenge: challenge }), [400, 'INVALID_INPUT', 'https://evil.example.org/ is not in the allowed redirect URLs']);
  equal('unknown', await message('myspace', { redirect_uri: APP, code_challenge: challenge }), [400, 'INVALID_INPUT', 'Unsupported OAuth provider: myspace. Supported providers: google, github, discord, linkedin, facebook, instagram, tiktok, apple, x, spotify, microsoft']);
  equal('not there', (await message('spotify', { redirect_uri: APP, code_challenge: challenge })).slice(0, 2), [501, 'AUTH_UNSUPPORTED_PROVIDER']);

  const { body } = await start('google', { redirect_uri: APP, code_challenge: challenge });
  const state = new URL(body.authUrl).searchParams.get('state');
  const callback = (change) => admin('GET', `/api/auth/oauth/google/callback?${new URLSearchParams({ code: 'x', state, ...change })}`);
  equal('no state', (await admin('GET', '/api/auth/oauth/google/callback?code=x')).body.message, 'State parameter is required');
  const [header, claims, signature] = state.split('.');
  const altered = { ...JSON.parse(Buffer.from(claims, 'base64url')), redirectUri: 'https://evil.example.org/' };
  const forged = [header, Buffer.from(JSON.stringify(altered)).toString('base64url'), signature].join('.');
  equal('an altered state', (await callback({ state: forged })).body.message, 'Invalid state parameter');
  equal('a state of another provider', (await admin('GET', `/api/auth/oauth/github/callback?code=x&state=${state}`)).body.message, 'Invalid state parameter');
  const wrong = await callback({ code: 'made-up' });
  equal('a made-up code', [wrong.status, wrong.headers.get('location')], [302, `${APP}?error=Authentication+failed`]);
  equal('a state works once', (await callback({})).body.message, 'Invalid state parameter');

  // The code of one's own sign-in, given to somebody else, is worth nothing without the verifier; and is burnt.
  const client = browser(world);
  const back = await world.visit(await begin(client, 'google'), 'google-person');
  const code = back.searchParams.get('insforge_code');
  const stolen = refused('a stolen code', await client.auth.exchangeOAuthCode(code, 'w'.repeat(43)));
  equal('a stolen code', [stolen.statusCode, stolen.error, stolen.message], [400, 'AUTH_UNAUTHORIZED', 'PKCE verification failed']);
  equal('burnt', refused('again', await client.auth.exchangeOAuthCode(code)).message, 'Invalid or expired code');

  // Somebody's answer, brought to another sign-in: the nonce does not fit.
  const victim = new URL(await begin(client, 'google'));
  const attacker = new URL(await begin(client, 'google'));
  attacker.searchParams.set('state', victim.searchParams.get('state'));
  const mixed = await world.visit(attacker.href, 'google-person');
  equal('a mixed-up sign-in', mixed.searchParams.get('error'), 'Authentication failed');
}

async function custom(world) {
  anotherClient();
  const { admin, issuer } = world;
  const config = { key: 'corp', name: 'Corp', discoveryEndpoint: `${issuer}/.well-known/openid-configuration`, clientId: 'corp-client', clientSecret: 'corp-secret' };
  const bad = await admin('POST', '/api/auth/oauth/custom/configs', { ...config, key: 'No Key', discoveryEndpoint: 'x' });
  equal('a bad configuration', [bad.status, bad.body.message], [400, 'key: Invalid custom OAuth key, discoveryEndpoint: Invalid url']);
  const made = await admin('POST', '/api/auth/oauth/custom/configs', config);
  equal('made', [made.status, made.body.key, made.body.clientSecret], [200, 'corp', undefined]);
  equal('once', (await admin('POST', '/api/auth/oauth/custom/configs', config)).body.error, 'SECRET_ALREADY_EXISTS');
  equal('shown', (await admin('GET', '/api/auth/public-config')).body.customOAuthProviders, ['corp']);
  equal('with its secret', (await admin('GET', '/api/auth/oauth/custom/corp/config')).body.clientSecret, 'corp-secret');

  world.people.set('worker', { name: 'Worker', email: 'worker@example.org', email_verified: true, picture: 'https://a.example.org/w.png' });
  const client = browser(world);
  const url = new URL(await begin(client, 'corp', { login_hint: 'worker' }));
  equal('a standard request', [url.searchParams.get('scope'), url.searchParams.get('code_challenge_method'), url.searchParams.get('login_hint')], ['openid email profile', 'S256', 'worker']);
  const back = await world.visit(url.href, 'worker');
  const session = succeeded('session', await client.auth.exchangeOAuthCode(back.searchParams.get('insforge_code')));
  equal('who it is', [session.user.email, session.user.providers, session.user.profile], ['worker@example.org', ['corp'], { name: 'Worker', avatar_url: 'https://a.example.org/w.png' }]);

  const unknown = refused('unknown', await client.auth.signInWithOAuth('nobody', { redirectTo: APP, skipBrowserRedirect: true }));
  equal('unknown', [unknown.statusCode, unknown.error], [500, 'INTERNAL_ERROR']);
  // The database is a local service like any other that a tenant may not reach.
  await admin('PUT', '/api/auth/oauth/custom/corp/config', { discoveryEndpoint: 'http://127.0.0.2:5432/.well-known/openid-configuration' });
  const hidden = await admin('GET', `/api/auth/oauth/custom/corp?redirect_uri=${APP}&code_challenge=${'c'.repeat(43)}`);
  equal('a private address', [hidden.status, hidden.body.error], [500, 'INTERNAL_ERROR']);
  await admin('PUT', '/api/auth/oauth/custom/corp/config', { discoveryEndpoint: config.discoveryEndpoint });
  equal('deleted', (await admin('DELETE', '/api/auth/oauth/custom/corp/config')).body, { success: true, message: 'Custom OAuth configuration for corp deleted successfully' });
  equal('with its secret', (await admin('GET', '/api/secrets/CUSTOM_OAUTH_corp_CLIENT_SECRET')).status, 404);
}

/** Tokens that an application got from the provider itself. */
async function identityTokens(world) {
  anotherClient();
  const { admin, issuer, signing } = world;
  const now = Math.floor(Date.now() / 1000);
  const sign = (claims, key = signing.privateKey, kid = 'signing') =>
    new SignJWT({ iss: issuer, aud: 'google-client', sub: 'native', email: 'native@example.org', email_verified: true, iat: now, exp: now + 600, ...claims }).setProtectedHeader({ alg: 'RS256', kid }).sign(key);
  const post = async (body, query = '?client_type=mobile') => {
    const { status, body: answer } = await admin('POST', `/api/auth/id-token${query}`, body);
    return { status, answer };
  };
  const client = watched(createClient({ baseUrl: world.project.baseUrl, anonKey: world.project.anonKey, isServerMode: true, fetch: recordingFetch() }));
  const first = succeeded('a native sign-in', await client.auth.signInWithIdToken({ provider: 'google', token: await sign({ name: 'Native' }) }));
  equal('shown as it was made', [first.user.profile, first.user.metadata, 'providers' in first.user, typeof first.refreshToken], [{ name: 'Native', avatar_url: '' }, null, false, 'string']);
  const second = succeeded('and again, on the phone', await client.auth.signInWithIdToken({ provider: 'google', token: await sign({ aud: 'google-phone' }) }));
  equal('shown whole', [second.user.id, second.user.providers], [first.user.id, ['google']]);

  const stranger = await generateKeyPair('RS256');
  const tokens = {
    'for somebody else': sign({ aud: 'another-client' }),
    'of another issuer': sign({ iss: 'https://accounts.evil.example.org' }),
    expired: sign({ exp: now - 1 }),
    'without an end': sign({ exp: undefined }),
    'of another key': sign({}, stranger.privateKey),
    'of an unknown key': sign({}, stranger.privateKey, 'unknown'),
    unsigned: Promise.resolve(`${Buffer.from('{"alg":"none"}').toString('base64url')}.${(await sign({})).split('.')[1]}.`),
    'signed with what is public': new SignJWT({ iss: issuer, aud: 'google-client', sub: 'x', exp: now + 600 }).setProtectedHeader({ alg: 'HS256', kid: 'signing' }).sign(new TextEncoder().encode(world.jwk.n)),
  };
  for (const [what, token] of Object.entries(tokens)) {
    const { status, answer } = await post({ provider: 'google', token: await token });
    equal(what, [status, answer.error, answer.message], [400, 'INVALID_INPUT', 'Failed to verify Google ID token']);
  }
  equal('without an address', (await post({ provider: 'google', token: await sign({ email: undefined, sub: 'n2' }) })).answer.message, 'Invalid Google ID token: missing email claim');
  equal('of nobody', (await post({ token: 'x' })).answer.message, "provider: Invalid discriminator value. Expected 'google' | 'apple'");

  const nonce = 'the nonce of the phone';
  const hashed = createHash('sha256').update(nonce).digest('hex');
  const apple = (claims) => sign({ aud: 'apple-client', sub: 'apple-native', email: 'apple-native@example.org', email_verified: 'true', nonce: hashed, ...claims });
  const signedIn = await post({ provider: 'apple', token: await apple(), nonce, name: 'Tim' });
  equal('Apple', [signedIn.status, signedIn.answer.user.profile.name], [200, 'Tim']);
  const other = await post({ provider: 'apple', token: await apple(), nonce: 'another' });
  equal('another nonce', [other.status, other.answer.error, other.answer.message], [401, 'AUTH_UNAUTHORIZED', 'Failed to verify Apple ID token']);
  equal('unknown fields', (await post({ provider: 'apple', token: await apple(), nonce, more: 1 })).answer.message, ": Unrecognized key(s) in object: 'more'");
  const unproven = await post({ provider: 'apple', token: await apple({ sub: 'apple-2', email: 'u@example.org', email_verified: 'false' }), nonce });
  equal('an unproven address', [unproven.status, unproven.answer.message], [400, 'A verified email address is required to create or link an OAuth account.']);
}

/** Where the page is the browser's own, a button leads to the provider, and the page that comes back finishes by itself. */
async function pages(world) {
  anotherClient();
  const shown = [];
  // The client says there what became of a sign-in; standard output is the result's.
  console.debug = console.error;
  globalThis.window = { location: new URL('http://app.example.org/'), history: { replaceState: (state, title, url) => shown.push(url) } };
  const { auth } = browser(world);
  equal('the page is left', succeeded('begin', await auth.signInWithOAuth({ provider: 'google', redirectTo: APP })), {});
  const back = await world.visit(globalThis.window.location.href, 'google-person');
  globalThis.window.location = back;
  const returned = () => watched(createClient({ baseUrl: world.project.baseUrl, anonKey: world.project.anonKey, fetch: recordingFetch(new CookieJar()) }));
  equal('who it is', succeeded('current', await returned().auth.getCurrentUser()).user.email, 'google@example.org');
  globalThis.window.location = new URL(`${APP}?error=Authentication+failed`);
  equal('nobody after a failure', refused('current', await returned().auth.getCurrentUser()).message, 'No refresh token provided');
  equal('nothing stays in the address', shown, [APP, APP]);
  const missing = refused('without the verifier', await returned().auth.exchangeOAuthCode(back.searchParams.get('insforge_code')));
  equal('without the verifier', missing.error, 'PKCE_VERIFIER_MISSING');
  delete globalThis.window;
}

await run(async () => {
  const project = await input();
  const world = await World.start(project);
  const { admin } = world;
  equal('only here', (await admin('PUT', '/api/auth/config', { allowedRedirectUrls: [APP] })).status, 200);

  await configurations(world);
  for (const provider of BUILT_IN) await signInBy(world, provider);
  await accounts(world);
  await pages(world);
  await guards(world);
  await custom(world);
  await identityTokens(world);
  await hostileProvider(world, APP);
  world.close();
  accountFor('oauth.mjs');
  output({ providers: BUILT_IN.length });
});
