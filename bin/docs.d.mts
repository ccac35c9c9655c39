/** Type of `docs.mjs`. */
export declare const PAGES: Record<string, () => Promise<string>>;
export declare function outdatedPages(): Promise<string[]>;
