// The page: it takes events and draws.

import { drawChart } from './chart.js';
import { startCounter, token } from './counter.js';
import { text } from './dom.js';
import { count, seconds } from './format.js';
import { drawRing } from './ring.js';
import { State, condition } from './state.js';
import { events } from './stream.js';
import { drawMembers, drawTop } from './tables.js';

const state = new State();
let minutes = 15;

function draw() {
  if (!state.event) return;
  drawTiles();
  drawChart(state, minutes);
  drawRing(state);
  drawTop(state);
  drawMembers(state);
}

function drawTiles() {
  const members = state.members();
  const up = members.filter((m) => condition(m).up).length;
  const nodes = [...state.nodes.values()].filter((n) => state.last(n.id));
  const lag = Math.max(0, ...nodes.map((n) => state.last(n.id).lag));
  const flushes = nodes.map((n) => state.last(n.id).flush).filter((f) => f > 0);
  const failing = nodes.filter((n) => !n.store).length;
  text('cluster', state.event.cluster);
  text('rate', count(state.sum('rate')));
  text('count', up === members.length ? String(up) : `${up} of ${members.length}`, up === members.length ? '' : 'bad');
  text('pending', count(state.sum('pending')));
  text('lag', seconds(lag), lag > 30 ? 'bad' : '');
  text('store', failing ? 'does not answer' : 'answers', failing ? 'bad' : 'good');
  if (flushes.length) text('flush', seconds(flushes.reduce((a, b) => a + b) / flushes.length));
  text('rows', count(state.sum('rows')));
  text('denied', count(state.sum('denied')));
}

function connection(ok, why) {
  if (!ok) text('connection', `${why}. Trying again …`, 'bad');
}

for (const button of document.querySelectorAll('[data-minutes]')) {
  button.addEventListener('click', () => {
    minutes = Number(button.dataset.minutes);
    for (const b of document.querySelectorAll('[data-minutes]')) b.setAttribute('aria-pressed', String(b === button));
    draw();
  });
}
addEventListener('resize', draw);
startCounter();
events('/dashboard/events', token, (event) => {
  state.take(event);
  if (state.event) text('connection', `Live from ${state.event.node}`);
  draw();
}, connection);
