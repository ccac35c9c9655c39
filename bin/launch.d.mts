/** Type of `launch.mjs`. */
export declare function endWithParent(): void;
export declare function joinTwinInterrupts(): void;
