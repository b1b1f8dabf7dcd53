// The access token: asked for when the node wants one, and kept in this tab alone.

import { find } from './dom.js';

const name = 'token';

export const token = () => sessionStorage.getItem(name) ?? '';

// startAccess returns wake, which calls back when the person gives a token or takes it back.
export function startAccess() {
  const listeners = [];
  const keep = (value) => {
    if (value) sessionStorage.setItem(name, value);
    else sessionStorage.removeItem(name);
    find('token').value = '';
    show(!value);
    for (const tell of listeners) tell();
  };
  find('access-open').addEventListener('click', () => {
    show(find('access').hidden);
    if (!find('access').hidden) find('token').focus();
  });
  find('access-form').addEventListener('submit', (e) => {
    e.preventDefault();
    keep(find('token').value.trim());
    find('access-open').focus();
  });
  find('access-forget').addEventListener('click', () => keep(''));
  return (tell) => listeners.push(tell);
}

// askFor opens the box and says why. Who is typing elsewhere is not disturbed.
export function askFor(why) {
  show(true);
  if (find('access-why').textContent !== why) find('access-why').textContent = why;
  if ([document.body, find('access-open')].includes(document.activeElement)) find('token').focus();
}

function show(open) {
  find('access').hidden = !open;
  find('access-open').setAttribute('aria-expanded', String(open));
  find('access-forget').hidden = !token();
  find('access-why').textContent = token() ? 'This tab has a token.' : '';
}
