// The members and the busiest keys.

import { element, find, swatch } from './dom.js';
import { bytes, count, seconds } from './format.js';
import { condition } from './state.js';

const places = 10;

export function drawMembers(state) {
  find('members').tBodies[0].replaceChildren(...state.members().map((m) => row(state, m)));
}

function row(state, m) {
  const { up, text, kind } = condition(m);
  const p = up ? state.last(m.id) : null;
  const told = state.nodes.get(m.id);
  const cell = (value) => element('td', { class: 'number' }, value);
  const of = (field, format) => cell(p ? format(p[field]) : '–');
  const here = m.name === state.event.node && up ? ' (this one)' : '';
  const doubt = up && told && !told.trusted ? ', lease in doubt' : '';
  const settling = told?.settling ? `, ${told.settling} settling` : '';
  return element(
    'tr', { class: up ? '' : 'gone', 'data-name': m.name },
    element('th', { scope: 'row' }, swatch(up ? state.colour(m.name) : 'var(--bad)'), m.name + here),
    element('td', { class: kind }, text + doubt + settling),
    cell(m.lease > 0 ? seconds(m.lease) : 'ran out'),
    cell(m.owned === m.wanted ? String(m.owned) : `${m.owned} → ${m.wanted}`),
    of('rate', count), of('pending', count), of('lag', seconds), cell(p?.flush ? seconds(p.flush) : '–'), of('memory', bytes), of('goroutines', count),
  );
}

export function drawTop(state) {
  const rates = new Map();
  for (const node of state.nodes.values()) {
    for (const { key, least } of node.top ?? []) rates.set(key, (rates.get(key) ?? 0) + least);
  }
  const top = [...rates].filter(([, r]) => r >= 0.5).sort((a, b) => b[1] - a[1]).slice(0, places);
  const rows = top.map(([key, rate]) => element(
    'tr', {}, element('td', { title: key }, key), element('td', { class: 'number' }, count(rate)),
  ));
  const none = element('tr', {}, element('td', { colspan: '2', class: 'note' }, 'None yet'));
  find('top').tBodies[0].replaceChildren(...(rows.length ? rows : [none]));
}
