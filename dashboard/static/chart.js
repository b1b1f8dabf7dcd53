// Increments per second over time: the cluster, and each node in its colour.

import { element, find, svg, swatch } from './dom.js';
import { count } from './format.js';

const height = 240;
const left = 56;
const bottom = 24;
const top = 10;

export function drawChart(state, minutes) {
  const lines = perNode(state);
  const sum = total(lines);
  const end = Math.max(0, ...sum.keys());
  const start = end - minutes * 60;
  const highest = nice(Math.max(10, ...[...sum].filter(([t]) => t >= start).map(([, v]) => v)));
  const chart = find('chart');
  const width = Math.max(chart.clientWidth, 200); // drawn to measure, so that its text is as large as elsewhere
  chart.setAttribute('viewBox', `0 0 ${width} ${height}`);
  const x = (t) => left + ((t - start) / (minutes * 60)) * (width - left - 8);
  const y = (v) => height - bottom - (v / highest) * (height - bottom - top);

  chart.replaceChildren(...grid(highest, minutes, width, x, y, start));
  for (const [name, line] of lines) {
    const path = svg('path', { d: trace(line, start, x, y) });
    path.style.stroke = state.colour(name);
    chart.append(path);
  }
  if (lines.size > 1) chart.append(svg('path', { class: 'sum', d: trace(sum, start, x, y) }));
  drawLegend(state, lines, sum, end);
}

// perNode joins the processes of one name: a restarted node is one line.
function perNode(state) {
  const lines = new Map();
  for (const member of state.event.members) {
    const line = lines.get(member.name) ?? new Map();
    for (const p of state.points.get(member.id) ?? []) line.set(p.t, p.rate);
    if (line.size) lines.set(member.name, line);
  }
  return lines;
}

function total(lines) {
  const sum = new Map();
  for (const line of lines.values()) for (const [t, v] of line) sum.set(t, (sum.get(t) ?? 0) + v);
  // The newest second may lack a node that has yet to tell of it: a dip that never was.
  const newest = Math.max(0, ...sum.keys());
  const complete = [...lines.values()].every((line) => line.has(newest) || !line.has(newest - 1));
  if (!complete) sum.delete(newest);
  return new Map([...sum].sort((a, b) => a[0] - b[0]));
}

function trace(line, start, x, y) {
  let path = '';
  let before = -Infinity;
  for (const [t, v] of [...line].sort((a, b) => a[0] - b[0])) {
    if (t < start) continue;
    path += `${t - before > 5 ? 'M' : 'L'}${x(t).toFixed(1)} ${y(v).toFixed(1)}`; // a longer gap is one
    before = t;
  }
  return path;
}

function grid(highest, minutes, width, x, y, start) {
  const parts = [];
  for (let i = 0; i <= 4; i++) {
    const v = (highest * i) / 4;
    parts.push(svg('line', { class: 'grid', x1: left, x2: width - 8, y1: y(v), y2: y(v) }));
    parts.push(svg('text', { x: left - 8, y: y(v) + 4, 'text-anchor': 'end' }, count(v)));
  }
  const steps = width > 480 ? 5 : 3;
  for (let i = 0; i <= steps; i++) {
    const ago = Math.round((minutes * 60 * (steps - i)) / steps);
    const label = ago === 0 ? 'now' : minutes === 1 ? `−${ago} s` : `−${+(ago / 60).toFixed(1)} min`;
    const anchor = i === steps ? 'end' : i === 0 ? 'start' : 'middle';
    parts.push(svg('text', { x: x(start + minutes * 60 - ago), y: height - 6, 'text-anchor': anchor }, label));
  }
  return parts;
}

// nice returns a round number that is not less than v.
function nice(v) {
  const unit = 10 ** Math.floor(Math.log10(v));
  return [1, 2, 4, 5, 8, 10].map((f) => f * unit).find((f) => f >= v);
}

function drawLegend(state, lines, sum, end) {
  const now = (line) => {
    const rate = line.get(end) ?? line.get(end - 1);
    return rate === undefined ? '–' : count(rate);
  };
  const items = [...lines].map(([name, line]) => [swatch(state.colour(name)), `${name} ${now(line)}`]);
  items.unshift([swatch('', 'sum'), `cluster ${now(sum)}`]);
  find('legend').replaceChildren(...items.map((i) => element('li', {}, ...i)));
  find('chart-text').textContent = items.map((i) => i[1]).join(', ');
}
