// The box that looks a counter up and increments it, through the same API as everybody.

import { askFor, token } from './access.js';
import { find } from './dom.js';
import { reasons } from './stream.js';

export function startCounter() {
  find('counter').addEventListener('submit', (e) => {
    e.preventDefault();
    act(increment);
  });
  find('look').addEventListener('click', () => {
    if (find('key').reportValidity()) act(look);
  });
}

async function act(what) {
  const answer = find('answer');
  answer.className = '';
  try {
    answer.textContent = await what(find('key').value);
  } catch (error) {
    answer.className = 'bad';
    answer.textContent = error instanceof TypeError ? 'The node cannot be reached' : error.message;
  }
}

async function increment(key) {
  // The number is written as it stands: JavaScript's own are exact only up to 2^53.
  const body = `{"key":${JSON.stringify(key)},"value":${find('delta').value.trim()}}`;
  const response = await call('/api/v1/increment', {
    method: 'POST', body, headers: { 'Content-Type': 'application/json', Prefer: 'return=representation' },
  });
  const total = field(response, 'value');
  return total === null ? `${key} was counted; its total is not known yet.` : `${key} is now ${total}.`;
}

async function look(key) {
  const text = await call(`/api/v1/counters/${encodeURIComponent(key)}`, {});
  const persisted = field(text, 'persisted');
  return `${key} is ${field(text, 'value')}; the store has ${persisted ?? 'not been read'}.`;
}

// field reads an integer of the answer as text, exactly. The key, which may hold anything, is taken out first.
function field(text, name) {
  const rest = text.replace(/"key":"(?:[^"\\]|\\.)*"/, '');
  return rest.match(new RegExp(`"${name}":(-?[0-9]+)`))?.[1] ?? null;
}

async function call(path, options) {
  const headers = { ...options.headers };
  if (token()) headers.Authorization = `Bearer ${token()}`;
  const response = await fetch(path, { ...options, headers, cache: 'no-store' });
  const text = await response.text();
  if (response.status === 401) {
    askFor(token() ? 'The node does not accept this token' : 'The node asks for an access token');
    throw new Error('Not done: an access token is needed, see the top of the page');
  }
  if (!response.ok) throw new Error(reasons(text) || `The node answered ${response.status}`);
  return text;
}
