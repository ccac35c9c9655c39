/** Kinds of settings: what is allowed, in words, and how a text becomes a value. Every source gives text, so all of them mean the same. */
import { isIP } from 'node:net';
import { isServerPattern } from '../../../pkg/federation/denied-servers.ts';
import { isServerName } from '../../../pkg/matrix/ids/server-name.ts';
import type { Settings } from '../../../schemas/config/settings.ts';

export interface SettingType<T> {
  /** Completes "must be …". */
  readonly allowed: string;
  /** undefined when the text is not allowed. */
  readonly parse: (text: string) => T | undefined;
  /** Words that are allowed, for suggestions. */
  readonly words?: readonly string[];
}

export function choice<const Words extends readonly string[]>(...words: Words): SettingType<Words[number]> {
  return { allowed: `one of ${words.join(', ')}`, parse: (text) => words.find((word) => word === text), words };
}

/** `all`, or words with commas between them; each at most once. */
export function listOf<const Words extends readonly string[]>(...words: Words): SettingType<readonly Words[number][]> {
  return {
    allowed: `all, or a list (with commas) of ${words.join(', ')}`,
    parse(text) {
      if (text === 'all') return words;
      const chosen = new Set(partsOf(text));
      const known = words.filter((word) => chosen.has(word));
      return chosen.size > 0 && known.length === chosen.size ? known : undefined;
    },
    words: ['all', ...words],
  };
}

export const onOff: SettingType<boolean> = {
  allowed: 'on or off',
  parse: (text) => (text === 'on' || text === 'true' ? true : text === 'off' || text === 'false' ? false : undefined),
  words: ['on', 'off'],
};

export function integer(min: number, max: number): SettingType<number> {
  return {
    allowed: `a whole number from ${min} to ${max}`,
    parse(text) {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      return value >= min && value <= max ? value : undefined;
    },
  };
}

export const folder: SettingType<string> = {
  allowed: 'the path of a folder',
  parse: (text) => (text === '' || text.includes('\0') ? undefined : text),
};

export const optionalFolder: SettingType<string> = {
  allowed: 'empty, or the path of a folder',
  parse: (text) => (text.includes('\0') ? undefined : text),
};

export const serverName: SettingType<string> = {
  allowed: 'a server name: a host name or IP address, with a port if it is not 8448, for example example.org',
  // A user ID, which holds the name, has at most 255 bytes.
  parse: (text) => (text.length <= 230 && isServerName(text) ? text : undefined),
};

export const hostAndPort: SettingType<Settings['listen']> = {
  allowed: 'host:port, for example 127.0.0.1:8008 or [::]:8008',
  parse(text) {
    const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
    if (match === null || Number(match[3]) > 65_535) return undefined;
    if (match[1] !== undefined && isIP(match[1]) !== 6) return undefined;
    return { host: (match[1] ?? match[2]) as string, port: Number(match[3]) };
  },
};

/** null: off. */
export const hostAndPortOrOff: SettingType<Settings['listen'] | null> = {
  allowed: `empty, or ${hostAndPort.allowed}`,
  parse: (text) => (text === '' ? null : hostAndPort.parse(text)),
};

export const fileOrNone: SettingType<string> = {
  allowed: 'empty, or the path of a file',
  parse: (text) => (text.includes('\0') ? undefined : text),
};

export const files: SettingType<readonly string[]> = {
  allowed: 'empty, or a list (with commas) of paths of files',
  parse: (text) => (text.includes('\0') ? undefined : partsOf(text)),
};

export const serverNameOrNone: SettingType<string> = {
  allowed: 'empty, or a server name, for example matrix.example.org:443',
  parse: (text) => (text === '' || isServerName(text) ? text : undefined),
};

export const serverNames: SettingType<readonly string[]> = {
  allowed: 'empty, or a list (with commas) of server names',
  parse: (text) => everyOf(partsOf(text), isServerName),
};

export const serverPatterns: SettingType<readonly string[]> = {
  allowed: 'empty, or a list (with commas) of server names without port, in which * stands for any characters and ? for one',
  parse: (text) => everyOf(partsOf(text), isServerPattern),
};

export const ipRanges: SettingType<readonly string[]> = {
  allowed: 'empty, or a list (with commas) of IP addresses and networks such as 10.0.0.0/8',
  parse: (text) => everyOf(partsOf(text), isNetwork),
};

export const overrides: SettingType<Settings['federation']['overrides']> = {
  allowed: 'empty, or a list (with commas) of server name=host:port, for example other.example=127.0.0.1:8448',
  parse(text) {
    const pairs = partsOf(text).map((part) => [part.slice(0, part.indexOf('=')), hostAndPort.parse(part.slice(part.indexOf('=') + 1))] as const);
    return pairs.every(([name, target]) => isServerName(name) && target !== undefined) ? new Map(pairs as (readonly [string, Settings['listen']])[]) : undefined;
  },
};

export const webUrl: SettingType<string> = {
  allowed: 'empty, or an http:// or https:// URL without query, for example https://matrix.example.org',
  parse(text) {
    if (text === '') return '';
    const url = parseUrl(text);
    if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.search !== '' || url.hash !== '') return undefined;
    return text.replace(/\/+$/, '');
  },
};

export const databaseKind: SettingType<Settings['database']> = {
  allowed: 'sqlite, or a URL such as postgres://user:password@host:5432/database',
  parse(text) {
    if (text === 'sqlite') return { kind: 'sqlite' };
    const url = parseUrl(text);
    const isPostgres = url !== undefined && ['postgres:', 'postgresql:'].includes(url.protocol) && /^\w+:\/\//.test(text);
    return isPostgres && url.pathname.length > 1 ? { kind: 'postgres', url: text } : undefined;
  },
  words: ['sqlite'],
};

export const logKind: SettingType<Settings['log']> = {
  allowed: 'embedded, nats://host:port or kafka://host:port (several with commas)',
  parse(text) {
    if (text === 'embedded') return { kind: 'embedded' };
    const match = /^(nats|kafka):\/\/(.+)$/.exec(text);
    if (match === null) return undefined;
    // `nats://a:4222,nats://b:4222` means the same as `nats://a:4222,b:4222`.
    const addresses = partsOf(match[2] as string).map((part) => part.replace(`${match[1]}://`, ''));
    if (!addresses.every((address) => (hostAndPort.parse(address)?.port ?? 0) > 0)) return undefined;
    const joined = addresses.join(',');
    return match[1] === 'nats' ? { kind: 'nats', servers: joined } : { kind: 'kafka', brokers: joined };
  },
  words: ['embedded'],
};

export const logPrefix: SettingType<string> = {
  allowed: '1 to 64 letters, digits and the signs _ -',
  parse: (text) => (/^[A-Za-z0-9_-]{1,64}$/.test(text) ? text : undefined),
};

export const registrationToken: SettingType<string> = {
  allowed: 'empty, or up to 64 letters, digits and the signs . _ ~ -',
  parse: (text) => (/^[A-Za-z0-9._~-]{0,64}$/.test(text) ? text : undefined),
};

export const sharedSecret: SettingType<string> = {
  allowed: 'empty, or 8 to 256 visible characters of ASCII',
  parse: (text) => (/^([\x21-\x7e]{8,256})?$/.test(text) ? text : undefined),
};

const PROXY_NAMES = ['loopback', 'linklocal', 'uniquelocal'];

export const proxies: SettingType<readonly string[]> = {
  allowed: `empty, or a list (with commas) of addresses, networks such as 10.0.0.0/8, ${PROXY_NAMES.join(', ')}`,
  parse(text) {
    const parts = partsOf(text);
    return parts.every((part) => PROXY_NAMES.includes(part) || isNetwork(part)) ? parts : undefined;
  },
};

function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
}

function everyOf(parts: readonly string[], isAllowed: (part: string) => boolean): readonly string[] | undefined {
  return parts.every(isAllowed) ? parts : undefined;
}

function partsOf(text: string): string[] {
  return text.split(',').map((part) => part.trim()).filter((part) => part !== '');
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
