// A partner's own program: it makes a project, uses it, pauses and restores it, reads what it used, and deletes it.

import { equal, input, output } from './session.mjs';

const { apiUrl, partnerId, secret, model } = await input();
const base = `${apiUrl}/partnership/v1/${partnerId}`;

async function call(method, path, body) {
  const response = await fetch(`${base}${path}`, {
    method,
    headers: { 'X-Partnership-Secret': secret, 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  const data = await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(data)}`);
  return data;
}

async function makeProject() {
  const wanted = { project_name: 'embedded', region: 'us-east', instance_type: 'nano' };
  if (model === 'white-label') return call('POST', '/sync-embedded-project', { ...wanted, region: 'eu-west', instance_type: 'small' });
  const { account } = await call('POST', '/connect-user', { name: 'Ada Lovelace', email: 'ada@example.com' });
  const made = await call('POST', `/${account.id}/sync-project`, wanted);
  const { project } = await call('GET', `/${account.id}/${made.project.id}/metadata`);
  equal('the connection', project, made.project);
  return made;
}

const made = await makeProject();
equal('success', made.success, true);
const { project } = made;
equal('a new project answers', project.status, 'active');

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

const paused = await call('POST', `/${project.id}/pause`, { wait_for_completion: true });
equal('the pause', paused, { project: { id: project.id, status: 'paused' } });
const refused = await fetch(`${project.access_host}/api/health`);
equal('a paused project refuses', refused.status, 503);
await refused.text();
const restored = await call('POST', `/${project.id}/restore`, { wait_for_completion: true });
equal('the restoration', restored, { project: { id: project.id, status: 'active' } });
equal('its rows', await sql('select text from notes'), [{ text: 'kept' }]);

const { code, expires_in: lifetime, type } = await call('POST', `/${project.id}/authorization`);
equal('the code', [typeof code, lifetime, type], ['string', 600, 'Bearer']);

// Usage arrives within seconds.
async function usage() {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const total = await call('GET', '/usage');
    const own = await call('GET', `/${project.id}/usage`);
    const counted = total.summary.egress_bytes > 0 && total.summary.database_bytes > 0 && own.project.last_activity_at;
    if (counted) return { total, own };
    if (Date.now() > deadline) throw new Error(`no usage is seen: ${JSON.stringify(total)}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

const { total, own } = await usage();
equal('the partner', total.partnership.id, partnerId);
equal('the database is the project alone', own.summary.max_database_size_bytes, total.summary.database_bytes);

const deleted = await call('DELETE', `/${project.id}`);
equal('the deletion', deleted.message, 'Project deleted successfully');
equal('usage stays', (await call('GET', '/usage')).summary.egress_bytes >= total.summary.egress_bytes, true);

output({ id: project.id, requestId: deleted.requestId });
