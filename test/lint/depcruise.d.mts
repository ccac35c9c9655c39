/** Type of `depcruise.mjs`, which is plain JavaScript so that the command-line tool can load it. */
declare const rules: { forbidden: { name: string }[]; options: Record<string, unknown> };
export default rules;
