// Runs the examples of the documentation that partners follow, as they stand there: only the host, the partner and its secret are put in.
// The documentation is a text without line breaks of its own, so comments are taken out by what follows them.

import { readFileSync } from 'node:fs';
import { equal, input, output, until } from './session.mjs';

const { apiUrl, partners, document } = await input();
const SECTION = '==== Source: https://docs.insforge.dev/partnership ';
const text = readFileSync(document, 'utf8').replace(/\s+/g, ' ');
const section = text.slice(text.indexOf(SECTION) + SECTION.length).split('==== Source:')[0];
const blocks = [...section.matchAll(/(?:(\S+) )?```(\w+) (?:theme=\{null\} )?(.*?)```/g)].map(([, label, language, body]) => ({ label, language, body: body.trim() }));

/** Endpoints as they are documented: method, path, and the JSON of request and answer. */
function endpoints() {
  const found = [];
  for (const { label, language, body } of blocks) {
    const [, method, path] = /^(GET|POST|DELETE) \/partnership\/v1(\S+)$/.exec(body) ?? [];
    if (language === 'bash' && method) found.push({ method, path });
    const last = found.at(-1);
    if (language !== 'json' || !last) continue;
    const json = JSON.parse(body.replace(/\/\/ .*?(?=("\w+":|\}))/g, ''));
    if (label === 'Body:**') last.request = json;
    else if (!last.answer) last.answer = json;
  }
  return found;
}

/** What the tests of this repository take for documented. */
const known = Object.values(JSON.parse(readFileSync(new URL('./partnership.json', import.meta.url))));
const shape = (path) => path.split('?')[0].replace(/:\w+Id/g, '{}').replace(/\{\w+\}/g, '{}');
const documented = endpoints();
for (const { method, path, request, answer } of documented) {
  const same = known.find(({ request: [verb, pattern] }) => verb === method && shape(pattern) === shape(path));
  if (!same) throw new Error(`${method} ${path} is documented and not tested`);
  for (const field of Object.keys(request ?? {})) if (!(field in (same.request[2] ?? {}))) throw new Error(`${method} ${path} is tested without ${field}`);
  for (const [name, value] of Object.entries(answer)) {
    const part = Array.isArray(value) ? value[0] : value;
    const [fields, tested] = typeof part === 'object' ? [Object.keys(part), same.answer[name]] : [[name], same.answer['']];
    for (const field of fields) if (!tested?.includes(field)) throw new Error(`${method} ${path}: ${name}.${field} is documented and not tested`);
  }
}

const said = [];

/** The functions that one example defines, and what it prints of a project. */
function example(index, partner, names) {
  const code = blocks
    .filter(({ language }) => language === 'typescript')[index].body.replace(/\/\/ \d+\. .*?(?=(const|console)\b)/g, '')
    .replace(/\/\/ "[^"]*"/g, '')
    .replace(/(\w+): string/g, '$1')
    .replaceAll('https://api.insforge.dev', apiUrl);
  const console = { log: (line) => said.push(line) };
  const make = new Function('PARTNER_ID', 'SECRET_KEY', 'project', 'console', `${code}; return { ${names.join(', ')} };`);
  return (project) => make(partner.id, partner.secret, project, console);
}

async function use(project) {
  const response = await fetch(`${project.access_host}/api/database/advance/rawsql`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${project.api_key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ query: 'select 1 as one' }),
  });
  equal('the project is used', (await response.json()).rows, [{ one: 1 }]);
}

const branded = example(0, partners['co-branded'], ['connectUser', 'createProject']);
const { connectUser, createProject } = branded({});
const account = await connectUser('John Doe', 'john@example.com');
equal('connected twice', await connectUser('John Doe', 'john@example.com'), account);
const shared = await createProject(account, 'my-project');
await use(shared);
branded(shared);
equal('what it prints', said.slice(-2), [shared.access_host, shared.api_key]);

const names = ['createEmbeddedProject', 'pauseProject', 'restoreProject', 'deleteProject', 'getPartnershipUsage'];
const own = example(1, partners['white-label'], names)({});
const project = await own.createEmbeddedProject('embedded-project');
await use(project);
await own.pauseProject(project.id);
const health = await fetch(`${project.access_host}/api/health`);
equal('paused', [health.status, said.at(-1)], [503, `Project ${project.id} status: paused`]);
await health.text();
await own.restoreProject(project.id);
equal('restored', said.at(-1), `Project ${project.id} status: active`);
await use(project);
const today = new Date().toISOString().slice(0, 10);
await until('usage', async () => {
  const { summary } = await own.getPartnershipUsage(today, today);
  return summary.database_bytes > 0 && summary.egress_bytes > 0;
});
await own.deleteProject(project.id);
equal('deleted', said.at(-2), 'Project deleted successfully');

output({ id: project.id, endpoints: documented.map(({ method, path }) => `${method} ${path}`) });
