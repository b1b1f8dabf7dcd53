// Increments per second over time: the cluster, and each node in its colour.

import { condition } from './condition.js';
import { element, find, svg, swatch } from './dom.js';
import { count, scale } from './format.js';

const height = 260;
const left = 56;
const right = 8;
const bottom = 24;
const top = 34; // room for the names of what happened
const line = 13; // between two of these names

export function drawChart(state, minutes) {
  const lines = perNode(state);
  const sum = total(lines);
  const end = Math.max(0, ...sum.keys());
  const start = end - minutes * 60;
  const steps = scale(Math.max(10, ...[...sum].filter(([t]) => t >= start).map(([, v]) => v)));
  const highest = steps.at(-1).value;
  const chart = find('chart');
  const width = Math.max(chart.clientWidth, 200); // drawn to measure, so that its text is as large as elsewhere
  chart.setAttribute('viewBox', `0 0 ${width} ${height}`);
  const x = (t) => left + ((t - start) / (minutes * 60)) * (width - left - right);
  const y = (v) => height - bottom - (v / highest) * (height - bottom - top);

  chart.replaceChildren(...grid(steps, width, y), ...times(minutes, width, (ago) => x(end - ago)), ...happened(state, start, width, x));
  for (const [name, points] of lines) {
    const path = svg('path', { d: trace(points, start, end, x, y) });
    path.style.stroke = state.colour(name);
    chart.append(path);
  }
  if (lines.size > 1) chart.append(svg('path', { class: 'sum', d: trace(sum, start, end, x, y) }));
  drawLegend(state, lines, sum, end);
}

// perNode joins the processes of one name: a restarted node is one line.
function perNode(state) {
  const lines = new Map();
  for (const member of state.event.members) {
    const points = lines.get(member.name) ?? new Map();
    for (const p of state.points.get(member.id) ?? []) points.set(p.t, p.rate);
    if (points.size) lines.set(member.name, points);
  }
  return lines;
}

function total(lines) {
  const sum = new Map();
  for (const points of lines.values()) for (const [t, v] of points) sum.set(t, (sum.get(t) ?? 0) + v);
  // The newest second may lack a node that has yet to tell of it: a dip that never was.
  const newest = Math.max(0, ...sum.keys());
  const complete = [...lines.values()].every((points) => points.has(newest) || !points.has(newest - 1));
  if (!complete) sum.delete(newest);
  return new Map([...sum].sort((a, b) => a[0] - b[0]));
}

function trace(points, start, end, x, y) {
  let path = '';
  let before = -Infinity;
  for (const [t, v] of [...points].sort((a, b) => a[0] - b[0])) {
    if (t < start || t > end) continue;
    path += `${t - before > 5 ? 'M' : 'L'}${x(t).toFixed(1)} ${y(v).toFixed(1)}`; // a longer gap is one
    before = t;
  }
  return path;
}

function grid(steps, width, y) {
  return steps.flatMap(({ value, label }) => [
    svg('line', { class: 'grid', x1: left, x2: width - right, y1: y(value), y2: y(value) }),
    svg('text', { x: left - 8, y: y(value) + 4, 'text-anchor': 'end' }, label),
  ]);
}

function times(minutes, width, x) {
  const steps = width < 480 ? 3 : minutes === 1 ? 6 : 5;
  const parts = [];
  for (let i = 0; i <= steps; i++) {
    const ago = Math.round((minutes * 60 * (steps - i)) / steps);
    const label = ago === 0 ? 'now' : ago < 60 || ago % 60 ? `−${ago} s` : `−${ago / 60} min`;
    parts.push(svg('text', { x: x(ago), y: height - 6, 'text-anchor': i === steps ? 'end' : i === 0 ? 'start' : 'middle' }, label));
  }
  return parts;
}

// happened draws a line where a node was lost or joined. A name goes below the one before it where they would overlap.
function happened(state, start, width, x) {
  let before = { x: -Infinity, row: 0 };
  return state.changes.all.filter((c) => c.mark && c.from >= start).reverse().flatMap(({ from, mark, kind }) => {
    const here = { x: x(from), row: x(from) - before.x < 90 ? (before.row + 1) % 2 : 0 };
    before = here;
    const end = here.x > width - 90;
    return [
      svg('line', { class: `happened ${kind}`, x1: here.x, x2: here.x, y1: 4 + here.row * line, y2: height - bottom }),
      svg('text', { class: kind, x: here.x + (end ? -5 : 5), y: 13 + here.row * line, 'text-anchor': end ? 'end' : 'start' }, mark),
    ];
  });
}

function drawLegend(state, lines, sum, end) {
  const now = (points) => {
    const rate = points.get(end) ?? points.get(end - 1);
    return rate === undefined ? '–' : count(rate);
  };
  const up = new Set(state.event.members.filter((m) => condition(m).up).map((m) => m.name));
  const items = [...lines].map(([name, points]) => (up.has(name)
    ? [swatch(state.colour(name)), `${name} ${now(points)}`]
    : [swatch(state.colour(name), 'hollow'), `${name} lost`]));
  items.unshift([swatch('', 'sum'), `cluster ${now(sum)}`]);
  find('legend').replaceChildren(...items.map((i) => element('li', {}, ...i)));
  find('chart-text').textContent = items.map((i) => i[1]).join(', ');
}
