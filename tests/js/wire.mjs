// What the scripts about signing in share: a fetch that remembers what went over the wire, a browser's cookies, and a mailbox.

import { SMTPServer } from 'smtp-server';
import { simpleParser } from 'mailparser';
import { checkAnswer } from './answers.mjs';

const exchanges = [];
const objections = [];
let clientAddress = 0;

/** Prints the last requests and responses; what a failed script leaves behind. */
export function printWire() {
  for (const exchange of exchanges.slice(-8)) {
    console.error(`> ${exchange.method} ${exchange.url}`);
    for (const [name, value] of Object.entries(exchange.headers)) console.error(`>   ${name}: ${value}`);
    if (exchange.body) console.error(`> ${exchange.body}`);
    console.error(`< ${exchange.status}`);
    for (const [name, value] of exchange.answerHeaders) console.error(`<   ${name}: ${value}`);
    console.error(`< ${exchange.answer}\n`);
  }
}

/** Runs a script; a failure shows the wire, and so does an answer that its schema does not describe. */
export async function run(script) {
  try {
    await script();
    if (objections.length) throw new Error(objections.join('\n'));
  } catch (error) {
    printWire();
    console.error(error);
    // A mail server or a provider that the script started would keep the process.
    process.exit(1);
  }
}

/** From here on requests seem to come from another client, whom limits do not know yet. */
export function anotherClient() {
  clientAddress += 1;
}

/** A fetch that records, and that keeps cookies like a browser where credentials are included. */
export function recordingFetch(jar) {
  return async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init.headers ?? (input instanceof Request ? input.headers : undefined));
    headers.set('x-forwarded-for', `198.51.100.${clientAddress}`);
    if (jar && init.credentials === 'include' && jar.header(url)) headers.set('cookie', jar.header(url));
    const response = await fetch(input, { ...init, headers });
    if (jar && init.credentials === 'include') jar.store(url, response.headers.getSetCookie());
    const exchange = {
      method: init.method ?? (input instanceof Request ? input.method : 'GET'),
      url: url.href,
      headers: Object.fromEntries(headers),
      body: typeof init.body === 'string' ? init.body : undefined,
      status: response.status,
      answerHeaders: [...response.headers],
      answer: await response.clone().text(),
    };
    exchanges.push(exchange);
    try {
      checkAnswer(exchange.method, exchange.url, exchange.status, exchange.answer);
    } catch (error) {
      objections.push(`${exchange.method} ${exchange.url} ${exchange.status}: ${error.message}`);
    }
    return response;
  };
}

/** Cookies with their paths, as a browser keeps them. */
export class CookieJar {
  cookies = new Map();

  store(url, lines) {
    for (const line of lines) {
      const [pair, ...attributes] = line.split(';').map((part) => part.trim());
      const [name, value] = pair.split(/=(.*)/s);
      const read = Object.fromEntries(attributes.map((text) => text.split('=')).map(([key, text]) => [key.toLowerCase(), text ?? true]));
      const path = read.path ?? url.pathname.replace(/\/[^/]*$/, '') ?? '/';
      const ended = read.expires && new Date(read.expires) <= new Date();
      if (ended) this.cookies.delete(name);
      else this.cookies.set(name, { value, path, attributes: read });
    }
  }

  header(url) {
    return [...this.cookies]
      .filter(([, { path }]) => url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`) || path === '/')
      .map(([name, { value }]) => `${name}=${value}`)
      .join('; ');
  }
}

/** What the SDK needs of a browser: cookies of its own, and a storage for the verifier. */
export function pretendBrowser() {
  const own = new Map();
  globalThis.document = {
    get cookie() {
      return [...own].map(([name, value]) => `${name}=${value}`).join('; ');
    },
    set cookie(line) {
      const [name, value] = line.split(';')[0].split(/=(.*)/s);
      if (line.includes('max-age=0')) own.delete(name);
      else own.set(name, value);
    },
  };
  const storage = new Map();
  globalThis.sessionStorage = {
    getItem: (key) => storage.get(key) ?? null,
    setItem: (key, value) => storage.set(key, value),
    removeItem: (key) => storage.delete(key),
  };
}

/** A mail server with one account, and what it took. */
export class Mailbox {
  mails = [];
  waiting = [];

  constructor({ host, key, certificate, username, password }, encryptedFromTheStart = false) {
    this.host = host;
    this.server = new SMTPServer({
      secure: encryptedFromTheStart,
      key,
      cert: certificate,
      authMethods: ['PLAIN', 'LOGIN'],
      logger: false,
      onAuth: (auth, session, done) => {
        if (!session.secure) return done(new Error('only encrypted'));
        if (auth.username !== username || auth.password !== password) return done(new Error('wrong password'));
        done(null, { user: username });
      },
      onData: (stream, session, done) => {
        simpleParser(stream).then((mail) => {
          this.take({ mail, recipients: session.envelope.rcptTo.map(({ address }) => address) });
          done();
        }, done);
      },
    });
  }

  listen(port) {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, this.host, () => {
        this.server.removeListener('error', reject);
        this.server.on('error', () => {});
        resolve(this);
      });
    });
  }

  close() {
    return new Promise((resolve) => this.server.close(resolve));
  }

  /** The next mail to an address; fails when none comes. */
  next(address) {
    const index = this.mails.findIndex(({ recipients }) => recipients.includes(address));
    if (index >= 0) return Promise.resolve(this.mails.splice(index, 1)[0].mail);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no mail to ${address} came`)), 15_000);
      this.waiting.push({ address, give: (mail) => (clearTimeout(timer), resolve(mail)) });
    });
  }

  take({ mail, recipients }) {
    const index = this.waiting.findIndex(({ address }) => recipients.includes(address));
    if (index >= 0) this.waiting.splice(index, 1)[0].give(mail);
    else this.mails.push({ mail, recipients });
  }
}

/** The six digits in a mail. */
export function codeIn(mail) {
  const found = /\b\d{6}\b/.exec(mail.html);
  if (!found) throw new Error(`no code in ${mail.html}`);
  return found[0];
}

/** The link in a mail. */
export function linkIn(mail) {
  const found = /href="([^"]+)"/.exec(mail.html);
  if (!found) throw new Error(`no link in ${mail.html}`);
  return found[1].replaceAll('&amp;', '&');
}
