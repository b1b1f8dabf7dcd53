// The members and the busiest keys.

import { condition } from './condition.js';
import { element, find, swatch } from './dom.js';
import { bytes, count, duration, seconds } from './format.js';

const places = 10;

export function drawMembers(state) {
  find('members').tBodies[0].replaceChildren(...state.members().map((m) => row(state, m)));
}

function row(state, m) {
  const { up, kind } = condition(m);
  const doubts = up ? doubtsOf(state, m) : [];
  const p = up ? state.last(m.id) : null;
  const told = state.nodes.get(m.id);
  const cell = (value) => element('td', { class: 'number' }, value);
  const of = (field, format) => cell(p ? format(p[field]) : '–');
  const lag = (s) => (s === 0 && p.pending > 0 ? `< ${seconds(told.interval)}` : seconds(s)); // it is measured at each flush
  const here = m.name === state.event.node && up ? [element('span', { class: 'here' }, 'this node'), ' '] : [];
  return element(
    'tr', { class: up ? '' : 'gone', 'data-name': m.name },
    element('th', { scope: 'row' }, swatch(state.colour(m.name), up ? '' : 'hollow'), m.name, ' ', ...here, element('span', { class: 'address', title: m.http }, m.http)),
    element('td', { class: doubts.length ? 'warn' : kind }, [status(state, m), ...doubts].join(', ')),
    cell(m.lease > 0 ? `${m.lease.toFixed(1)} s` : 'ran out'),
    cell(m.owned === m.wanted ? String(m.owned) : `${m.owned} → ${m.wanted}`),
    of('rate', count), of('pending', count), of('lag', lag), cell(p?.flush ? seconds(p.flush) : '–'), of('memory', bytes), of('goroutines', count),
  );
}

// status says how a member is, and for how long when it is not up.
function status(state, m) {
  const { up, text } = condition(m);
  return up ? text : `${text} for ${duration(state.lost(m.id))}`;
}

// doubtsOf says what is not as it should be with a node that is up.
function doubtsOf(state, m) {
  const told = state.nodes.get(m.id);
  const more = [];
  if (told && !told.trusted) more.push('lease in doubt');
  if (told && !told.store) more.push('store does not answer');
  if (told?.settling) more.push(`${told.settling} settling`);
  return more;
}

export function drawTop(state) {
  const rates = new Map();
  for (const node of state.nodes.values()) {
    for (const { key, least } of node.top ?? []) rates.set(key, (rates.get(key) ?? 0) + least);
  }
  const top = [...rates].filter(([, r]) => r >= 0.5).sort((a, b) => b[1] - a[1]).slice(0, places);
  const rows = top.map(([key, rate]) => {
    const name = element('td', { title: key }, key);
    name.style.backgroundSize = `${((100 * rate) / top[0][1]).toFixed(1)}% 100%`;
    return element('tr', {}, name, element('td', { class: 'number' }, count(rate)));
  });
  const none = element('tr', {}, element('td', { colspan: '2', class: 'note' }, 'None yet. A key with few increments does not appear.'));
  find('top').tBodies[0].replaceChildren(...(rows.length ? rows : [none]));
}
