// Signing in to a project of a cloud through the clients that the cloud's operator shares; and what must not work on the way.

import { createClient } from '@insforge/sdk';
import { IdentityProvider, client } from './identity-provider.mjs';
import { equal, input, output, refused, succeeded } from './session.mjs';
import { CookieJar, anotherClient, pretendBrowser, recordingFetch, run } from './wire.mjs';

const APP = 'http://app.example.org/callback';
const OFFERED = ['google', 'github', 'x'];

/** The provider, the people it knows, the cloud and the project. */
class World extends IdentityProvider {
  static async start(project) {
    const world = new World();
    world.project = project;
    world.projectCallback = `${project.baseUrl}/api/auth/oauth/shared/callback/`;
    return world.serve({
      port: project.providerPort,
      clients: OFFERED.map((id) => client(id, world.cloudCallback(id))),
      challenged: OFFERED.map((id) => `${id}-client`),
    });
  }

  cloudCallback(provider) {
    return `${this.project.apiUrl}/auth/v1/shared/${provider}/callback`;
  }

  /** A request that follows no redirects. */
  async ask(url, init = {}) {
    const response = await this.send(url, { redirect: 'manual', ...init });
    const text = await response.text();
    const location = response.headers.get('location');
    return { status: response.status, headers: response.headers, location: location && new URL(location), body: location ? null : JSON.parse(text) };
  }

  admin(method, path, body) {
    const headers = { authorization: `Bearer ${this.project.apiKey}`, 'content-type': 'application/json' };
    return this.ask(`${this.project.baseUrl}${path}`, { method, headers, body: JSON.stringify(body) });
  }

  begin(provider, redirectUri) {
    return this.ask(`${this.project.apiUrl}/auth/v1/shared/${provider}?${new URLSearchParams(redirectUri === undefined ? {} : { redirect_uri: redirectUri })}`);
  }
}

function browser({ project }) {
  anotherClient();
  pretendBrowser();
  return createClient({ baseUrl: project.baseUrl, anonKey: project.anonKey, fetch: recordingFetch(new CookieJar()) });
}

async function authUrl(sdk, provider) {
  return succeeded(`beginning with ${provider}`, await sdk.auth.signInWithOAuth(provider, { redirectTo: APP, skipBrowserRedirect: true })).url;
}

async function configurations(world) {
  equal('where to', (await world.admin('PUT', '/api/auth/config', { allowedRedirectUrls: [APP] })).status, 200);
  const begun = await world.ask(`${world.project.baseUrl}/api/auth/public-config`);
  equal('what a new project begins with', begun.body.oAuthProviders, ['github', 'google']);
  const removed = await world.admin('DELETE', '/api/auth/oauth/google/config');
  equal('removed', removed.status, 200);
  for (const provider of ['google', 'x']) {
    const made = await world.admin('POST', '/api/auth/oauth/configs', { provider, useSharedKey: true });
    equal(`the cloud's client of ${provider}`, [made.status, made.body.useSharedKey, made.body.clientId], [200, true, null]);
  }
  const other = await world.admin('POST', '/api/auth/oauth/configs', { provider: 'discord', useSharedKey: true });
  equal('one that the operator has not', [other.status, other.body.error, other.body.message], [400, 'AUTH_OAUTH_CONFIG_ERROR', 'Shared OAuth keys are not enabled in this environment']);
}

async function signInBy(world, provider) {
  const id = `${provider}-person`;
  world.people.set(id, { name: `P ${provider}`, email: `${provider}@example.org`, email_verified: true, picture: 'https://a.example.org/p.png', login: `${provider}login`, emails: [{ email: `${provider}@example.org`, primary: true, verified: true }] });
  const sdk = browser(world);
  const hops = [];
  const back = await world.visit(await authUrl(sdk, provider), id, APP, (url) => hops.push(url));
  equal(`${provider}: no error`, back.searchParams.get('error'), null);
  equal(`${provider}: nothing secret was in an address`, hops.some(({ href }) => href.includes(`${provider}-secret`)), false);
  const session = succeeded(`${provider}: session`, await sdk.auth.exchangeOAuthCode(back.searchParams.get('insforge_code')));
  const email = { x: 'xlogin@users.noreply.x.local' }[provider] ?? `${provider}@example.org`;
  const name = { x: 'xlogin' }[provider] ?? `P ${provider}`;
  const picture = { google: 'https://a.example.org/p.png', github: 'https://a.example.org/1.png', x: 'https://a.example.org/3.png' }[provider];
  equal(`${provider}: who it is`, [session.user.email, session.user.emailVerified, session.user.providers, session.user.profile], [email, true, [provider], { name, avatar_url: picture }]);

  const second = browser(world);
  const again = await world.visit(await authUrl(second, provider), id, APP);
  const same = succeeded(`${provider}: again`, await second.auth.exchangeOAuthCode(again.searchParams.get('insforge_code')));
  equal(`${provider}: the same account`, same.user.id, session.user.id);
}

/** What the cloud passes on through the browser is believed only as it is, once, and where it was meant for. */
async function passedOn(world) {
  const sdk = browser(world);
  const arrive = async () => world.visit(await authUrl(sdk, 'google'), 'google-person', world.projectCallback);
  const outcome = async (url) => (await world.ask(url.href)).location?.searchParams;
  const altered = async (change) => {
    const url = await arrive();
    change(url);
    return (await outcome(url)).get('error');
  };
  const failed = 'Authentication failed';
  equal('another payload', await altered((url) => {
    const profile = JSON.parse(Buffer.from(url.searchParams.get('payload'), 'base64'));
    url.searchParams.set('payload', Buffer.from(JSON.stringify({ ...profile, email: 'victim@example.org' })).toString('base64'));
  }), failed);
  equal('no signature', await altered((url) => url.searchParams.delete('sig')), failed);
  equal('an altered signature', await altered((url) => url.searchParams.set('sig', `${url.searchParams.get('sig').slice(0, -4)}AAAA`)), failed);
  const [mine, other] = [await arrive(), await arrive()];
  const moved = new URL(other);
  for (const name of ['payload', 'sig']) moved.searchParams.set(name, mine.searchParams.get(name));
  equal('what was for another sign-in', (await outcome(moved)).get('error'), failed);
  equal('as it is', /^[0-9a-f]{64}$/.test((await outcome(mine)).get('insforge_code')), true);
  const twice = await world.ask(mine.href);
  equal('once', [twice.status, twice.body.message], [400, 'Invalid state parameter']);
}

/** What the cloud itself refuses. */
async function guards(world) {
  const sdk = browser(world);
  const own = `${world.projectCallback}state`;
  for (const foreign of [undefined, '', 'https://evil.example.org/api/auth/oauth/shared/callback/state', own.replace('/api/', '/x/'), `${own}?next=1`, own.replace('https://', 'https://evil.example.org@'), own.replace('https://', 'http://'), own.replace('.localhost', '.localhost.evil.example.org'), own.replace(/\/\/\w{8}/, '//nobody00')]) {
    const answer = await world.begin('google', foreign);
    equal(`leading to ${foreign}`, [answer.status, answer.body.code], [400, 'request.invalid']);
  }
  for (const provider of ['discord', 'myspace', '%00']) {
    const answer = await world.begin(provider, own);
    equal(provider, [answer.status, answer.body.code], [404, 'shared_sign_in.provider_not_found']);
  }
  const x = await world.ask(`${world.project.apiUrl}/oauth/twitter?${new URLSearchParams({ redirect_uri: own })}`);
  equal('where X is looked for', [x.status, new URL(x.body.auth_url).searchParams.get('client_id')], [200, 'x-client']);

  const callback = (query, provider = 'google') => world.ask(`${world.cloudCallback(provider)}?${new URLSearchParams(query)}`);
  const unknown = async (query, provider) => {
    const { status, body } = await callback(query, provider);
    return [status, body?.code];
  };
  equal('an unknown state', await unknown({ state: 'made-up', code: 'x' }), [400, 'request.invalid']);
  equal('no state', await unknown({ code: 'x' }), [400, 'request.invalid']);
  const returned = await world.visit(await authUrl(sdk, 'google'), 'google-person', world.cloudCallback('google'));
  equal('of another provider', await unknown(Object.fromEntries(returned.searchParams), 'github'), [400, 'request.invalid']);
  const first = await world.ask(returned.href);
  equal('the first time', [first.status, first.location.origin, first.headers.get('cache-control'), first.headers.get('referrer-policy')], [302, new URL(own).origin, 'no-store', 'no-referrer']);
  equal('a state works once', await unknown(Object.fromEntries(returned.searchParams)), [400, 'request.invalid']);

  const ended = async (change) => {
    const state = new URL(await authUrl(sdk, 'google')).searchParams.get('state');
    const passed = await callback({ state, ...change });
    equal('no success', [passed.status, passed.location.searchParams.get('success'), passed.location.searchParams.get('payload')], [302, 'false', null]);
    return (await world.ask(passed.location.href)).location.href;
  };
  equal('who does not want to', await ended({ error: 'access_denied' }), `${APP}?error=Access+was+denied`);
  equal('a provider in trouble', await ended({ error: '<script>' }), `${APP}?error=Authentication+failed`);
  equal('a made-up code', await ended({ code: 'made-up' }), `${APP}?error=Authentication+failed`);
  equal('no code', await ended({}), `${APP}?error=Authentication+failed`);
  // The code of somebody else's sign-in: the verifier does not fit.
  const theirs = await world.visit(await authUrl(sdk, 'google'), 'google-person', world.cloudCallback('google'));
  equal('a code of another sign-in', await ended({ code: theirs.searchParams.get('code') }), `${APP}?error=Authentication+failed`);
  const stranger = refused('a code that nobody gave', await sdk.auth.exchangeOAuthCode('0'.repeat(64), 'v'.repeat(43)));
  equal('a code that nobody gave', stranger.statusCode, 400);
}

await run(async () => {
  const world = await World.start(await input());
  await configurations(world);
  for (const provider of OFFERED) await signInBy(world, provider);
  await passedOn(world);
  await guards(world);
  world.close();
  output({ providers: OFFERED.length });
});
