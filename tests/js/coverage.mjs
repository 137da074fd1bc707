// What the scripts drive of the real client. Every public part of it is either driven by the script named here or has a reason not to be; a
// part that a new version brings, or that a script does not reach any more, fails the script.

import * as sdk from '@insforge/sdk';
import * as rendering from '@insforge/sdk/ssr';
import * as middleware from '@insforge/sdk/ssr/middleware';
import { readFileSync } from 'node:fs';
import { answerSchemas } from './answers.mjs';

const INSIDE = 'called by the client itself';
const CLASS = 'a class; its methods are listed';
const ELSEWHERE = 'neither authentication nor database';

/** The driver of each part, by what it is a part of: a script of this folder, or the reason why none drives it. */
const DRIVERS = {
  '@insforge/sdk': {
    ...all(CLASS, 'Auth Database HttpClient InsForgeClient'),
    ...all(ELSEWHERE, 'AI Emails Functions Payments Realtime Storage StorageBucket'),
    ...all('client.mjs', 'createClient createAdminClient AuthChangeEvent InsForgeError Logger'),
    default: 'the same as InsForgeClient',
  },
  'the client': {
    ...all(CLASS, 'http auth database'),
    ...all(ELSEWHERE, 'storage ai functions realtime emails payments'),
    tokenManager: INSIDE,
  },
  InsForgeClient: all('client.mjs', 'getHttpClient setAccessToken'),
  HttpClient: {
    ...all('client.mjs', 'request rawFetch get post put patch delete setAuthToken setRefreshToken getHeaders getValidAccessToken'),
    ...all(INSIDE, 'buildUrl isRetryableStatus computeRetryDelay shouldRefreshAccessToken fetchWithRetry handleRequest refreshAccessToken refreshAndSaveSession clearAuthSession'),
  },
  Auth: {
    ...all('sign-in.mjs', 'signUp signInWithPassword signInWithOtp verifyOtp signOut refreshSession getCurrentUser getProfile setProfile'),
    ...all('sign-in.mjs', 'resendVerificationEmail verifyEmail sendResetPasswordEmail exchangeResetPasswordToken resetPassword getPublicAuthConfig'),
    ...all('oauth.mjs', 'signInWithOAuth exchangeOAuthCode signInWithIdToken'),
    ...all('client.mjs', 'onAuthStateChange'),
    ...all(INSIDE, 'isServerMode saveSessionFromResponse detectAuthCallback'),
  },
  Database: { ...all('database.mjs', 'from rpc schema') },
  PostgrestClient: all('database-options.mjs', 'from rpc schema'),
  PostgrestQueryBuilder: all('database.mjs', 'select insert upsert update delete'),
  PostgrestFilterBuilder: {
    ...all('database.mjs', 'eq neq gt gte lt lte like likeAnyOf ilike is in contains containedBy rangeGte rangeLt rangeAdjacent overlaps textSearch match not or filter'),
    ...all('database-options.mjs', 'likeAllOf ilikeAllOf ilikeAnyOf rangeGt rangeLte'),
  },
  PostgrestTransformBuilder: {
    ...all('database.mjs', 'select order limit range single maybeSingle csv explain'),
    ...all('database-options.mjs', 'abortSignal geojson rollback maxAffected returns'),
  },
  PostgrestBuilder: {
    ...all('database-options.mjs', 'throwOnError setHeader overrideTypes then'),
    returns: 'PostgrestTransformBuilder has its own',
  },
  '@insforge/sdk/ssr': {
    ...all('rendering.mjs', 'createAuthActions createBrowserClient createRefreshAuthRouter createServerClient refreshAuth updateSession'),
    ...all('rendering.mjs', 'accessTokenCookieOptions refreshTokenCookieOptions setAuthCookies clearAuthCookies'),
    ...all('rendering.mjs', 'getAccessTokenCookieName getRefreshTokenCookieName'),
    ...all('rendering.mjs', 'DEFAULT_ACCESS_TOKEN_COOKIE DEFAULT_REFRESH_TOKEN_COOKIE'),
  },
  '@insforge/sdk/ssr/middleware': {
    ...all('rendering.mjs', 'updateSession setAuthCookies clearAuthCookies getAccessTokenCookieName getRefreshTokenCookieName'),
    ...all('rendering.mjs', 'DEFAULT_ACCESS_TOKEN_COOKIE DEFAULT_REFRESH_TOKEN_COOKIE'),
  },
  'createAuthActions()': all(
    'rendering.mjs',
    'signUp signInWithPassword signInWithOAuth signInWithIdToken exchangeOAuthCode verifyEmail signInWithOtp verifyOtp signOut',
  ),
  ...answerSchemas.drivers,
};

const driven = new Set();

function drove(kind, name) {
  driven.add(`${kind}.${name}`);
}

/** The same object, but what is called of it is driven; so are the builders and modules that it gives. */
export function watched(object) {
  return new Proxy(object, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (typeof value === 'object' && value?.constructor?.name in DRIVERS) return watched(value);
      if (typeof value !== 'function' || typeof name !== 'string') return value;
      return (...args) => {
        drove(ownerOf(target, name), name);
        const result = value.apply(target, args);
        return result?.constructor?.name in DRIVERS ? watched(result) : result;
      };
    },
  });
}

/** The members of a module or another plain object: a function counts when it is called, anything else when it is looked at. */
export function watchedMembers(kind, members) {
  return new Proxy({ ...members }, {
    get(target, name) {
      const value = target[name];
      const callable = typeof value === 'function' && !/^class\b/.test(Function.prototype.toString.call(value));
      if (!callable) drove(kind, name);
      if (!callable) return value;
      return (...args) => {
        drove(kind, name);
        const result = value(...args);
        return result?.constructor?.name in DRIVERS ? watched(result) : result;
      };
    },
  });
}

/** Fails unless the client has exactly the listed parts, and this script drove its own. */
export function accountFor(script) {
  const problems = [];
  for (const [kind, names] of Object.entries(parts())) {
    const drivers = DRIVERS[kind] ?? {};
    for (const name of names) if (!(name in drivers)) problems.push(`${kind} has ${name}, which nothing accounts for`);
    for (const name of Object.keys(drivers)) if (!names.includes(name)) problems.push(`${kind} has no ${name} any more`);
    for (const name of names) if (drivers[name] === script && !driven.has(`${kind}.${name}`) && !answerSchemas.seen.has(`${kind}.${name}`)) problems.push(`${script} does not drive ${kind}.${name}`);
  }
  const scripts = new Set(Object.values(DRIVERS).flatMap(Object.values).filter((driver) => driver.endsWith('.mjs')));
  for (const named of scripts) {
    if (!readFileSync(new URL(named, import.meta.url), 'utf8').includes(`accountFor('${named}')`)) problems.push(`${named} does not account for what it drives`);
  }
  if (problems.length) throw new Error(problems.join('\n'));
}

/** Everything public that the client has. */
function parts() {
  const client = sdk.createClient({ baseUrl: 'http://127.0.0.1' });
  const { database, http, auth } = client;
  const chains = [client, http, auth, database, database.schema('public'), database.from('t'), database.from('t').select()].map(prototypes);
  const cookies = { get: () => undefined, set: () => undefined };
  return {
    ...Object.fromEntries(chains.flat().map((prototype) => [prototype.constructor.name, Object.getOwnPropertyNames(prototype).filter((name) => name !== 'constructor')])),
    'the client': Object.keys(client),
    '@insforge/sdk': Object.keys(sdk),
    '@insforge/sdk/ssr': Object.keys(rendering),
    '@insforge/sdk/ssr/middleware': Object.keys(middleware),
    'createAuthActions()': Object.keys(rendering.createAuthActions({ baseUrl: 'http://127.0.0.1', anonKey: 'anon_', cookies })),
    ...answerSchemas.parts,
  };
}

function prototypes(object) {
  const prototype = Object.getPrototypeOf(object);
  return prototype === Object.prototype ? [] : [prototype, ...prototypes(prototype)];
}

function ownerOf(object, name) {
  return [object, ...prototypes(object)].find((candidate) => Object.hasOwn(candidate, name))?.constructor.name;
}

function all(driver, names) {
  return Object.fromEntries(names.split(' ').map((name) => [name, driver]));
}
