// The page: it takes events and draws.

import { askFor, startAccess, token } from './access.js';
import { drawChart } from './chart.js';
import { startCounter } from './counter.js';
import { find, text } from './dom.js';
import { drawNews } from './news.js';
import { drawRing } from './ring.js';
import { State } from './state.js';
import { events } from './stream.js';
import { drawMembers, drawTop } from './tables.js';
import { drawTiles } from './tiles.js';

const state = new State();
let minutes = 15;
let lost = ''; // since when there is no news, as a time of day

function draw() {
  if (!state.event) return;
  find('main').classList.remove('waiting');
  drawTiles(state);
  drawChart(state, minutes);
  drawRing(state);
  drawTop(state);
  drawMembers(state);
  drawNews(state);
}

// connection is told why there is no stream. What is shown is then of the past, and must look so.
function connection(why, refused) {
  if (refused) askFor(why);
  if (state.event) lost ||= new Date().toLocaleTimeString('en-GB');
  find('main').classList.toggle('stale', lost !== '');
  text('connection', `${why}. ${lost ? `What is shown is of ${lost}. ` : ''}${refused ? '' : 'Trying again …'}`.trim(), 'bad');
}

function take(event) {
  state.take(event);
  if (!state.event) return;
  lost = '';
  find('main').classList.remove('stale');
  text('connection', `Live from ${state.event.node}`);
  draw();
}

for (const button of document.querySelectorAll('[data-minutes]')) {
  button.addEventListener('click', () => {
    minutes = Number(button.dataset.minutes);
    for (const b of document.querySelectorAll('[data-minutes]')) b.setAttribute('aria-pressed', String(b === button));
    draw();
  });
}
addEventListener('resize', draw);
const wake = startAccess();
startCounter();
events('/dashboard/events', token, wake, take, connection);
