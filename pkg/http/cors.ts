/** Headers that let web clients talk to us. Client-Server API, "Web Browser Clients". */
export const CORS_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, POST, PUT, DELETE, OPTIONS',
  'access-control-allow-headers': 'X-Requested-With, Content-Type, Authorization',
  // Scripts see no other headers than the simple ones unless they are named here.
  'access-control-expose-headers': 'Retry-After',
});

/** Of an answer to OPTIONS: a browser may remember it for a day, which spares it a request before each request. */
export const PREFLIGHT_HEADERS: Readonly<Record<string, string>> = Object.freeze({ ...CORS_HEADERS, 'access-control-max-age': '86400' });
