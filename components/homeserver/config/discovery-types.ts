/** Settings whose value is JSON: what the server says of itself beyond what it knows. */
import { isUserId } from '../../../pkg/matrix/ids/user-id.ts';
import type { SupportContact } from '../../../schemas/config/settings.ts';
import type { SettingType } from './setting-types.ts';

/** Further members of an object. Those that other settings make are not for here. */
export const extraFields: SettingType<Readonly<Record<string, unknown>>> = {
  allowed: 'empty, or a JSON object without m.homeserver and m.identity_server, which have settings of their own; for example {"org.example.notice": {"text": "Hello"}}',
  parse(text) {
    if (text === '') return {};
    const value = jsonOf(text);
    if (!isObject(value) || 'm.homeserver' in value || 'm.identity_server' in value) return undefined;
    return value;
  },
};

const CONTACT_KEYS = ['matrix_id', 'email_address', 'role'];

export const supportContacts: SettingType<readonly SupportContact[]> = {
  allowed: 'empty, or a JSON list of objects with role (m.role.admin, m.role.security or one with a prefix such as org.example.role) and at least one of matrix_id and email_address, '
    + 'for example [{"role": "m.role.admin", "email_address": "admin@example.org"}]',
  parse(text) {
    if (text === '') return [];
    const value = jsonOf(text);
    return Array.isArray(value) && value.length > 0 && value.every(isContact) ? value : undefined;
  },
};

function isContact(value: unknown): value is SupportContact {
  if (!isObject(value) || Object.keys(value).some((key) => !CONTACT_KEYS.includes(key))) return false;
  const { matrix_id: matrixId, email_address: emailAddress, role } = value;
  if (typeof role !== 'string' || !(['m.role.admin', 'm.role.security'].includes(role) || /^(?!m\.)[a-z0-9_-]+(\.[a-z0-9_-]+)+$/.test(role))) return false;
  if (matrixId !== undefined && !(typeof matrixId === 'string' && isUserId(matrixId))) return false;
  if (emailAddress !== undefined && !(typeof emailAddress === 'string' && /^[^@\s]+@[^@\s]+$/.test(emailAddress))) return false;
  return matrixId !== undefined || emailAddress !== undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
