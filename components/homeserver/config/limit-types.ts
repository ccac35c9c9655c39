/** Settings about rate limits. */
import { isUserId } from '../../../pkg/matrix/ids/user-id.ts';
import { LIMIT_CLASSES, type LimitClass, type RateLimit, type UserLimits } from '../../../schemas/config/rate-limits.ts';
import type { SettingType } from './setting-types.ts';

/** `class=perSecond/burst`, with commas between. */
export const classLimits: SettingType<Partial<Record<LimitClass, RateLimit>>> = {
  allowed: `empty, or a list (with commas) of class=requests per second/requests at once, for example message=10/100; classes are ${LIMIT_CLASSES.join(', ')}`,
  parse(text) {
    const limits: Partial<Record<LimitClass, RateLimit>> = {};
    for (const part of partsOf(text)) {
      const [limitClass, limit] = [classOf(part.slice(0, part.indexOf('='))), limitOf(part.slice(part.indexOf('=') + 1))];
      if (limitClass === undefined || limit === undefined || limitClass in limits) return undefined;
      limits[limitClass] = limit;
    }
    return limits;
  },
};

/** `@user:server=exempt` or `@user:server=class:perSecond/burst`, with commas between; a user may stand there for several classes. */
export const userLimits: SettingType<UserLimits> = {
  allowed: 'empty, or a list (with commas) of user ID=exempt and user ID=class:requests per second/requests at once, for example @bot:example.org=message:50/500',
  parse(text) {
    const limits = new Map<string, 'exempt' | Partial<Record<LimitClass, RateLimit>>>();
    for (const part of partsOf(text)) {
      const [userId, wish] = [part.slice(0, part.lastIndexOf('=')), part.slice(part.lastIndexOf('=') + 1)];
      const known = limits.get(userId);
      const next = wish === 'exempt' ? wish : wishOf(wish);
      if (!isUserId(userId) || next === undefined || (known !== undefined && (known === 'exempt' || next === 'exempt'))) return undefined;
      limits.set(userId, next === 'exempt' ? next : { ...known, ...next });
    }
    return limits;
  },
};

function wishOf(text: string): Partial<Record<LimitClass, RateLimit>> | undefined {
  const [limitClass, limit] = [classOf(text.slice(0, text.indexOf(':'))), limitOf(text.slice(text.indexOf(':') + 1))];
  return limitClass === undefined || limit === undefined ? undefined : { [limitClass]: limit };
}

function classOf(text: string): LimitClass | undefined {
  return LIMIT_CLASSES.find((one) => one === text);
}

/** Requests per second, which may be a fraction, and requests at once, at least one. */
function limitOf(text: string): RateLimit | undefined {
  const match = /^(\d{1,6}(?:\.\d{1,6})?)\/(\d{1,7})$/.exec(text);
  if (match === null) return undefined;
  const limit = { perSecond: Number(match[1]), burst: Number(match[2]) };
  return limit.perSecond > 0 && limit.burst > 0 ? limit : undefined;
}

function partsOf(text: string): string[] {
  return text.split(',').map((part) => part.trim()).filter((part) => part !== '');
}
