/** Type of `launch.mjs`. */
export declare function endWithParent(): void;
