// One real OpenID Connect provider that plays the built-in ones; what only they have (profiles in their own form, Apple's signed client
// secret) is put in front of it. And a browser that goes through it.

import { exportJWK, generateKeyPair, importJWK, jwtVerify } from 'jose';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { Provider, interactionPolicy } from 'oidc-provider';
import { CookieJar, recordingFetch } from './wire.mjs';

/** A client of the provider. */
export function client(id, redirectUri) {
  return {
    client_id: `${id}-client`,
    client_secret: `${id}-secret`,
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: { x: 'client_secret_basic' }[id] ?? 'client_secret_post',
    ...(id === 'apple' ? { application_type: 'native', response_types: ['code id_token'], grant_types: ['authorization_code', 'implicit'] } : {}),
  };
}

/** The provider and the people it knows. */
export class IdentityProvider {
  people = new Map();
  send = recordingFetch();

  /** Serves `clients` on a port; those named in `challenged` must bring a PKCE challenge. */
  async serve({ port, clients, challenged, appleKey }) {
    this.signing = await generateKeyPair('RS256', { extractable: true });
    this.jwk = { ...(await exportJWK(this.signing.privateKey)), kid: 'signing', alg: 'RS256', use: 'sig' };
    this.apple = appleKey && (await importJWK(appleKey, 'ES256'));
    this.issuer = `http://127.0.0.1:${port}`;
    this.provider = this.makeProvider(clients, challenged);
    this.server = createServer(this.provider.callback());
    await new Promise((resolve) => this.server.listen(port, '127.0.0.1', resolve));
    return this;
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }

  makeProvider(clients, challenged) {
    const { people } = this;
    const policy = interactionPolicy.base();
    policy.remove('consent');
    const provider = new Provider(this.issuer, {
      clients,
      jwks: { keys: [this.jwk] },
      cookies: { keys: ['test'] },
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'picture'] },
      conformIdTokenClaims: false,
      features: { devInteractions: { enabled: false } },
      findAccount: async (context, id) => (people.has(id) ? { accountId: id, claims: async () => ({ sub: id, ...people.get(id) }) } : undefined),
      // The provider itself insists on the verifier of whoever began with a challenge, and for this client on a challenge.
      pkce: { required: (context, { clientId }) => challenged.includes(clientId) },
      // Whoever signs in agrees to everything.
      interactions: { policy, url: (context, interaction) => `/interaction/${interaction.uid}` },
      scopes: ['openid', 'name', 'user:email', 'identify', 'email', 'email,public_profile', 'User.Read', 'tweet.read', 'users.read'],
      ttl: { Interaction: 600, Grant: 600, Session: 600, AccessToken: 600, IdToken: 600 },
      loadExistingGrant: async (context) => {
        const grant = new context.oidc.provider.Grant({ clientId: context.oidc.client.clientId, accountId: context.oidc.session.accountId });
        grant.addOIDCScope(context.oidc.params.scope);
        await grant.save();
        return grant;
      },
      renderError: async (context, answer) => {
        context.body = answer;
      },
    });
    provider.use((context, next) => this.inFront(context, next));
    return provider;
  }

  /** What the real providers have and a standard one has not. */
  async inFront(context, next) {
    if (context.path.startsWith('/interaction/')) {
      const result = { login: { accountId: this.visitor } };
      return this.provider.interactionFinished(context.req, context.res, result, { mergeWithLastSubmission: false });
    }
    if (context.path.startsWith('/profile/') || context.path === '/emails') {
      const token = await this.provider.AccessToken.find(context.get('authorization').replace('Bearer ', ''));
      if (!token) return (context.status = 401);
      const person = this.people.get(token.accountId);
      context.body = context.path === '/emails' ? person.emails ?? [] : profile(context.path.split('/')[2], token.accountId, person);
      return undefined;
    }
    if (context.path === '/token' && context.method === 'POST') {
      const chunks = [];
      for await (const chunk of context.req) chunks.push(chunk);
      const form = new URLSearchParams(Buffer.concat(chunks).toString());
      if (form.get('client_id') === 'apple-client') {
        // Apple checks a token that the client signed with the key it was given.
        await jwtVerify(form.get('client_secret'), this.apple, { issuer: 'TEAM', subject: 'apple-client', audience: this.issuer });
        form.set('client_secret', 'apple-secret');
      }
      context.req.body = form.toString();
    }
    return next();
  }

  /** Signs somebody in through the provider, from the first address to the last, which is the application's. `visited` is told every one. */
  async visit(authUrl, visitor, app, visited) {
    this.visitor = visitor;
    const jar = new CookieJar();
    let request = { url: authUrl };
    for (let hop = 0; hop < 15; hop += 1) {
      const url = new URL(request.url);
      visited?.(url);
      if (request.url.startsWith(app)) return url;
      const headers = { cookie: jar.header(url), ...(request.form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}) };
      const response = await this.send(request.url, { method: request.form ? 'POST' : 'GET', headers, body: request.form, redirect: 'manual' });
      jar.store(url, response.headers.getSetCookie());
      const location = response.headers.get('location');
      const text = await response.text();
      if (location) request = { url: new URL(location, request.url).href };
      else if (text.includes('<form')) request = formIn(text);
      else throw new Error(`the browser is stuck at ${request.url}: ${response.status} ${text}`);
    }
    throw new Error('too many redirects');
  }
}

function profile(provider, id, { name, email, login, ...rest }) {
  switch (provider) {
    case 'github': return { id: numberOf(id), login, name, email: rest.profileEmail ?? null, avatar_url: 'https://a.example.org/1.png' };
    case 'discord': return { id, username: login, global_name: name, email, verified: true, avatar: 'abc' };
    case 'facebook': return { id, name, email, picture: { data: { url: 'https://a.example.org/2.png' } } };
    case 'microsoft': return { id, displayName: name, mail: email, userPrincipalName: `${login}@corp.example.org` };
    case 'x': return { data: { id, username: login, name, profile_image_url: 'https://a.example.org/3.png' } };
    default: throw new Error(provider);
  }
}

/** Some providers number their accounts. */
function numberOf(id) {
  return Number.parseInt(createHash('sha256').update(id).digest('hex').slice(0, 8), 16);
}

function formIn(html) {
  const url = /action="([^"]+)"/.exec(html)[1];
  const fields = [...html.matchAll(/name="([^"]+)"\s+value="([^"]*)"/g)].map(([, name, value]) => [name, value]);
  return { url, form: new URLSearchParams(fields).toString() };
}
