// What the scripts share: input and output as JSON, signed-up users, and checks that say what was expected.

import { createClient } from '@insforge/sdk';
import { isDeepStrictEqual } from 'node:util';

/** The input that the test gave. */
export async function input() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

/** Hands the result back to the test. */
export function output(result) {
  process.stdout.write(JSON.stringify(result));
}

/** An anonymous client of the project. */
export function anonymous({ baseUrl, anonKey }) {
  return createClient({ baseUrl, anonKey, isServerMode: true });
}

/** A client signed up and signed in as a new user. */
export async function newUser(project, email) {
  const client = anonymous(project);
  const password = 'correct horse battery staple';
  succeeded(`sign-up of ${email}`, await client.auth.signUp({ email, password, name: email.split('@')[0] }));
  const { user, refreshToken } = succeeded(`sign-in of ${email}`, await client.auth.signInWithPassword({ email, password }));
  equal('the signed-in e-mail', user.email, email);
  return { client, user, refreshToken };
}

/** The data of an SDK answer that must not be an error. */
export function succeeded(what, { data, error }) {
  if (error) throw new Error(`${what}: ${error.message ?? JSON.stringify(error)} ${JSON.stringify(error)}`);
  return data;
}

/** The error of an SDK answer that must be one. */
export function refused(what, { data, error }) {
  if (!error) throw new Error(`${what} was allowed and gave ${JSON.stringify(data)}`);
  return error;
}

export function equal(what, actual, expected) {
  if (!isDeepStrictEqual(actual, expected)) {
    throw new Error(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
  }
}

/** What `look` sees, asked again until there is something. */
export async function until(what, look) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > deadline) throw new Error(`${what} is not seen`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Uploads a file, reads it back, and compares every byte. */
export async function fileRoundTrip(client, bucket, key, bytes) {
  const stored = succeeded(`upload of ${key}`, await client.storage.from(bucket).upload(key, new Blob([bytes])));
  const blob = succeeded(`download of ${stored.key}`, await client.storage.from(bucket).download(stored.key));
  equal(`the content of ${key}`, Buffer.from(await blob.arrayBuffer()).toString('hex'), Buffer.from(bytes).toString('hex'));
  return stored;
}
