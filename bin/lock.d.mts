/** Type of `lock.mjs`. */
export declare function withLock<T>(path: string, body: () => T): T;
