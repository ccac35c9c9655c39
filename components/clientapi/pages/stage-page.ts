/** The pages of stages of user-interactive authentication (Client-Server API, "Fallback"). */
import type { ApiResponse } from '../../../pkg/http/route.ts';
import type { StageField, StageForm } from '../auth/stage.ts';
import { escaped, page } from './page.ts';

/** Tells the client that has opened the page. */
const DONE_SCRIPT = `
if (window.onAuthDone) {
  window.onAuthDone();
} else if (window.opener && window.opener.postMessage) {
  window.opener.postMessage('authDone', '*');
}
`;

/** Asks for what the stage needs; it is sent to the page's own address. */
export function stagePage(form: StageForm, session: string, problem?: string): ApiResponse {
  const complaint = problem === undefined ? '' : `<p class="problem" role="alert">${escaped(problem)}</p>\n`;
  return page({
    title: form.title,
    body: `<h1>${escaped(form.title)}</h1>
<p>${escaped(form.text)}</p>
${complaint}<form method="post">
<input type="hidden" name="session" value="${escaped(session)}">
${form.fields.map(fieldHtml).join('\n')}
<button type="submit">${escaped(form.button)}</button>
</form>`,
  });
}

function fieldHtml({ name, label, kind, link }: StageField, index: number): string {
  const id = `field${index}`;
  if (kind === 'checkbox') {
    const text = link === undefined ? escaped(label) : `<a href="${escaped(link)}" target="_blank" rel="noopener noreferrer">${escaped(label)}</a>`;
    return `<label class="tick" for="${id}"><input type="checkbox" id="${id}" name="${escaped(name)}" value="yes" required><span>${text}</span></label>`;
  }
  const autocomplete = kind === 'password' ? 'current-password' : 'off';
  return `<label for="${id}">${escaped(label)}</label>\n<input type="${kind}" id="${id}" name="${escaped(name)}" autocomplete="${autocomplete}" required>`;
}

export function donePage(): ApiResponse {
  return page({ title: 'Done', body: '<h1>Done</h1>\n<p>You can close this page and go on in your client.</p>', script: DONE_SCRIPT });
}

export function problemPage(status: number, text: string): ApiResponse {
  return page({ title: 'This does not work', body: `<h1>This does not work</h1>\n<p class="problem" role="alert">${escaped(text)}</p>`, status });
}
