import type * as Http from 'node:http';
import { createRequire } from 'node:module';

/** Of Node's HTTP. An `import` reads all that the module exports, and so loads a WebSocket client and what that needs: 60 modules and some megabytes that no server here uses. */
export const { createServer } = createRequire(import.meta.url)('node:http') as typeof Http;
