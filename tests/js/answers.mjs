// What the published schemas of the platform say about answers, checked on every answer that the scripts see. The schemas themselves are
// accounted for like the parts of the client (coverage.mjs).

import * as published from '@insforge/shared-schemas';
import { readdirSync } from 'node:fs';

/** The schema of what a request gets that succeeds. `item` is of a list that has no envelope. */
const ANSWERS = [
  ['POST', '/api/auth/users', 'createUserResponseSchema'],
  ['GET', '/api/auth/users', 'listUsersResponseSchema'],
  ['DELETE', '/api/auth/users', 'deleteUsersResponseSchema'],
  ['GET', '/api/auth/users/:id', 'userSchema'],
  ['POST', '/api/auth/sessions', 'createSessionResponseSchema'],
  ['GET', '/api/auth/sessions/current', 'getCurrentSessionResponseSchema'],
  ['POST', '/api/auth/refresh', 'refreshSessionResponseSchema'],
  ['POST', '/api/auth/id-token', 'createSessionResponseSchema'],
  ['POST', '/api/auth/oauth/exchange', 'createSessionResponseSchema'],
  ['GET', '/api/auth/profiles/:id', 'getProfileResponseSchema'],
  ['PATCH', '/api/auth/profiles/current', 'getProfileResponseSchema'],
  ['POST', '/api/auth/email/verify', 'verifyEmailResponseSchema'],
  ['POST', '/api/auth/email/exchange-reset-password-token', 'exchangeResetPasswordTokenResponseSchema'],
  ['POST', '/api/auth/email/reset-password', 'resetPasswordResponseSchema'],
  ['GET', '/api/auth/public-config', 'getPublicAuthConfigResponseSchema'],
  ['GET', '/api/auth/config', 'getAuthConfigResponseSchema'],
  ['PUT', '/api/auth/config', 'getAuthConfigResponseSchema'],
  ['GET', '/api/auth/smtp-config', 'getSmtpConfigResponseSchema'],
  ['PUT', '/api/auth/smtp-config', 'getSmtpConfigResponseSchema'],
  ['GET', '/api/auth/email-templates', 'listEmailTemplatesResponseSchema'],
  ['PUT', '/api/auth/email-templates/:type', 'emailTemplateSchema'],
  ['GET', '/api/auth/oauth/configs', 'listOAuthConfigsResponseSchema'],
  ['POST', '/api/auth/oauth/configs', 'oAuthConfigSchema'],
  ['GET', '/api/auth/oauth/:provider/config', 'oAuthConfigSchema'],
  ['PUT', '/api/auth/oauth/:provider/config', 'oAuthConfigSchema'],
  ['GET', '/api/auth/oauth/custom/configs', 'listCustomOAuthConfigsResponseSchema'],
  ['POST', '/api/auth/oauth/custom/configs', 'customOAuthConfigSchema'],
  ['GET', '/api/auth/oauth/custom/:key/config', 'customOAuthConfigSchema'],
  ['PUT', '/api/auth/oauth/custom/:key/config', 'customOAuthConfigSchema'],
  ['GET', '/api/auth/oauth/:provider', 'getOauthUrlResponseSchema'],
  ['GET', '/api/auth/oauth/custom/:key', 'getOauthUrlResponseSchema'],
  ['POST', '/api/auth/admin/sessions', 'createAdminSessionResponseSchema'],
  ['POST', '/api/auth/admin/refresh', 'createAdminSessionResponseSchema'],
  ['GET', '/api/auth/admin/sessions/current', 'getCurrentAdminSessionResponseSchema'],
  ['POST', '/api/email/send-raw', 'sendEmailResponseSchema'],
  ['POST', '/api/database/tables', 'createTableResponseSchema'],
  ['GET', '/api/database/tables/:table/schema', 'getTableSchemaResponseSchema'],
  ['PATCH', '/api/database/tables/:table/schema', 'updateTableSchemaResponse'],
  ['DELETE', '/api/database/tables/:table', 'deleteTableResponse'],
  ['POST', '/api/database/advance/rawsql', 'rawSQLResponseSchema'],
  ['POST', '/api/database/advance/rawsql/unrestricted', 'rawSQLResponseSchema'],
  ['POST', '/api/database/advance/export', 'exportResponseSchema'],
  ['POST', '/api/database/advance/import', 'importResponseSchema'],
  ['POST', '/api/database/advance/bulk-upsert', 'bulkUpsertResponseSchema'],
  ['GET', '/api/database/admin/tables/:table/records', 'adminTableRecordsCreateResponseSchema'],
  ['POST', '/api/database/admin/tables/:table/records', 'adminTableRecordsCreateResponseSchema'],
  ['PATCH', '/api/database/admin/tables/:table/records', 'adminTableRecordResponseSchema'],
  ['DELETE', '/api/database/admin/tables/:table/records', 'adminTableRecordsDeleteResponseSchema'],
  ['GET', '/api/database/admin/tables/:table/records/lookup', 'adminTableRecordLookupResponseSchema'],
  ['POST', '/api/database/migrations', 'createMigrationResponseSchema'],
  ['GET', '/api/database/migrations', 'databaseMigrationsResponseSchema'],
  ['GET', '/api/database/schemas', 'databaseSchemasResponseSchema'],
  ['GET', '/api/database/functions', 'databaseFunctionsResponseSchema'],
  ['GET', '/api/database/indexes', 'databaseIndexesResponseSchema'],
  ['GET', '/api/database/policies', 'databasePoliciesResponseSchema'],
  ['GET', '/api/database/triggers', 'databaseTriggersResponseSchema'],
  ['GET', '/api/database/backups', 'databaseBackupsResponseSchema'],
  ['POST', '/api/database/backups', 'createDatabaseBackupResponseSchema'],
  ['PATCH', '/api/database/backups/:id', 'updateDatabaseBackupResponseSchema'],
  ['DELETE', '/api/database/backups/:id', 'deleteDatabaseBackupResponseSchema'],
  ['POST', '/api/database/backups/:id/restore', 'restoreDatabaseBackupResponseSchema'],
  ['GET', '/api/metadata', 'appMetaDataSchema'],
  ['GET', '/api/metadata/auth', 'authMetadataSchema'],
  ['GET', '/api/metadata/database', 'databaseMetadataSchema'],
  ['GET', '/api/metadata/storage', 'storageMetadataSchema'],
  ['GET', '/api/metadata/functions', 'edgeFunctionMetadataSchema', 'item'],
  ['GET', '/api/metadata/realtime', 'realtimeMetadataSchema'],
  ['GET', '/api/metadata/api-key', 'apiKeyResponseSchema'],
  ['GET', '/api/metadata/anon-key', 'anonKeyResponseSchema'],
  ['GET', '/api/metadata/project-id', 'projectIdResponseSchema'],
  ['GET', '/api/secrets', 'listSecretsResponseSchema'],
  ['POST', '/api/secrets', 'createSecretResponseSchema'],
  ['GET', '/api/secrets/:key', 'getSecretValueResponseSchema'],
  ['PUT', '/api/secrets/:key', 'updateSecretResponseSchema'],
  ['DELETE', '/api/secrets/:key', 'deleteSecretResponseSchema'],
  ['POST', '/api/secrets/api-key/rotate', 'rotateApiKeyResponseSchema'],
  ['POST', '/api/secrets/anon-key/rotate', 'rotateAnonKeyResponseSchema'],
  ['GET', '/api/logs/audits', 'auditLogSchema', 'item'],
  ['DELETE', '/api/logs/audits', 'clearAuditLogsResponseSchema'],
  ['GET', '/api/logs/audits/stats', 'getAuditLogStatsResponseSchema'],
  ['GET', '/api/logs/sources', 'logSourceSchema', 'item'],
  ['GET', '/api/logs/stats', 'logStatsSchema', 'item'],
  ['GET', '/api/logs/search', 'logSchema', 'item'],
  ['GET', '/api/logs/:source', 'getLogsResponseSchema'],
];

/** What the schemas object to where the platform itself answers otherwise, and the script that meets it. */
const DIFFERENCES = {
  'columns without a value are null': ['schemas.mjs', /^(data\.\d+\.)?(clientId|redirectUri): Expected string, received null$/],
  'a provider that tells of no picture leaves an empty one': ['oauth.mjs', /^(data\.\d+\.|user\.)?profile\.avatar_url: Invalid url$/],
  'the roles of a policy are in words of Postgres': ['schemas.mjs', /^policies\.\d+\.roles: Expected array, received string$/],
  'and so they are exported': ['schemas.mjs', /^data\.tables\.\w+\.policies\.\d+\.roles: Expected array, received string$/],
  'several statements at once give no number': ['schemas.mjs', /^rowCount: Required$/],
};

/** The files of schemas that the scripts account for. In those of requests and answers it is the answers. */
const FILES = ['auth-api', 'database-api', 'email-api', 'logs', 'logs-api', 'metadata', 'secrets-api'];
const OTHER_FILES = {
  'ai ai-api': 'models',
  'cloud-events': 'messages between two pages',
  'compute-services compute-services-api': 'containers',
  'auth database secrets': 'what the schemas of answers are made of',
  'deployments deployments-api functions functions-api schedules schedules-api': 'running code',
  'docs error-codes': 'not of answers',
  'marketplace marketplace-api memory-api payments payments-api posthog posthog-api': 'other products',
  'realtime realtime-api s3-access-key storage storage-api': 'other areas',
};

/** Which script sees an answer with a schema, where it is not `schemas.mjs`; or why none does. */
const DRIVERS = {
  verifyEmailResponseSchema: 'sign-in.mjs',
  exchangeResetPasswordTokenResponseSchema: 'sign-in.mjs',
  resetPasswordResponseSchema: 'sign-in.mjs',
  sendEmailResponseSchema: 'sign-in.mjs',
  authErrorResponseSchema: 'schemas.mjs',
  authConfigAdminResponseSchema: 'the same as authMetadataSchema',
  adminTableRecordsListResponseSchema: 'the list is an array, and its total is in Content-Range',
  getAuditLogsResponseSchema: 'the list is an array, and its total is in Content-Range',
  bucketMetadataSchema: 'part of storageMetadataSchema',
  deploymentsMetadataSchema: 'only where sites are published',
  databaseConnectionParametersSchema: 'part of databaseConnectionInfoSchema',
  databaseConnectionInfoSchema: 'only in a cloud',
  databasePasswordInfoSchema: 'only in a cloud',
  buildLogEntrySchema: 'only where functions run',
  getBuildLogsResponseSchema: 'only where functions run',
};

const seen = new Set();

/** What coverage.mjs accounts for. */
export const answerSchemas = { drivers: {}, parts: {}, seen };
const folder = new URL('.', import.meta.resolve('@insforge/shared-schemas'));
const accounted = new Set([...FILES, ...Object.keys(OTHER_FILES).flatMap((names) => names.split(' '))]);
answerSchemas.parts['the files of schemas'] = readdirSync(folder).flatMap((name) => name.match(/^(.*)\.schema\.js$/)?.slice(1) ?? []);
answerSchemas.drivers['the files of schemas'] = Object.fromEntries([...accounted].map((name) => [name, 'listed']));
answerSchemas.parts.differences = Object.keys(DIFFERENCES);
answerSchemas.drivers.differences = Object.fromEntries(Object.entries(DIFFERENCES).map(([what, [script]]) => [what, script]));
for (const file of FILES) {
  const names = Object.keys(await import(new URL(`${file}.schema.js`, folder)));
  const kind = `schemas/${file}`;
  answerSchemas.parts[kind] = file.endsWith('-api') ? names.filter((name) => /Response(Schema)?$/.test(name)) : names;
  const checked = new Set(ANSWERS.map(([, , name]) => name));
  const driver = (name) => DRIVERS[name] ?? (checked.has(name) ? 'schemas.mjs' : undefined);
  answerSchemas.drivers[kind] = Object.fromEntries(answerSchemas.parts[kind].flatMap((name) => (driver(name) ? [[name, driver(name)]] : [])));
}

/** Throws when an answer is not what its schema says. `url` is absolute. */
export function checkAnswer(method, url, status, text) {
  const { pathname, searchParams } = new URL(url);
  if (!pathname.startsWith('/api/') || status === 204 || (status >= 300 && status < 400)) return;
  // What the database refuses is in PostgREST's words.
  if (/^\/api\/database\/(records|rpc)\//.test(pathname)) return;
  if (status >= 400) return check('authErrorResponseSchema', published.authErrorResponseSchema.extend({ error: published.errorCodeSchema }), text);
  const [, , name, item] = ANSWERS.find(([expected, path]) => expected === method && matches(path, pathname)) ?? [];
  if (name && searchParams.get('format') !== 'markdown') check(name, item ? published[name].array() : published[name], text);
}

/** The first one wins that has no variable where another has a word. */
ANSWERS.sort(([, a], [, b]) => a.split(':').length - b.split(':').length);

function matches(pattern, path) {
  const [expected, given] = [pattern.split('/'), path.replace(/\/$/, '').split('/')];
  return expected.length === given.length && expected.every((word, index) => word.startsWith(':') || word === given[index]);
}

function check(name, schema, text) {
  const { success, error } = schema.safeParse(JSON.parse(text));
  const file = FILES.find((file) => answerSchemas.parts[`schemas/${file}`].includes(name));
  seen.add(`schemas/${file}.${name}`);
  if (success) return;
  const issues = error.issues.flatMap(inner).map(({ path, message }) => `${path.join('.')}: ${message}`);
  const objections = issues.filter((issue) => !expected(issue));
  if (objections.length) throw new Error(`${name} does not describe the answer: ${objections.join(', ')}\n${text}`);
}

function expected(issue) {
  const [what] = Object.entries(DIFFERENCES).find(([, [, form]]) => form.test(issue)) ?? [];
  if (what) seen.add(`differences.${what}`);
  return what !== undefined;
}

/** Of alternatives, what the last one objects to. */
function inner(issue) {
  return issue.unionErrors ? issue.unionErrors.at(-1).issues.flatMap(inner) : [issue];
}
