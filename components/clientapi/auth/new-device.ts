/** What a log-in gives out: a device ID, an access token and, to clients that can use one, a refresh token. Only hashes of tokens go further. */
import { createHash } from 'node:crypto';
import { accessTokenHash } from '../../../pkg/http/requester.ts';
import type { ApiRequest } from '../../../pkg/http/route.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import { SESSIONS_DEFAULT, type SessionSettings } from '../../../schemas/config/settings.ts';
import type { NewDevice } from '../../../schemas/log/user-input.ts';
import type { Context } from '../context.ts';

const ACCESS_TOKEN_PREFIX = 'myl_';
const REFRESH_TOKEN = /^myr_([A-Za-z0-9]{22})_[A-Za-z0-9]{43}$/;
/** Letters and digits of 5.9 bits each: more than 250 bits. */
const TOKEN_LENGTH = 43;
/** What all refresh tokens of a session have in common: 130 bits. */
const FAMILY_LENGTH = 22;
const DEVICE_ID_LENGTH = 10;

/** What tokens say of themselves where they are handed out. */
export interface TokenFields {
  readonly access_token: string;
  readonly refresh_token?: string;
  readonly expires_in_ms?: number;
}

export interface DeviceLogin {
  readonly device: NewDevice;
  readonly fields: TokenFields & { readonly device_id: string };
}

/** As bodies of log-ins say it. `device_id` absent: the server picks one. */
export interface WantedSession {
  readonly device_id?: string | undefined;
  readonly initial_device_display_name?: string | undefined;
  readonly refresh_token?: boolean | undefined;
}

type Making = Pick<Context, 'runtime' | 'settings'>;

export function newDeviceLogin(context: Making, request: Pick<ApiRequest, 'remoteAddress'>, wanted: WantedSession): DeviceLogin {
  const { random, clock } = context.runtime;
  const deviceId = wanted.device_id ?? random.token(DEVICE_ID_LENGTH).toUpperCase();
  const made = wanted.refresh_token === true ? newTokens(context, random.token(FAMILY_LENGTH)) : undefined;
  const plain = made === undefined ? newAccessToken(random) : made.fields.access_token;
  const lifetimeMs = sessionSettings(context).plainTokenMs;
  const unrefreshed = lifetimeMs > 0 ? { expires_in_ms: lifetimeMs } : {};
  return {
    device: {
      deviceId, tokenHash: accessTokenHash(plain), displayName: wanted.initial_device_display_name ?? '', ip: request.remoteAddress,
      ...(made === undefined ? { expiresMs: lifetimeMs > 0 ? clock.now() + lifetimeMs : 0 } : { expiresMs: made.expiresMs, familyHash: made.familyHash, refreshHash: made.refreshHash, refreshExpiresMs: made.refreshExpiresMs }),
    },
    fields: { access_token: plain, device_id: deviceId, ...(made === undefined ? unrefreshed : made.fields) },
  };
}

export interface NewTokens {
  readonly fields: TokenFields;
  readonly tokenHash: Uint8Array;
  readonly familyHash: Uint8Array;
  readonly refreshHash: Uint8Array;
  /** Wall-clock ms; 0: never. */
  readonly expiresMs: number;
  readonly refreshExpiresMs: number;
}

/** An access token and a refresh token of the session that `family` is of. */
export function newTokens({ runtime: { random, clock }, settings }: Making, family: string): NewTokens {
  const accessToken = newAccessToken(random);
  const refreshToken = `myr_${family}_${random.token(TOKEN_LENGTH)}`;
  const { accessTokenMs: lifetimeMs, refreshTokenMs: refreshLifetimeMs } = sessionSettings({ settings });
  return {
    fields: { access_token: accessToken, refresh_token: refreshToken, expires_in_ms: lifetimeMs },
    tokenHash: accessTokenHash(accessToken), familyHash: hashOf(family), refreshHash: hashOf(refreshToken),
    expiresMs: clock.now() + lifetimeMs, refreshExpiresMs: refreshLifetimeMs > 0 ? clock.now() + refreshLifetimeMs : 0,
  };
}

export function sessionSettings({ settings }: Pick<Context, 'settings'>): SessionSettings {
  return settings.sessions ?? SESSIONS_DEFAULT;
}

/** What all refresh tokens of the session have in common; undefined for what is no refresh token of this server. */
export function familyOf(refreshToken: string): string | undefined {
  return REFRESH_TOKEN.exec(refreshToken)?.[1];
}

export function hashOf(secret: string): Uint8Array {
  return createHash('sha256').update(secret, 'utf8').digest();
}

function newAccessToken(random: Runtime['random']): string {
  return ACCESS_TOKEN_PREFIX + random.token(TOKEN_LENGTH);
}
