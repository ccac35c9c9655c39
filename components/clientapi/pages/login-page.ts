/** The page for clients that cannot log in by themselves (Client-Server API, "Login Fallback"). */
import type { ApiResponse } from '../../../pkg/http/route.ts';
import { escaped, page } from './page.ts';

const SCRIPT = `
(function () {
  var form = document.getElementById('login');
  var problem = document.getElementById('problem');
  var button = document.getElementById('send');

  // What a client may say beside who logs in.
  function wishes() {
    var query = new URLSearchParams(window.location.search);
    var body = {};
    ['device_id', 'initial_device_display_name'].forEach(function (name) {
      if (query.get(name)) body[name] = query.get(name);
    });
    if (query.get('refresh_token') === 'true') body.refresh_token = true;
    return body;
  }

  function complain(text) {
    problem.textContent = text;
    problem.hidden = false;
    button.disabled = false;
  }

  function finish(response) {
    form.hidden = true;
    problem.hidden = true;
    document.getElementById('who').textContent = response.user_id;
    document.getElementById('done').hidden = false;
    if (window.matrixLogin && window.matrixLogin.onLogin) window.matrixLogin.onLogin(response);
  }

  form.addEventListener('submit', function (event) {
    event.preventDefault();
    button.disabled = true;
    problem.hidden = true;
    var body = wishes();
    body.type = 'm.login.password';
    body.identifier = { type: 'm.id.user', user: document.getElementById('user').value };
    body.password = document.getElementById('password').value;
    fetch('/_matrix/client/v3/login', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })
      .then(function (answer) {
        return answer.json().then(function (response) {
          if (answer.ok) finish(response);
          else complain(response.error || 'The server refused the log-in.');
        });
      })
      .catch(function () { complain('The server could not be reached. Try again.'); });
  });
})();
`;

export function loginPage(serverName: string): ApiResponse {
  return page({
    title: `Log in to ${serverName}`,
    body: `<h1>Log in to ${escaped(serverName)}</h1>
<noscript><p class="problem">This page needs JavaScript.</p></noscript>
<form id="login">
<label for="user">User name</label>
<input type="text" id="user" name="user" autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus>
<label for="password">Password</label>
<input type="password" id="password" name="password" autocomplete="current-password" required>
<p id="problem" class="problem" role="alert" hidden></p>
<button type="submit" id="send">Log in</button>
</form>
<p id="done" role="status" hidden>You are logged in as <strong id="who"></strong>.</p>`,
    script: SCRIPT,
  });
}
