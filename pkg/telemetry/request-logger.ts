import type { Logger } from './logger.ts';

/** A child of `parent` that is made when something is logged: most requests log nothing, and a child costs more than the rest of their routing. */
export function lazyChild(parent: Logger, fields: object): Logger {
  let made: Logger | undefined;
  const child = () => (made ??= parent.child(fields));
  return {
    debug: (more, message) => child().debug(more, message),
    info: (more, message) => child().info(more, message),
    warn: (more, message) => child().warn(more, message),
    error: (more, message) => child().error(more, message),
    child: (more) => child().child(more),
  };
}
