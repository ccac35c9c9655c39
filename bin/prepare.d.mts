/** Type of `prepare.mjs`. */
export declare function isGoodNode(version?: string): boolean;
