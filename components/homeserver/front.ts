/**
 * Configuration of a front (nginx) that spreads requests over the processes of each role, generated from the route table: so a route that moves to another role
 * moves in the front too.
 */
import { CORS_HEADERS } from '../../pkg/http/cors.ts';
import { pathsOf } from '../../pkg/http/older-paths.ts';
import type { HttpRole, Route } from '../../pkg/http/route.ts';

export interface FrontOptions {
  readonly routes: readonly Route[];
  /** Where the front listens, for example `8008` or `127.0.0.1:8008`. */
  readonly listen: string;
  /** Addresses (host:port) of the processes that serve a role. The first role of the list takes what no route names. */
  readonly upstreams: readonly { readonly role: HttpRole; readonly addresses: readonly string[] }[];
}

/** The `http` block's content: upstreams, the map from method and path to role, and one server. */
export function nginxFront(options: FrontOptions): string {
  const [first] = options.upstreams;
  if (first === undefined) throw new Error('a front needs the addresses of at least one role');
  const known = new Set(options.upstreams.map((upstream) => upstream.role));
  const mapped = options.routes.filter((route) => known.has(route.role as HttpRole) && route.role !== first.role);
  const shared = new Set(options.routes.filter((route) => route.role === first.role).map((route) => route.path));
  return [
    ...options.upstreams.map(({ role, addresses }) => upstreamBlock(role, addresses)),
    '# Who asks: a user of one access token.',
    'map $http_authorization $myelin_token {',
    '  default $http_authorization;',
    '  "" $arg_access_token;',
    '}',
    '# The raw request line: escaped slashes in IDs stay escaped.',
    'map "$request_method $request_uri" $myelin_role {',
    `  default myelin_${first.role};`,
    ...mapped.flatMap((route) => pathsOf(route.path).map((path) => `  "~${requestPattern(route, path, shared.has(route.path))}" myelin_${route.role};`)),
    '}',
    serverBlock(options.listen),
    '',
  ].join('\n');
}

/** A process that is gone is left alone for a second at a time, so that it is in use again soon after it has come back. */
const SERVER_FLAGS = 'max_fails=3 fail_timeout=1s';
/**
 * Connections to the processes of a role that a worker of the front keeps open. A round of inputs answers hundreds of requests in the same moment; whichever of their connections is not kept is closed, and opened again for
 * the next request, which costs a process nearly as much as a message does.
 */
const KEPT_CONNECTIONS = 512;

/** Reads of one user stay with one process, which has what they need in memory; they move when it is away. */
function upstreamBlock(role: HttpRole, addresses: readonly string[]): string {
  const sticky = role === 'syncapi' ? ['  hash $myelin_token consistent;'] : [];
  return [`upstream myelin_${role} {`, ...sticky, ...addresses.map((address) => `  server ${address} ${SERVER_FLAGS};`), `  keepalive ${KEPT_CONNECTIONS};`, '}'].join('\n');
}

function serverBlock(listen: string): string {
  return `server {
  listen ${listen};
  client_max_body_size 50m;
  location / {
    proxy_pass http://$myelin_role;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_connect_timeout 2s;
    # Longer than the longest long poll, and than a join by way of other servers.
    proxy_read_timeout 150s;
    proxy_buffering off;
    # What is idempotent by its method (also PUT with a transaction ID) goes to another process when one fails; POST only when no
    # connection could be made, so that it cannot have been taken up.
    proxy_next_upstream error timeout http_502 http_503;
    proxy_next_upstream_tries 3;
  }
  # What the front says by itself has the form of errors too ("Standard error response"): there are clients that take a page of HTML for
  # an empty answer, and so a leave that was lost with its process for one that was carried out.
${OWN_ERRORS.map(ownError).join('\n')}
}`;
}

interface OwnError {
  readonly statuses: string;
  readonly name: string;
  readonly errcode: string;
  readonly error: string;
}

const OWN_ERRORS: readonly OwnError[] = [
  { statuses: '502 503 504', name: 'away', errcode: 'M_UNKNOWN', error: 'No process of the server has answered; whether this was carried out is not known' },
  { statuses: '413', name: 'too_large', errcode: 'M_TOO_LARGE', error: 'The request is too large' },
];

/** The status stays what it is. */
function ownError({ statuses, name, errcode, error }: OwnError): string {
  const headers = Object.entries(CORS_HEADERS).map(([header, value]) => `    add_header ${header} "${value}" always;`);
  return [`  error_page ${statuses} @myelin_${name};`, `  location @myelin_${name} {`, '    default_type application/json;', ...headers, `    return 500 '${JSON.stringify({ errcode, error })}';`, '  }'].join('\n');
}

/**
 * A regular expression over `METHOD /path?query` for one path of a route: parameters take no slash, a trailing parameter takes the rest. Where the path is of one role alone
 * (not `isShared`), wrong methods go there too, so that they are told so.
 */
function requestPattern(route: Route, template: string, isShared: boolean): string {
  const methods = !isShared ? '[A-Z]+' : route.method === 'GET' ? '(GET|HEAD|OPTIONS)' : route.method;
  const path = template
    .split('/')
    .map((segment) => (/^\{.*\}$/.test(segment) ? '[^/?]+' : segment.replace(/[.*+?^$()|[\]\\]/g, '\\$&')))
    .join('/');
  const whole = route.trailing === true ? path.replace(/\/\[\^\/\?\]\+$/, '(/[^?]*)?') : path;
  return `^${methods} ${whole}([?]|$)`;
}
