/** Settings of the room in which this server speaks to its users. */
import { localpartProblem } from '../../../pkg/matrix/ids/user-id.ts';
import type { SettingType } from './setting-types.ts';

const TEXT_MAX = 200;

export const localpartOrNone: SettingType<string> = {
  allowed: 'empty, or the part of a user ID between @ and the colon: a-z, 0-9, and ._=-/+',
  parse: (text) => (text === '' || localpartProblem(text, 'localhost') === undefined ? text : undefined),
};

export const shownText: SettingType<string> = {
  allowed: `a text of 1 to ${TEXT_MAX} characters`,
  parse: (text) => (text.trim() === '' || text.length > TEXT_MAX || text.includes('\0') ? undefined : text),
};

export const mxcUriOrNone: SettingType<string> = {
  allowed: 'empty, or the mxc:// URI of an image',
  parse: (text) => (text === '' || /^mxc:\/\/[^/\s]+\/[A-Za-z0-9_-]+$/.test(text) ? text : undefined),
};
