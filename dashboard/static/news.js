// What changed, as a list, and for a screen reader.

import { element, find } from './dom.js';

const shown = 8;
const quiet = 4000; // ms between two announcements to a screen reader

let drawn = '';
let announced = -Infinity;

export function drawNews(state) {
  const rows = state.changes.all.slice(0, shown).map((c) => [new Date(c.at * 1000).toLocaleTimeString('en-GB'), c.text, c.kind]);
  const now = JSON.stringify(rows);
  if (now === drawn && rows.length) return;
  const items = rows.map(([at, text, kind]) => element('li', {}, element('time', {}, at), element('span', { class: kind }, text)));
  if (!items.length) items.push(element('li', { class: 'note' }, 'Nothing since this page was opened.'));
  find('changes').replaceChildren(...items);
  drawn = now;
  announce(rows);
}

// announce tells a screen reader, but not every second.
function announce(rows) {
  const now = performance.now();
  if (!rows.length || now - announced < quiet) return;
  announced = now;
  find('news').textContent = rows[0][1];
}
