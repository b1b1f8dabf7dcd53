// The numbers at the top: the cluster in one line.

import { condition } from './condition.js';
import { text } from './dom.js';
import { count, seconds } from './format.js';

const lagLimit = 30; // seconds, from which a lag is shown as a fault

export function drawTiles(state) {
  const members = state.members();
  const down = members.filter((m) => !condition(m).up);
  const nodes = state.told();
  const flushes = nodes.map((n) => state.last(n.id).flush).filter((f) => f > 0);
  text('cluster', state.event.cluster);
  text('rate', count(state.sum('rate')));
  text('rate-more', `1 min mean ${count(state.mean(60))}`, 'more');
  drawCount(state, members.length, down);
  text('pending', count(state.sum('pending')));
  drawLag(state, nodes);
  drawStore(nodes);
  if (flushes.length) text('flush', seconds(flushes.reduce((a, b) => a + b) / flushes.length));
  text('rows', `${count(state.sum('rows'))} rows/s`, 'more');
  text('denied', count(state.sum('denied')), state.sum('denied') > 0 ? 'warn' : '');
}

function drawCount(state, all, down) {
  const kind = down.length ? 'bad' : '';
  text('count', down.length ? `${all - down.length} of ${all}` : String(all), kind);
  text('count-more', down.length ? `without ${naming(down)}` : 'all', `more ${kind}`);
  document.title = `${down.length ? `${all - down.length} of ${all} up – ` : ''}${state.event.cluster} – Pinocchio`;
}

// naming names one node; the table names several.
const naming = (nodes) => (nodes.length === 1 ? nodes[0].name : `${nodes.length} nodes`);

function drawLag(state, nodes) {
  const lag = Math.max(0, ...nodes.map((n) => state.last(n.id).lag));
  const interval = Math.max(0, ...nodes.map((n) => n.interval ?? 0));
  text('lag', lag === 0 && state.sum('pending') > 0 ? `< ${seconds(interval)}` : seconds(lag), lag > lagLimit ? 'bad' : '');
}

function drawStore(nodes) {
  const failing = nodes.filter((n) => !n.store);
  const kind = failing.length === 0 ? 'good' : 'bad';
  text('store', failing.length === 0 ? 'up' : failing.length === nodes.length ? 'down' : 'cut off', kind);
  text('store-more', failing.length === 0 ? 'answers all nodes' : `not for ${naming(failing)}`, `more ${kind === 'bad' ? kind : ''}`);
}
