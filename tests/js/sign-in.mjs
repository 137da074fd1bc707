// Every way of signing up and in with the SDK, with the codes and links taken from the mails that really arrive.

import { createClient } from '@insforge/sdk';
import { accountFor, watched } from './coverage.mjs';
import { equal, input, output, refused, succeeded } from './session.mjs';
import { CookieJar, Mailbox, anotherClient, codeIn, linkIn, pretendBrowser, recordingFetch, run } from './wire.mjs';

const PASSWORD = 'correct horse battery staple';

await run(async () => {
  const project = await input();
  const { baseUrl, anonKey, apiKey, smtp } = project;
  const mailbox = await new Mailbox(smtp).listen(2525);
  const admin = administrator(project);

  await withoutMail(admin);
  await configureMail(admin, smtp);
  await encryptedFromTheStart(admin, smtp);
  await templates(admin);
  await byCode(project, admin, mailbox);
  await byLink(project, admin, mailbox);
  await withoutPassword(project, admin, mailbox);
  await rawMail(project, admin, mailbox);
  await withoutVerification(project, admin);
  equal('mails that nobody expected', mailbox.mails.map(({ recipients }) => recipients), []);
  await mailbox.close();
  accountFor('sign-in.mjs');
  output({ baseUrl, anonKey: anonKey !== apiKey });
});

/** Calls routes that the SDK has no method for. */
function administrator({ baseUrl, apiKey }) {
  const send = recordingFetch();
  return async (method, path, body, key = apiKey) => {
    const headers = { authorization: `Bearer ${key}`, ...(body ? { 'content-type': 'application/json' } : {}) };
    const response = await send(`${baseUrl}${path}`, { method, headers, body: body && JSON.stringify(body), redirect: 'manual' });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : null };
  };
}

function onServer({ baseUrl, anonKey }) {
  return watched(createClient({ baseUrl, anonKey, isServerMode: true, fetch: recordingFetch() }));
}

function inBrowser({ baseUrl, anonKey }) {
  pretendBrowser();
  const jar = new CookieJar();
  return { jar, client: watched(createClient({ baseUrl, anonKey, fetch: recordingFetch(jar) })) };
}

function expectError(what, error, status, code, message) {
  equal(what, { status: error.statusCode, code: error.error, message: error.message }, { status, code, message });
}

/** Without a mail server nothing can be sent, and nothing can be made to depend on it. */
async function withoutMail(admin) {
  const sent = await admin('POST', '/api/auth/email/send-otp', { email: 'early@example.org' });
  equal('a code without a server', [sent.status, sent.body.error, sent.body.message], [503, 'EMAIL_PROVIDER_NOT_CONFIGURED', 'No email provider is configured.']);
  const required = await admin('PUT', '/api/auth/config', { requireEmailVerification: true });
  equal('requiring what cannot be sent', [required.status, required.body.error], [400, 'EMAIL_PROVIDER_NOT_CONFIGURED']);
}

async function configureMail(admin, smtp) {
  const config = { enabled: true, host: smtp.host, port: 2525, username: smtp.username, senderEmail: 'app@example.org', senderName: 'The App', minIntervalSeconds: 0 };
  const put = (change) => admin('PUT', '/api/auth/smtp-config', { ...config, ...change });
  const message = async (change) => {
    const { status, body } = await put(change);
    return [status, body.error, body.message];
  };
  equal('no password', await message({}), [400, 'INVALID_INPUT', 'SMTP password is required when enabling SMTP']);
  equal('another port', await message({ port: 26 }), [400, 'INVALID_INPUT', 'port: Port must be one of: 25, 465, 587, 2525']);
  equal('a private host', await message({ host: '10.0.0.1', password: 'x' }), [400, 'INVALID_INPUT', 'SMTP host is a private or loopback address, which is not allowed']);
  equal('a name of a private host', await message({ host: 'localhost', password: 'x' }), [400, 'INVALID_INPUT', 'SMTP host resolves to a private or loopback address, which is not allowed']);
  equal('the same as a number', await message({ host: '167772161', password: 'x' }), [400, 'INVALID_INPUT', 'SMTP host is a private or loopback address, which is not allowed']);
  const [status, code, text] = await message({ password: 'wrong' });
  equal('a wrong password', [status, code, text.startsWith('SMTP connection failed: ')], [400, 'EMAIL_SMTP_CONNECTION_FAILED', true]);
  equal('nothing was saved', (await admin('GET', '/api/auth/smtp-config')).body.hasPassword, false);
  const saved = await put({ password: smtp.password });
  equal('saved', [saved.status, saved.body.enabled, saved.body.hasPassword, saved.body.password], [200, true, true, undefined]);
  equal('kept password', (await put({ senderName: 'App' })).status, 200);
}

/** On port 465 TLS begins with the connection; only root may listen there. */
async function encryptedFromTheStart(admin, smtp) {
  if (process.getuid() !== 0) return;
  const mailbox = await new Mailbox(smtp, true).listen(465);
  const before = (await admin('GET', '/api/auth/smtp-config')).body;
  equal('the other port', (await admin('PUT', '/api/auth/smtp-config', { ...before, port: 465 })).status, 200);
  equal('sent', (await admin('POST', '/api/email/send-raw', { to: 'z@example.org', subject: 'Encrypted', html: 'x' })).status, 200);
  equal('arrived', (await mailbox.next('z@example.org')).subject, 'Encrypted');
  equal('the first port', (await admin('PUT', '/api/auth/smtp-config', before)).status, 200);
  await mailbox.close();
}

async function templates(admin) {
  const listed = await admin('GET', '/api/auth/email-templates');
  equal('types', listed.body.data.map(({ templateType }) => templateType), ['email-verification-code', 'email-verification-link', 'request-otp', 'reset-password-code', 'reset-password-link']);
  const unknown = await admin('PUT', '/api/auth/email-templates/other', { subject: 's', bodyHtml: 'b' });
  equal('an unknown type', [unknown.status, unknown.body.message], [400, `Invalid template type. Must be one of: email-verification-code, email-verification-link, request-otp, reset-password-code, reset-password-link`]);
  const changed = await admin('PUT', '/api/auth/email-templates/email-verification-code', { subject: 'Welcome, {{name}}', bodyHtml: '<p>{{ name }} &lt;{{ email }}&gt;: {{ token }}</p>' });
  equal('changed', [changed.status, changed.body.subject], [200, 'Welcome, {{name}}']);
}

async function byCode(project, admin, mailbox) {
  equal('required now', (await admin('PUT', '/api/auth/config', { requireEmailVerification: true })).body.requireEmailVerification, true);
  const disabled = await admin('PUT', '/api/auth/smtp-config', { enabled: false, port: 587 });
  equal('disabling what is required', [disabled.status, disabled.body.error], [400, 'EMAIL_PROVIDER_NOT_CONFIGURED']);
  const { client, jar } = inBrowser(project);
  const shown = succeeded('public configuration', await client.auth.getPublicAuthConfig());
  equal('public configuration', [shown.requireEmailVerification, shown.verifyEmailMethod, shown.allowedRedirectUrls], [true, 'code', undefined]);

  const email = 'ada@example.org';
  const signedUp = succeeded('sign-up', await client.auth.signUp({ email, password: PASSWORD, name: 'Ada <b>' }));
  equal('nothing but a mail', signedUp, { accessToken: null, requireEmailVerification: true });
  expectError('signing up again', refused('again', await client.auth.signUp({ email: email.toUpperCase(), password: PASSWORD })), 409, 'AUTH_EMAIL_EXISTS', 'User already exists');
  const first = await mailbox.next(email);
  equal('sender and subject', [first.from.text, first.subject, first.html.includes('Ada &lt;b&gt;')], ['"App" <app@example.org>', 'Welcome, Ada <b>', true]);
  expectError('too early', refused('sign-in', await client.auth.signInWithPassword({ email, password: PASSWORD })), 403, 'FORBIDDEN', 'Email verification required');

  anotherClient();
  const again = succeeded('another mail', await client.auth.resendVerificationEmail({ email }));
  equal('says nothing', again, { success: true, message: 'If your email is registered, we have sent you a verification code. Please check your inbox.' });
  const second = await mailbox.next(email);
  const waiting = refused('at once', await client.auth.resendVerificationEmail({ email: email.toUpperCase() }));
  equal('waiting', [waiting.statusCode, waiting.error, /^Please wait \d+ seconds before requesting another code for this email$/.test(waiting.message)], [429, 'TOO_MANY_REQUESTS', true]);
  const stranger = succeeded('a stranger', await client.auth.resendVerificationEmail({ email: 'stranger@example.org' }));
  equal('the same answer', stranger, again);

  anotherClient();
  const wrong = () => client.auth.verifyEmail({ email, otp: codeIn(second) === '000000' ? '000001' : '000000' });
  expectError('the first code is replaced', refused('old code', await client.auth.verifyEmail({ email, otp: codeIn(first) })), 400, 'INVALID_INPUT', 'Invalid or expired verification code');
  expectError('a wrong code', refused('wrong', await wrong()), 400, 'INVALID_INPUT', 'Invalid or expired verification code');
  const session = succeeded('the right code', await client.auth.verifyEmail({ email, otp: codeIn(second) }));
  equal('verified', [session.user.email, session.user.emailVerified, session.user.providers, session.refreshToken], [email, true, ['email'], undefined]);
  const cookie = jar.cookies.get('insforge_refresh_token');
  equal('the cookie', [cookie.path, cookie.attributes.httponly, cookie.attributes.secure, cookie.attributes.samesite, cookie.attributes['max-age']], ['/api/auth', true, true, 'None', '604800']);
  expectError('used up', refused('again', await client.auth.verifyEmail({ email, otp: codeIn(second) })), 400, 'INVALID_INPUT', 'Invalid or expired verification code');

  await sessions(project, client, jar, session);
  await resetByCode(project, mailbox, email);
}

async function sessions(project, client, jar, session) {
  equal('the current user', succeeded('current', await client.auth.getCurrentUser()).user.id, session.user.id);
  const refreshed = succeeded('refresh', await client.auth.refreshSession());
  equal('one CSRF token per session', refreshed.csrfToken, session.csrfToken);
  const profile = succeeded('profile', await client.auth.setProfile({ name: 'Ada', city: null }));
  equal('merged', profile.profile, { name: 'Ada', city: null });
  equal('public', succeeded('profile', await client.auth.getProfile(session.user.id)), profile);

  // A token that is not valid any more is refreshed without the caller noticing.
  client.auth.http.setAuthToken('an.expired.token');
  succeeded('after a silent refresh', await client.auth.setProfile({ city: 'London' }));

  succeeded('sign-out', { ...(await client.auth.signOut()), data: true });
  equal('the cookie is gone', jar.cookies.has('insforge_refresh_token'), false);
  const after = refused('refresh after sign-out', await client.auth.refreshSession());
  equal('nothing to refresh', [after.statusCode, after.error, after.message], [401, 'AUTH_UNAUTHORIZED', 'No refresh token provided']);

  const server = onServer(project);
  const signedIn = succeeded('sign-in on a server', await server.auth.signInWithPassword({ email: 'ADA@example.org', password: PASSWORD }));
  equal('no cookie, no CSRF token', [typeof signedIn.refreshToken, signedIn.csrfToken], ['string', undefined]);
  const rotated = succeeded('refresh on a server', await server.auth.refreshSession({ refreshToken: signedIn.refreshToken }));
  equal('the profile stays', rotated.user.profile, { name: 'Ada', city: 'London' });
  succeeded('a rotated token rotates', await server.auth.refreshSession({ refreshToken: rotated.refreshToken }));
  succeeded('and so does the one before it', await server.auth.refreshSession({ refreshToken: signedIn.refreshToken }));
}

async function resetByCode(project, mailbox, email) {
  anotherClient();
  const client = onServer(project);
  const wait = refused('the wait is shared by all codes', await client.auth.sendResetPasswordEmail({ email }));
  equal('waiting', wait.statusCode, 429);
  // Another account, because this one has to wait.
  const other = 'grace@example.org';
  succeeded('sign-up', await client.auth.signUp({ email: other, password: PASSWORD }));
  await mailbox.next(other);
  const sent = succeeded('reset', await client.auth.sendResetPasswordEmail({ email: other }));
  equal('says nothing', sent.message, 'If your email is registered, we have sent you a password reset code. Please check your inbox.');
  const code = codeIn(await mailbox.next(other));
  expectError('a malformed code', refused('malformed', await client.auth.exchangeResetPasswordToken({ email: other, code: 'abc' })), 400, 'INVALID_INPUT', 'code: Reset password code must be a 6-digit numeric code');
  const { token, expiresAt } = succeeded('exchange', await client.auth.exchangeResetPasswordToken({ email: other, code }));
  equal('a day', [token.length, Math.round((new Date(expiresAt) - Date.now()) / 3_600_000)], [64, 24]);
  expectError('a short password', refused('short', await client.auth.resetPassword({ newPassword: 'abc', otp: token })), 400, 'INVALID_INPUT', 'Password must contain at least 6 characters long');
  succeeded('the token is kept', await client.auth.resetPassword({ newPassword: 'another password', otp: token }));
  expectError('once', refused('again', await client.auth.resetPassword({ newPassword: 'another password', otp: token })), 400, 'INVALID_INPUT', 'Invalid or expired verification token');
  expectError('not verified by that', refused('sign-in', await client.auth.signInWithPassword({ email: other, password: 'another password' })), 403, 'FORBIDDEN', 'Email verification required');
  expectError('the old one is gone', refused('sign-in', await client.auth.signInWithPassword({ email: other, password: PASSWORD })), 401, 'AUTH_UNAUTHORIZED', 'Invalid credentials');

  // Three wrong codes, and the right one is worth nothing either.
  anotherClient();
  const victim = 'victim@example.org';
  succeeded('sign-up', await client.auth.signUp({ email: victim, password: PASSWORD }));
  const right = codeIn(await mailbox.next(victim));
  for (let n = 0; n < 3; n += 1) refused('wrong', await client.auth.verifyEmail({ email: victim, otp: right === '111111' ? '222222' : '111111' }));
  refused('the right one, too late', await client.auth.verifyEmail({ email: victim, otp: right }));
}

async function byLink(project, admin, mailbox) {
  anotherClient();
  const list = ['https://app.example.org/**', 'myapp://auth'];
  equal('links now', (await admin('PUT', '/api/auth/config', { verifyEmailMethod: 'link', resetPasswordMethod: 'link', allowedRedirectUrls: list })).status, 200);
  const client = onServer(project);
  const email = 'linus@example.org';
  const signUp = (redirectTo) => client.auth.signUp({ email, password: PASSWORD, redirectTo });
  expectError('no target', refused('sign-up', await signUp()), 400, 'INVALID_INPUT', 'redirectTo is required when link-based email verification is enabled');
  expectError('a foreign target', refused('sign-up', await signUp('https://evil.example.org/')), 400, 'INVALID_INPUT', 'https://evil.example.org/ is not in the allowed redirect URLs');
  expectError('no address', refused('sign-up', await signUp('nowhere')), 400, 'INVALID_INPUT', 'redirectTo: Invalid url');
  succeeded('sign-up', await signUp('https://app.example.org/welcome?tab=1'));
  const link = linkIn(await mailbox.next(email));
  equal('the link leads here', link.startsWith(`${project.baseUrl}/api/auth/email/verify-link?token=`), true);
  const path = link.slice(project.baseUrl.length);
  const opened = await admin('GET', path);
  equal('and on', [opened.status, opened.headers.get('location')], [302, 'https://app.example.org/welcome?tab=1&insforge_status=success&insforge_type=verify_email']);
  const again = await admin('GET', path);
  equal('once', [again.status, again.headers.get('location')], [302, 'https://app.example.org/welcome?tab=1&insforge_status=error&insforge_type=verify_email&insforge_error=Invalid+or+expired+verification+token']);
  const unknown = await admin('GET', `/api/auth/email/verify-link?token=${'0'.repeat(64)}`);
  equal('an unknown token', [unknown.status, unknown.body.message], [400, 'Invalid or expired verification token']);
  const malformed = await admin('GET', '/api/auth/email/verify-link?token=abc');
  equal('a malformed token', malformed.body.message, 'token: token must be a 64-character hexadecimal token');
  succeeded('verified', await client.auth.signInWithPassword({ email, password: PASSWORD }));

  const sent = succeeded('reset', await client.auth.sendResetPasswordEmail({ email, redirectTo: 'myapp://auth' }));
  equal('says nothing', sent.message, 'If your email is registered, we have sent you a password reset link. Please check your inbox.');
  const reset = await admin('GET', linkIn(await mailbox.next(email)).slice(project.baseUrl.length));
  const target = new URL(reset.headers.get('location'));
  equal('back to the app', [reset.status, target.protocol, target.searchParams.get('insforge_status'), target.searchParams.get('insforge_type')], [302, 'myapp:', 'ready', 'reset_password']);
  succeeded('a new password', await client.auth.resetPassword({ newPassword: 'yet another password', otp: target.searchParams.get('token') }));
  succeeded('signed in with it', await client.auth.signInWithPassword({ email, password: 'yet another password' }));
}

async function withoutPassword(project, admin, mailbox) {
  anotherClient();
  const { client } = inBrowser(project);
  const email = 'otto@example.org';
  const sent = succeeded('code', await client.auth.signInWithOtp({ email }));
  equal('says nothing', sent.message, 'If sign-in is available for this email, we have sent a verification code.');
  const session = succeeded('a new account', await client.auth.verifyOtp({ email, otp: codeIn(await mailbox.next(email)), name: 'Otto' }));
  equal('verified, without a password', [session.user.emailVerified, session.user.providers, session.user.profile], [true, ['email'], { name: 'Otto' }]);

  // Somebody set a password for an address that was not proven to be theirs: it is worth nothing to them once the owner comes.
  const squatted = 'squatted@example.org';
  await admin('PUT', '/api/auth/config', { requireEmailVerification: false });
  succeeded('a squatter', await onServer(project).auth.signUp({ email: squatted, password: PASSWORD }));
  succeeded('the owner asks', await client.auth.signInWithOtp({ email: squatted }));
  succeeded('the owner comes', await client.auth.verifyOtp({ email: squatted, otp: codeIn(await mailbox.next(squatted)) }));
  expectError('the squatter', refused('sign-in', await onServer(project).auth.signInWithPassword({ email: squatted, password: PASSWORD })), 401, 'AUTH_UNAUTHORIZED', 'Invalid credentials');

  await admin('PUT', '/api/auth/config', { disableSignup: true });
  const late = 'late@example.org';
  succeeded('a code is sent all the same', await client.auth.signInWithOtp({ email: late }));
  const otp = codeIn(await mailbox.next(late));
  expectError('but opens nothing', refused('sign-up', await client.auth.verifyOtp({ email: late, otp })), 403, 'AUTH_SIGNUP_DISABLED', 'User signups are disabled for this project.');
  expectError('nor later', refused('again', await client.auth.verifyOtp({ email: late, otp })), 400, 'INVALID_INPUT', 'Invalid or expired verification code');
  await admin('PUT', '/api/auth/config', { disableSignup: false });
}

async function rawMail(project, admin, mailbox) {
  const letter = { to: ['A@example.org', 'b@example.org'], subject: 'Hello', html: '<p>Hi</p>', cc: 'c@example.org', bcc: ['d@example.org'], replyTo: 'r@example.org' };
  const sent = await admin('POST', '/api/email/send-raw', letter);
  equal('sent', [sent.status, sent.body], [200, {}]);
  const mail = await mailbox.next('d@example.org');
  equal('as written', [mail.subject, mail.to.text, mail.cc.text, mail.bcc, mail.replyTo.text, mail.html.trim()], ['Hello', 'a@example.org, b@example.org', 'c@example.org', undefined, 'r@example.org', '<p>Hi</p>']);
  const anonymous = await admin('POST', '/api/email/send-raw', letter, project.anonKey);
  equal('not by anybody', [anonymous.status, anonymous.body.error, anonymous.body.message], [401, 'AUTH_INVALID_CREDENTIALS', 'Sending emails requires an authenticated user']);
  const invalid = await admin('POST', '/api/email/send-raw', { to: 'nobody', html: '' });
  const issues = JSON.parse(invalid.body.message);
  equal('issues as a list', [invalid.status, issues.map(({ path }) => path.join('.'))], [400, ['to', 'subject', 'html']]);

  await admin('PUT', '/api/auth/smtp-config', { ...(await admin('GET', '/api/auth/smtp-config')).body, minIntervalSeconds: 60 });
  equal('one', (await admin('POST', '/api/email/send-raw', { to: 'e@example.org', subject: 'One', html: 'x' })).status, 200);
  await mailbox.next('e@example.org');
  const second = await admin('POST', '/api/email/send-raw', { to: 'E@example.org', subject: 'Two', html: 'x' });
  equal('not two', [second.status, second.body.error, /^Too many emails to this address\. Retry after \d+s\.$/.test(second.body.message)], [429, 'RATE_LIMITED', true]);
}

async function withoutVerification(project, admin) {
  anotherClient();
  const { client } = inBrowser(project);
  const signedUp = succeeded('sign-up', await client.auth.signUp({ email: 'free@example.org', password: PASSWORD }));
  equal('signed in at once', [signedUp.requireEmailVerification, typeof signedUp.accessToken, typeof signedUp.csrfToken, signedUp.user.emailVerified], [false, 'string', 'string', false]);
  const made = await admin('POST', '/api/auth/users', { email: 'made@example.org', password: PASSWORD, autoConfirm: true });
  equal('made by an administrator', [made.status, made.body.user.emailVerified, made.body.csrfToken, made.headers.get('set-cookie')], [200, true, undefined, null]);
}
