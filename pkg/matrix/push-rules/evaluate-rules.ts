/** Which push rule an event meets, and what follows from it (spec: client-server, "Push Rules"). Pure. */
import { notificationPower, userPower, type RoomPower } from '../auth/power-levels.ts';
import { wholeGlob, wordGlob, wordText } from './glob.ts';
import { isSimple, type PreparedRule, type RuleTest } from './prepare-rules.ts';
import { parsePropertyPath, propertyAt } from './property-path.ts';

/** What rules look at. */
export interface EventFacts {
  /** In the clients' format. */
  readonly event: Readonly<Record<string, unknown>> & { readonly sender: string };
  /** Joined members. */
  readonly memberCount: number;
  /** Asked only where a rule wants to know. */
  readonly power: () => RoomPower;
}

/** What the user is told of an event. */
export interface Notice {
  readonly notify: boolean;
  /** Only of what notifies. */
  readonly highlight: boolean;
  /** JSON text of the actions; empty: nothing but to notify. */
  readonly actions: string;
}

export const NO_NOTICE: Notice = { notify: false, highlight: false, actions: '' };

/** The rules ready to be tried on many events. */
export interface CompiledRules {
  /** For a user with this ID; undefined: for one whom the event does not name. */
  evaluate(facts: EventFacts, self?: string): Notice;
  /** Users about whom a rule says something else because the event names them. Local or not. */
  named(facts: EventFacts): string[];
}

type Test = (facts: EventFacts, self: string | undefined) => boolean;

export function compileRules(rules: readonly PreparedRule[]): CompiledRules {
  const compiled = rules.map(({ tests, actions }) => ({ tests: tests.map(compileTest), notice: noticeOf(actions) }));
  const paths = [...new Set(rules.flatMap(({ tests }) => tests.flatMap((test) => (test.is.endsWith('-self') && 'key' in test ? [test.key] : []))))].map(parsePropertyPath);
  return {
    evaluate: (facts, self) => compiled.find(({ tests }) => tests.every((test) => test(facts, self)))?.notice ?? NO_NOTICE,
    named: ({ event }) => paths.flatMap((path) => namesIn(propertyAt(event, path))),
  };
}

function namesIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : [];
}

/** What the actions come to: `highlight` without a value is true. */
export function noticeOf(actions: readonly unknown[]): Notice {
  if (!actions.includes('notify')) return NO_NOTICE;
  const highlight = actions.some((action) => isHighlight(action));
  return { notify: true, highlight, actions: actions.length === 1 ? '' : JSON.stringify(actions) };
}

function isHighlight(action: unknown): boolean {
  if (typeof action !== 'object' || action === null) return false;
  const { set_tweak: tweak, value } = action as Record<string, unknown>;
  return tweak === 'highlight' && (value === undefined || value === true);
}

function compileTest(test: RuleTest): Test {
  if (test.is === 'name') return bodyTest(wordText(test.name));
  if (test.is === 'count') return ({ memberCount }) => compare(memberCount, test.sign, test.number);
  if (test.is === 'permission') return ({ event, power }) => userPower(power(), event.sender) >= notificationPower(power(), test.key);
  const path = parsePropertyPath(test.key);
  switch (test.is) {
    case 'match':
      return matchTest(test.key, path, String(test.value));
    case 'match-self':
      return ({ event }, self) => self !== undefined && sameIgnoringCase(propertyAt(event, path), self);
    case 'equal':
    case 'equal-self':
      return ({ event }, self) => propertyAt(event, path) === ('value' in test ? test.value : self) && ('value' in test || self !== undefined);
    case 'contain':
    case 'contain-self':
      return ({ event }, self) => {
        const wanted = 'value' in test ? test.value : self;
        const list = propertyAt(event, path);
        return Array.isArray(list) && isSimple(wanted) && list.includes(wanted);
      };
  }
}

function matchTest(key: string, path: readonly string[], pattern: string): Test {
  if (key === 'content.body') return bodyTest(wordGlob(pattern));
  const matches = wholeGlob(pattern);
  return ({ event }) => {
    const value = propertyAt(event, path);
    return typeof value === 'string' && matches(value);
  };
}

const BODY = ['content', 'body'];

function bodyTest(matches: (text: string) => boolean): Test {
  return ({ event }) => {
    const body = propertyAt(event, BODY);
    return typeof body === 'string' && matches(body);
  };
}

function sameIgnoringCase(value: unknown, self: string): boolean {
  return typeof value === 'string' && (value === self || value.toLowerCase() === self.toLowerCase());
}

function compare(count: number, sign: string, number: number): boolean {
  if (sign === '<') return count < number;
  if (sign === '>') return count > number;
  if (sign === '<=') return count <= number;
  return sign === '>=' ? count >= number : count === number;
}
