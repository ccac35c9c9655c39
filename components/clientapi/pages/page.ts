/** Pages for people whose client cannot show what is asked. They load nothing, and run one script at most, which stands in them. */
import { createHash } from 'node:crypto';
import type { ApiResponse } from '../../../pkg/http/route.ts';

export interface Page {
  readonly title: string;
  /** HTML; texts of others in it are `escaped`. */
  readonly body: string;
  /** JavaScript, a constant text. */
  readonly script?: string;
  readonly status?: number;
}

const STYLE = `
:root { color-scheme: light dark; --ink: #17202a; --paper: #f4f5f7; --card: #fff; --edge: #c3c9d1; --accent: #0b6e4f; --on-accent: #fff; --alarm: #b3261e }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --paper: #15181c; --card: #1f2429; --edge: #4a525b; --accent: #58c79b; --on-accent: #10231b; --alarm: #ff8a80 } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
main { width: 100%; max-width: 26rem; padding: 2rem; background: var(--card); border: 1px solid var(--edge); border-radius: .75rem }
h1 { margin: 0 0 .75rem; font-size: 1.4rem; line-height: 1.25 }
p { margin: 0 0 1rem; overflow-wrap: anywhere }
ul { margin: 0 0 1rem; padding-left: 1.25rem }
main > :last-child { margin-bottom: 0 }
label { display: block; margin-bottom: .25rem; font-weight: 600 }
input:not([type=checkbox]) { width: 100%; margin-bottom: 1rem; padding: .6rem .75rem; font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--edge); border-radius: .4rem }
.tick { display: flex; gap: .6rem; align-items: flex-start; margin-bottom: .75rem; font-weight: 400 }
.tick input { width: 1.1rem; height: 1.1rem; margin: .2rem 0 0 }
.tick + button { margin-top: .25rem }
button { width: 100%; padding: .65rem 1rem; font: inherit; font-weight: 600; color: var(--on-accent); background: var(--accent); border: 0; border-radius: .4rem; cursor: pointer }
button:disabled { opacity: .6; cursor: default }
a { color: var(--accent) }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
.problem { color: var(--alarm); font-weight: 600 }
[hidden] { display: none }
`;

export function page({ title, body, script, status = 200 }: Page): ApiResponse {
  return {
    status,
    json: `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${body}
</main>
${script === undefined ? '' : `<script>${script}</script>\n`}</body>
</html>
`,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `default-src 'none'; style-src ${sourceOf(STYLE)}; ${script === undefined ? '' : `script-src ${sourceOf(script)}; connect-src 'self'; `}form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    },
  };
}

/** For HTML, also within quotes. */
export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;');
}

/** How the policy names what stands in the page itself. */
function sourceOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
