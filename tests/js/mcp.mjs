// Drives every tool of the real MCP server over stdio, and those that a server on the network has instead. Requests go through a small proxy
// that remembers them, so that a failure can show them.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { checkAnswer } from './answers.mjs';
import { equal, input, output } from './session.mjs';

const project = await input();
const folder = await mkdtemp(join(tmpdir(), 'hearth-mcp-'));
let exchanges = [];

/** Passes requests on and remembers them with their answers. */
const proxy = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const { host, connection, 'content-length': length, ...headers } = request.headers;
  const answer = await fetch(project.baseUrl + request.url, { method: request.method, headers, body: body.length ? body : undefined, redirect: 'manual' });
  const text = Buffer.from(await answer.arrayBuffer());
  exchanges.push({ method: request.method, url: request.url, body: body.toString('utf8'), status: answer.status, answer: text.toString('utf8') });
  response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' });
  response.end(text);
});
await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
const base = `http://127.0.0.1:${proxy.address().port}`;

const server = fileURLToPath(import.meta.resolve('@insforge/mcp'));
const transport = new StdioClientTransport({ command: process.execPath, args: [server, '--api_key', project.apiKey, '--api_base_url', base], stderr: 'pipe' });
const client = new Client({ name: 'hearth-tests', version: '1.0.0' });
await client.connect(transport);

const called = new Map();

function fail(tool, why, text) {
  const shown = exchanges.map(({ method, url, body, status, answer }) => `> ${method} ${url}\n${body}\n< ${status}\n${answer}`).join('\n');
  throw new Error(`${tool}: ${why}\n${text}\n${shown}`);
}

async function call(tool, args, expected, { refused = false, by = client } = {}) {
  if (!called.has(tool)) called.set(tool, args);
  exchanges = [];
  const result = await by.callTool({ name: tool, arguments: args });
  const text = result.content.map((part) => part.text).join('\n');
  for (const { method, url, status, answer } of exchanges) {
    try {
      checkAnswer(method, base + url, status, answer);
    } catch (error) {
      fail(tool, error.message, text);
    }
  }
  if ((result.isError ?? false) !== refused) fail(tool, refused ? 'was not refused' : 'failed', text);
  for (const part of [expected].flat()) if (!text.includes(part)) fail(tool, `does not say ${JSON.stringify(part)}`, text);
  return text;
}

async function file(name, content) {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

/** A client of the server as it runs on the network. Its package gives only programs, so the part that they share is loaded by its file. */
async function onTheNetwork() {
  const [, shared] = /from "(\.\/chunk-[^"]+)"/.exec(await readFile(server, 'utf8'));
  const { registerInsforgeTools } = await import(new URL(shared, import.meta.resolve('@insforge/mcp')));
  const served = new McpServer({ name: 'network', version: '1.0.0' });
  await registerInsforgeTools(served, { apiKey: project.apiKey, apiBaseUrl: base, mode: 'remote' });
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  const remote = new Client({ name: 'hearth-tests', version: '1.0.0' });
  await Promise.all([served.connect(theirs), remote.connect(ours)]);
  return remote;
}

try {
  for (const docType of ['instructions', 'auth-sdk', 'db-sdk', 'storage-sdk', 'functions-sdk', 'ai-integration-sdk', 'real-time', 'deployment']) {
    const text = await call('fetch-docs', { docType }, '# ');
    if (text.includes('localhost:7130') || text.includes('not available')) fail('fetch-docs', 'is not about this project', text);
  }
  for (const sdkFeature of ['db', 'storage', 'functions', 'auth', 'ai', 'realtime'])
    for (const sdkLanguage of ['typescript', 'swift', 'kotlin', 'rest-api']) await call('fetch-sdk-docs', { sdkFeature, sdkLanguage }, ['# ', base]);
  await call('get-anon-key', {}, project.anonKey);

  await call('run-raw-sql', { query: 'create table pets (id int primary key, name text, born timestamptz); alter table pets enable row level security' }, '"rows": []');
  await call('run-raw-sql', { query: 'insert into pets values ($1, $2, $3) returning id, name, born', params: [1, "O'Malley", '2026-01-01T00:00:00Z'] }, ['O\'Malley', '"2026-01-01T00:00:00.000Z"', '"rowCount": 1']);
  await call('run-raw-sql', { query: 'select count(*) as n from pets' }, '"n": "1"');
  await call('run-raw-sql', { query: 'select nothing from nowhere' }, 'relation "nowhere" does not exist', { refused: true });
  await call('run-raw-sql', { query: 'set role postgres' }, 'Changing SQL execution role', { refused: true });
  await call('get-table-schema', { tableName: 'pets' }, ['"columnName": "born"', '"pets_pkey"', '"rlsEnabled": true']);
  await call('bulk-upsert', { table: 'pets', filePath: await file('pets.csv', 'id,name\n1,Tom\n2,Felix\n'), upsertKey: 'id' }, 'Successfully processed 2 of 2 records into table "pets"');
  await call('bulk-upsert', { table: 'pets', filePath: await file('pets.json', '[{"id": 3, "name": "Kitty"}]') }, 'Successfully processed 1 of 1');
  await call('bulk-upsert', { table: 'pets', filePath: await file('bad.csv', 'id,name\nx,y\n') }, 'invalid input syntax', { refused: true });
  await call('get-backend-metadata', {}, ['"tableName": "pets"', '"recordCount": 3', '"version"']);

  await call('create-bucket', { bucketName: 'mcp-files', isPublic: false }, 'Bucket created successfully');
  await call('create-bucket', { bucketName: 'mcp-files', isPublic: false }, 'already exists', { refused: true });
  await call('list-buckets', {}, '"mcp-files"');
  await call('delete-bucket', { bucketName: 'mcp-files' }, 'Bucket deleted successfully');

  const codeFile = await file('hello.js', 'module.exports = async function (request) { return new Response("hello"); };\n');
  await call('create-function', { slug: 'hello', name: 'Hello', description: 'says hello', status: 'active', codeFile }, 'Hello');
  await call('get-function', { slug: 'hello' }, 'new Response');
  await call('update-function', { slug: 'hello', description: 'says more' }, 'hello');
  await call('delete-function', { slug: 'hello' }, 'hello');
  await call('get-function', { slug: 'hello' }, 'Error getting function', { refused: true });

  for (const source of ['insforge.logs', 'postgREST.logs', 'postgres.logs', 'function.logs']) await call('get-container-logs', { source, limit: 5 }, source);

  await mkdir(join(folder, 'site'));
  await writeFile(join(folder, 'site', 'index.html'), '<!doctype html>');
  // What this server does not do, it says.
  const deployment = await call('create-deployment', { sourceDirectory: join(folder, 'site') }, 'Error', { refused: !project.serves.includes('deployments') });

  // It would go on to fetch a template from the internet; a name that it refuses lets it stop after asking the project.
  await call('download-template', { frame: 'react', projectName: '../x' }, 'projectName must be a single directory name', { refused: true });
  if (!exchanges.some(({ url, status }) => url === '/api/auth/tokens/anon' && status === 200)) fail('download-template', 'did not get a key', '');

  const { tools } = await client.listTools();
  const untried = tools.map(({ name }) => name).filter((name) => !called.has(name));
  if (untried.length) throw new Error(`tools that nothing was tried with: ${untried.join(', ')}`);
  // A key of the call's own goes before the server's.
  for (const { name, inputSchema } of tools) if (inputSchema.properties.apiKey) await call(name, { ...called.get(name), apiKey: 'ik_another' }, 'Invalid API key', { refused: true });

  const by = await onTheNetwork();
  const remote = (await by.listTools()).tools.map(({ name }) => name);
  equal('what only the network has', remote.filter((name) => !called.has(name)), ['start-deployment']);
  equal('what it has not', [...called.keys()].filter((name) => !remote.includes(name)), ['bulk-upsert']);
  await call('download-template', { frame: 'react' }, [`--base-url '${base}'`, `--anon-key '${project.anonKey}'`], { by });
  await call('create-deployment', { sourceDirectory: folder }, base, { by });
  await call('start-deployment', { deploymentId: '9f1c1e5e-0000-4000-8000-000000000001' }, 'Error starting deployment', { by, refused: true });
  await by.close();
  output({ tools: [...called.keys()].sort(), deployment });
} finally {
  await client.close();
  proxy.close();
  proxy.closeAllConnections();
  await rm(folder, { recursive: true });
}
