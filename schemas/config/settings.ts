import type { LimitClass, RateLimit, UserLimits } from './rate-limits.ts';

/** The settings as the program sees them, checked and with defaults; `components/homeserver/config` reads them. Times in ms, sizes in bytes. */
export interface Settings {
  readonly serverName: string;
  readonly dataDir: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** URL that clients reach this server by (well-known); empty: made from `listen`. */
  readonly publicBaseUrl: string;
  readonly roles: readonly Role[];
  readonly database: { readonly kind: 'sqlite' } | { readonly kind: 'postgres'; readonly url: string };
  readonly log:
    | { readonly kind: 'embedded' }
    | { readonly kind: 'nats'; readonly servers: string }
    | { readonly kind: 'kafka'; readonly brokers: string };
  /** Names streams and topics at the broker: servers that share a broker need different ones. */
  readonly logPrefix: string;
  readonly partitions: number;
  readonly registration: 'open' | 'token' | 'closed';
  readonly registrationToken: string;
  /** Whether who has no account may get a guest's. */
  readonly guests: boolean;
  /** File with the terms that users have to accept; empty: none. */
  readonly termsFile: string;
  /** Who knows it makes accounts whatever `registration` says; empty: off. */
  readonly registrationSharedSecret: string;
  /** Folder of the registration files of application services; empty: none. */
  readonly appserviceDir: string;
  readonly rateLimits: boolean;
  /** Where the limits of classes differ from `pkg/http/limit-classes.ts`. */
  readonly classLimits: Partial<Readonly<Record<LimitClass, RateLimit>>>;
  readonly userLimits: UserLimits;
  /** Access tokens in the query count. */
  readonly queryTokens: boolean;
  readonly discovery: DiscoverySettings;
  /** Identity servers with which users may invite people by e-mail address and the like; empty: none. */
  readonly inviteIdentityServers: readonly string[];
  /** Addresses, networks or names (`loopback`) of proxies whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  readonly sessions: SessionSettings;
  readonly defaultRoomVersion: string;
  /** Who leaves a room forgets it at once. */
  readonly forgetOnLeave: boolean;
  readonly deviceKeysGuard: DeviceKeysGuard;
  /** Rooms that are encrypted from the beginning; what their creator's client says of encryption counts first. */
  readonly encryptedRooms: 'off' | 'private' | 'all';
  /** Users are told of each other's presence in rooms of at most so many members; undefined: they are not. */
  readonly presence: { readonly roomMembersMax: number } | undefined;
  /** How this server speaks to its users; undefined: not at all. */
  readonly serverNotices: ServerNoticesSettings | undefined;
  /** Bytes of room heads in memory. */
  readonly roomHeadsBytes: number;
  /** Forward extremities of a room that are left alone. */
  readonly forwardExtremitiesMax: number;
  /** Messages that may wait for a device that nobody uses any more. */
  readonly toDeviceWaitingMax: number;
  /** HTTPS beside plain HTTP, with PEM files; undefined: off. */
  readonly tls: { readonly host: string; readonly port: number; readonly certificateFile: string; readonly keyFile: string } | undefined;
  readonly federation: FederationSettings;
  readonly logging: { readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly format: 'pretty' | 'json' };
}

/** From whom the devices of users are kept that they share no room with. */
export type DeviceKeysGuard = 'off' | 'other_servers' | 'everyone';

/** How long sessions last; 0: for ever. */
export interface SessionSettings {
  /** Access tokens of clients that refresh them. */
  readonly accessTokenMs: number;
  readonly refreshTokenMs: number;
  /** Access tokens of clients that do not refresh them. */
  readonly plainTokenMs: number;
  /** Users may have tokens made that log in another client. */
  readonly loginTokens: boolean;
}

export const SESSIONS_DEFAULT: SessionSettings = { accessTokenMs: 3_600_000, refreshTokenMs: 0, plainTokenMs: 0, loginTokens: true };

/** What /.well-known/matrix/client and /.well-known/matrix/support say beside `publicBaseUrl`. */
export interface DiscoverySettings {
  /** URL of an identity server; empty: none. */
  readonly identityServer: string;
  /** Further members of the client's document. */
  readonly clientFields: Readonly<Record<string, unknown>>;
  readonly supportContacts: readonly SupportContact[];
  /** URL; empty: none. */
  readonly supportPage: string;
}

/** As clients get it. */
export interface SupportContact {
  readonly role: string;
  readonly matrix_id?: string;
  readonly email_address?: string;
}

/** What users have to accept, by policy ID. */
export type Terms = Readonly<Record<string, Policy>>;

export interface Policy {
  readonly version: string;
  /** By language code. */
  readonly languages: Readonly<Record<string, { readonly name: string; readonly url: string }>>;
}

export interface ServerNoticesSettings {
  /** Of the user by whom it does. */
  readonly localpart: string;
  readonly displayName: string;
  readonly roomName: string;
  /** Of the user and of the rooms; empty: none. */
  readonly avatarUrl: string;
}

export interface FederationSettings {
  /** What /.well-known/matrix/server says; empty: nothing. */
  readonly wellKnownServer: string;
  readonly trustedKeyServers: readonly string[];
  /** They are asked before the servers themselves. */
  readonly trustedKeyServersFirst?: boolean;
  /** Patterns of server names. */
  readonly deniedServers: readonly string[];
  /** Patterns of the only servers to talk to; empty: all. */
  readonly allowedServers: readonly string[];
  /** Of one user, by other servers. */
  readonly pendingInvitesMax: number;
  /** Files of authorities that are trusted beside the system's. */
  readonly caFiles: readonly string[];
  readonly ipDenied: readonly string[];
  /** Exceptions from `ipDenied`. */
  readonly ipAllowed: readonly string[];
  /** Where servers are, whatever their names say. */
  readonly overrides: ReadonlyMap<string, { readonly host: string; readonly port: number }>;
  /** The first and the longest pause of a server that cannot be reached. */
  readonly retry: { readonly firstMs: number; readonly maxMs: number };
  /** When events are no longer kept for a server that fails; not for operators. */
  readonly catchUp?: { readonly failingEventsMax: number; readonly eventsMax: number; readonly goneMs: number };
}

export type Role = 'roomserver' | 'userapi' | 'clientapi' | 'syncapi' | 'federationapi';
export const ROLES: readonly Role[] = ['roomserver', 'userapi', 'clientapi', 'syncapi', 'federationapi'];
