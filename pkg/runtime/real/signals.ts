/** What the operating system tells the process. */

/**
 * Calls `stop` on the first SIGTERM or SIGINT; on a second one the process ends at once with code 1. Returns a function that
 * takes the handlers off again.
 */
export function onStopSignal(stop: (signal: 'SIGTERM' | 'SIGINT') => void): () => void {
  let asked = false;
  const handle = (signal: NodeJS.Signals) => {
    if (asked) process.exit(1);
    asked = true;
    stop(signal === 'SIGINT' ? 'SIGINT' : 'SIGTERM');
  };
  process.on('SIGTERM', handle);
  process.on('SIGINT', handle);
  return () => {
    process.off('SIGTERM', handle);
    process.off('SIGINT', handle);
  };
}

/** Calls `reload` on every SIGHUP: files that settings name may have changed. Returns a function that takes the handler off again. */
export function onReloadSignal(reload: () => void): () => void {
  process.on('SIGHUP', reload);
  return () => void process.off('SIGHUP', reload);
}

/** Calls `report` with what nobody caught; the caller logs it and stops the process, whose state cannot be trusted any more. */
export function onUncaught(report: (error: unknown) => void): () => void {
  process.on('uncaughtException', report);
  process.on('unhandledRejection', report);
  return () => {
    process.off('uncaughtException', report);
    process.off('unhandledRejection', report);
  };
}
