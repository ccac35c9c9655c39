/**
 * Finds the route of a path in a tree of its segments: the cost grows with the length of the path, not with the number of routes. A literal segment
 * wins over a parameter; `trailing` routes take what is left.
 */
import { AssertionFailed } from '../assert/assert.ts';
import { MatrixError } from './matrix-error.ts';
import { pathsOf } from './older-paths.ts';
import type { Route } from './route.ts';

/** More segments than this is no path of ours; it bounds the walk. */
const SEGMENTS_MAX = 64;

/** What a path leads to. `T` is what the router keeps for each route. */
export type Found<T> =
  | { readonly kind: 'route'; readonly entry: T; readonly rawParams: readonly string[] }
  /** The path exists with other methods. */
  | { readonly kind: 'other-method'; readonly methods: readonly string[] }
  | { readonly kind: 'nothing' };

interface Node<T> {
  readonly literals: Map<string, Node<T>>;
  param: Node<T> | undefined;
  /** By method, of routes that end here. */
  readonly here: Map<string, T>;
  /** By method, of routes whose last parameter takes the rest. */
  readonly rest: Map<string, T>;
}

export interface RouteTable<T> {
  find(method: string, path: string): Found<T>;
}

/** Throws `AssertionFailed` when two routes have the same method and path: a mistake in the program. */
export function buildRouteTable<T>(entries: readonly { route: Pick<Route, 'method' | 'path' | 'trailing'>; entry: T }[]): RouteTable<T> {
  const root = newNode<T>();
  for (const { route, entry } of entries) {
    for (const path of pathsOf(route.path)) {
      const segments = segmentsOf(path);
      const methods = route.trailing === true ? walk(root, segments.slice(0, -1)).rest : walk(root, segments).here;
      if (methods.has(route.method)) throw new AssertionFailed(`two routes serve ${route.method} ${path}`);
      methods.set(route.method, entry);
    }
  }
  return { find: (method, path) => find(root, method, path) };
}

/** Names of the parameters of a template, in order. */
export function paramNamesOf(template: string): readonly string[] {
  return segmentsOf(template).filter(isParam).map((segment) => segment.slice(1, -1));
}

/** Decoded parameters by name. Throws 400 M_INVALID_PARAM for a bad percent-encoding or a NUL, which no database column holds. */
export function decodeParams(names: readonly string[], rawParams: readonly string[]): Record<string, string> {
  const params: Record<string, string> = {};
  for (let i = 0; i < names.length; i += 1) params[names[i] as string] = decodeParam(names[i] as string, rawParams[i] ?? '');
  return params;
}

function decodeParam(name: string, raw: string): string {
  if (!raw.includes('%')) return raw;
  let value: string;
  try {
    value = decodeURIComponent(raw);
  } catch {
    throw new MatrixError(400, 'M_INVALID_PARAM', `The path parameter ${name} is not valid percent-encoded UTF-8`);
  }
  if (value.includes('\0')) throw new MatrixError(400, 'M_INVALID_PARAM', `The path parameter ${name} contains a NUL character`);
  return value;
}

function newNode<T>(): Node<T> {
  return { literals: new Map(), param: undefined, here: new Map(), rest: new Map() };
}

function segmentsOf(path: string): string[] {
  return path.slice(1).split('/');
}

function isParam(segment: string): boolean {
  return segment.startsWith('{') && segment.endsWith('}');
}

function walk<T>(root: Node<T>, segments: readonly string[]): Node<T> {
  let node = root;
  for (const segment of segments) {
    if (isParam(segment)) {
      node.param ??= newNode();
      node = node.param;
    } else {
      let next = node.literals.get(segment);
      if (next === undefined) node.literals.set(segment, (next = newNode()));
      node = next;
    }
  }
  return node;
}

function find<T>(root: Node<T>, method: string, path: string): Found<T> {
  const segments = segmentsOf(path);
  if (!path.startsWith('/') || segments.length > SEGMENTS_MAX) return { kind: 'nothing' };
  const search: Search = { method, segments, rawParams: [], methods: new Set() };
  const entry = descend(search, root, 0);
  if (entry !== undefined) return { kind: 'route', entry, rawParams: search.rawParams };
  return search.methods.size > 0 ? { kind: 'other-method', methods: [...search.methods].sort() } : { kind: 'nothing' };
}

interface Search {
  readonly method: string;
  readonly segments: readonly string[];
  readonly rawParams: string[];
  /** Methods of routes that the path fits, seen on the way. */
  readonly methods: Set<string>;
}

/** Tries the literal child, then the parameter, then the rest; goes back one step when a branch leads nowhere. */
function descend<T>(search: Search, node: Node<T>, depth: number): T | undefined {
  const segment = search.segments[depth];
  if (segment === undefined) {
    const here = pick(search, node.here);
    if (here !== undefined) return here;
  } else {
    const literal = node.literals.get(segment);
    const inner = literal === undefined ? undefined : descend(search, literal, depth + 1);
    if (inner !== undefined) return inner;
    if (node.param !== undefined && segment !== '') {
      search.rawParams.push(segment);
      const below = descend(search, node.param, depth + 1);
      if (below !== undefined) return below;
      search.rawParams.pop();
    }
  }
  const rest = node.rest.size === 0 ? undefined : pick(search, node.rest);
  if (rest !== undefined) search.rawParams.push(search.segments.slice(depth).join('/'));
  return rest;
}

function pick<T>(search: Search, methods: ReadonlyMap<string, T>): T | undefined {
  const entry = methods.get(search.method);
  if (entry === undefined) for (const method of methods.keys()) search.methods.add(method);
  return entry;
}
