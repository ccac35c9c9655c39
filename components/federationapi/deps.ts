import type { FederationTransport } from '../../pkg/federation/transport.ts';
import type { SigningKey } from '../../pkg/matrix/signing/signing-key.ts';
import type { Runtime } from '../../pkg/runtime/runtime.ts';
import type { Database } from '../../pkg/storage/database.ts';
import type { UserQuery } from '../../schemas/ports/user-query.ts';

export interface FederationapiDeps {
  readonly runtime: Runtime;
  /** Migrated with `federationapiMigrations`. */
  readonly database: Database;
  readonly serverName: string;
  readonly signingKey: SigningKey;
  /** Of this program, for those who ask. */
  readonly version: string;
  /** To other servers; requests for keys need no signature. */
  readonly transport: FederationTransport;
  readonly userQuery: UserQuery;
  readonly settings: {
    readonly trustedKeyServers: readonly string[];
    /** Patterns of server names whose requests are refused. */
    readonly deniedServers: readonly string[];
    /** What /.well-known/matrix/server says; empty: nothing. */
    readonly wellKnownServer: string;
  };
}
