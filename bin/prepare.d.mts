/** Types of `prepare.mjs`. */
export declare const REPOSITORY: string;
/** The file that is run. */
export declare const MAIN: string;
export declare function isGoodNode(version?: string): boolean;
/** Builds unless there is a build of the sources as they are; `node`: path of the Node to do it with. */
export declare function ensureBuild(node: string): void;
