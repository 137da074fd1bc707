// A partner's own program: it makes a project, uses it, pauses and restores it, reads what it used, and deletes it. Every request is one that
// partners are documented to make, and every answer has the documented fields: partnership.json. What happened is told to a receiver of its own.

import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { Webhook } from 'standardwebhooks';
import { equal, input, output, until } from './session.mjs';

const { apiUrl, partnerId, secret, model } = await input();
const documented = JSON.parse(readFileSync(new URL('./partnership.json', import.meta.url)));
const today = new Date().toISOString().slice(0, 10);
const known = { partner: partnerId, start: today, end: today };
const made = [];

async function send(method, path, body) {
  const response = await fetch(`${apiUrl}/partnership/v1${path}`, {
    method,
    headers: { 'X-Partnership-Secret': secret, 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  const data = response.status === 204 ? {} : await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(data)}`);
  return data;
}

/** Makes a documented request, and checks that the documented fields are in the answer. */
async function call(name) {
  const { request: [method, pattern, body], answer } = documented[name];
  const data = await send(method, pattern.replace(/\{(\w+)\}/g, (_, id) => known[id]), body);
  for (const [part, fields] of Object.entries(answer)) {
    const value = part === '' ? data : data[part];
    const object = Array.isArray(value) ? value[0] : value;
    for (const field of fields) if (!(field in object)) throw new Error(`${name}: ${part}.${field} is missing in ${JSON.stringify(data)}`);
  }
  made.push(name);
  return data;
}

// The receiver refuses the first delivery of each event, so that it comes again under the same id.
const told = [];
const refused = new Set();
let verifier;
const receiver = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const event = verifier.verify(Buffer.concat(chunks).toString('utf8'), request.headers);
  const id = request.headers['webhook-id'];
  const first = told.length === 0 && !refused.has(id);
  if (first) refused.add(id);
  else told.push({ id, type: event.type, project: event.data.project_id });
  response.writeHead(first ? 503 : 204).end();
});
await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${receiver.address().port}/hooks`;
const hook = await send('POST', `/${partnerId}/webhook-endpoints`, { url });
verifier = new Webhook(hook.secret);

async function makeProject() {
  if (model === 'white-label') return call('make an embedded project');
  const { account } = await call('connect a user');
  known.user = account.id;
  const answer = await call("make a user's project");
  known.project = answer.project.id;
  equal('the connection', (await call("show a user's project")).project, answer.project);
  return answer;
}

const { success, project } = await makeProject();
known.project = project.id;
equal('a new project', [success, project.status], [true, 'active']);
const { project: shown } = await call('show a project');
equal('the same project', [shown.id, shown.access_host, shown.api_key], [project.id, project.access_host, project.api_key]);

async function sql(query) {
  const response = await fetch(`${project.access_host}/api/database/advance/rawsql`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${project.api_key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  if (!response.ok) throw new Error(`${query}: ${response.status} ${await response.text()}`);
  return (await response.json()).rows;
}

await sql('create table notes (id int primary key, text text)');
await sql("insert into notes values (1, 'kept')");

equal('the pause', await call('pause'), { project: { id: project.id, status: 'paused' } });
const stopped = await fetch(`${project.access_host}/api/health`);
equal('a paused project refuses', stopped.status, 503);
await stopped.text();
equal('the restoration', await call('restore'), { project: { id: project.id, status: 'active' } });
equal('its rows', await sql('select text from notes'), [{ text: 'kept' }]);

const { code, expires_in: lifetime, type } = await call('authorize');
equal('the code', [typeof code, lifetime, type], ['string', 600, 'Bearer']);

if (model === 'white-label') {
  const upgraded = await call('upgrade');
  equal('the upgrade', [upgraded.previousInstanceType, upgraded.newInstanceType, upgraded.newVolumeSizeGiB], ['small', 'micro', 16]);
}
equal('the restart', typeof (await call('restart')).insforgeOssVersion, 'string');

// Usage arrives within seconds.
const { total, own } = await until('usage', async () => {
  const total = await call('usage of all projects');
  const own = await call('usage of a project');
  const counted = total.summary.egress_bytes > 0 && total.summary.database_bytes > 0 && own.project.last_activity_at;
  return counted && { total, own };
});
equal('the partner', total.partnership.id, partnerId);
equal('the database is the project alone', own.summary.max_database_size_bytes, total.summary.database_bytes);

const deleted = await call('delete');
equal('the deletion', deleted.message, 'Project deleted successfully');
equal('usage stays', (await call('usage of all projects')).summary.egress_bytes >= total.summary.egress_bytes, true);

await until('the end of the project', () => told.some((event) => event.type === 'project.deleted'));
receiver.close();
const changed = model === 'white-label' ? ['project.instance_changed'] : [];
const expected = ['project.created', 'project.paused', 'project.restored', ...changed, 'project.restarted', 'project.deleted'];
equal('what was told', told.map((event) => event.type), expected);
equal('it came again', [...refused], [told[0].id]);
const feed = await send('GET', `/${partnerId}/events`);
equal('the same can be listed', feed.events.map((event) => event.id), told.map((event) => event.id));

output({ id: project.id, requestId: deleted.requestId, made: [...new Set(made)] });
