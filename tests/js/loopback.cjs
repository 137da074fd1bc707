// Loaded before a script: every name below localhost is this machine, also where the system's resolver does not know it.
'use strict';

const dns = require('node:dns');

const lookup = dns.lookup;

dns.lookup = function lookupLoopback(hostname, options, callback) {
  const name = hostname.endsWith('.localhost') ? '127.0.0.1' : hostname;
  return lookup.call(dns, name, options, callback);
};
