// A custom provider whose answers are wrong in one point each.

import { SignJWT, exportJWK } from 'jose';
import { createServer } from 'node:http';
import { equal } from './session.mjs';
import { anotherClient } from './wire.mjs';

/** A provider that lies: what it says about others is not believed. */
export async function hostileProvider(world, app) {
  anotherClient();
  const { admin, project, signing } = world;
  const lie = {};
  const server = createServer(async (request, response) => {
    const issuer = `http://127.0.0.1:${project.hostilePort}`;
    const answer = (body) => response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
    const path = new URL(request.url, issuer).pathname;
    if (path === '/.well-known/openid-configuration') {
      return answer({ issuer, authorization_endpoint: `${issuer}/auth`, token_endpoint: lie.tokenEndpoint ?? `${issuer}/token`, userinfo_endpoint: `${issuer}/me`, jwks_uri: `${issuer}/jwks`, response_types_supported: ['code'], subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['RS256'] });
    }
    if (path === '/jwks') return answer({ keys: [await exportJWK(signing.publicKey)].map((key) => ({ ...key, kid: 'signing', alg: 'RS256', use: 'sig' })) });
    if (path === '/me') return answer({ sub: lie.userinfoSub ?? 'liar', email: 'liar@example.org' });
    const claims = { iss: issuer, aud: 'liar-client', sub: 'liar', nonce: lie.seenNonce, iat: Math.floor(Date.now() / 1000), exp: Math.floor(Date.now() / 1000) + 600, ...lie.claims };
    const token = await new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'signing' }).sign(signing.privateKey);
    return answer({ access_token: 'a', token_type: 'Bearer', id_token: token });
  });
  await new Promise((resolve) => server.listen(project.hostilePort, '127.0.0.1', resolve));
  const discoveryEndpoint = `http://127.0.0.1:${project.hostilePort}/.well-known/openid-configuration`;
  equal('configured', (await admin('POST', '/api/auth/oauth/custom/configs', { key: 'liar', name: 'Liar', discoveryEndpoint, clientId: 'liar-client', clientSecret: 's' })).status, 200);
  const attempt = async (change) => {
    Object.assign(lie, { claims: {}, userinfoSub: undefined, tokenEndpoint: undefined, ...change });
    const { body } = await admin('GET', `/api/auth/oauth/custom/liar?redirect_uri=${app}&code_challenge=${'c'.repeat(43)}`);
    const url = new URL(body.authUrl);
    lie.seenNonce = url.searchParams.get('nonce');
    const back = await admin('GET', `/api/auth/oauth/custom/liar/callback?code=x&state=${url.searchParams.get('state')}`);
    return new URL(back.headers.get('location')).searchParams;
  };
  equal('an honest answer is taken', (await attempt({})).has('insforge_code'), true);
  const failed = 'Authentication failed';
  equal('another audience', (await attempt({ claims: { aud: 'another' } })).get('error'), failed);
  equal('another issuer', (await attempt({ claims: { iss: 'https://another.example.org' } })).get('error'), failed);
  equal('another nonce', (await attempt({ claims: { nonce: 'another' } })).get('error'), failed);
  equal('no nonce', (await attempt({ claims: { nonce: undefined } })).get('error'), failed);
  equal('an expired token', (await attempt({ claims: { exp: 1 } })).get('error'), failed);
  equal('a profile of somebody else', (await attempt({ userinfoSub: 'worker' })).get('error'), failed);
  equal('a token endpoint on a private address', (await attempt({ tokenEndpoint: 'http://127.0.0.2:1/token' })).get('error'), failed);
  server.closeAllConnections();
  server.close();
}
