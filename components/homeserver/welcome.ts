/** What a person sees after the start: where the server is, and what to do next. */
import type { OpenedSettings } from './config/first-start.ts';

export function welcome({ settings, configPath, created }: OpenedSettings, at: { host: string; port: number }): string {
  const host = at.host.includes(':') ? `[${at.host}]` : at.host;
  const url = `http://${['0.0.0.0', '::'].includes(at.host) ? 'localhost' : host}:${at.port}`;
  const lines = [
    '',
    `  Myelin serves ${settings.serverName} at ${url}`,
    ...(created.config ? [`  First start: made ${configPath} and a signing key beside it. Keep both safe.`] : [`  Settings: ${configPath}`]),
    '',
    ...(settings.roles.includes('clientapi') ? nextSteps(settings, url) : [`  This process runs: ${settings.roles.join(', ')}.`]),
    '  Health: /health   readiness: /ready   numbers: /metrics   stop: Ctrl-C',
    '',
  ];
  return `${lines.join('\n')}\n`;
}

function nextSteps(settings: OpenedSettings['settings'], url: string): string[] {
  const client = `Open a Matrix client (Element, Cinny, …), choose "other server" and enter ${url}`;
  switch (settings.registration) {
    case 'token':
      if (settings.registrationToken === '') return [`  ${client} and register, with a token that \`myelin user tokens add\` gives out.`, ''];
      return ['  To make your account:', `    1. ${client}`, `    2. register, with the registration token ${settings.registrationToken}`, '  Who knows that token can make an account; change `registration` in the settings when all are in.', ''];
    case 'open':
      return ['  To make your account:', `    1. ${client}`, '    2. register', '  Registration is OPEN: everybody who reaches this server can make an account.', ''];
    case 'closed':
      return [`  ${client} and log in.`, '  Nobody can make a new account: `registration` is closed.', ''];
  }
}
