// The partitions as a circle, each in its owner's colour. Within it, each node's share in one piece; outside, what just moved,
// in the colour of the node that it came from.

import { condition } from './condition.js';
import { element, find, svg, swatch } from './dom.js';

const outer = 101;
const short = 93; // of a partition whose owner is gone: not by colour alone
const inner = 68;
const share = { outer: 64, inner: 57 };
const mark = { outer: 110, inner: 104 };
const shown = 10000; // ms that a move is marked

const paths = [];
const marks = new Map(); // partition: its mark
let shares; // the group of the nodes' shares
let seen; // the event whose moves are marked: a window that changes its size draws one event again

export function drawRing(state) {
  const { owners, members, unowned } = state.event;
  if (paths.length !== owners.length) build(owners.length);
  owners.forEach((owner, p) => {
    const member = members[owner];
    const kind = !member ? 'none' : condition(member).kind === 'bad' ? 'gone' : '';
    if (paths[p].getAttribute('class') !== kind) {
      paths[p].setAttribute('class', kind);
      paths[p].setAttribute('d', piece(p, 1, owners.length, inner, kind ? short : outer));
    }
    paths[p].style.fill = kind ? '' : state.colour(member.name);
  });
  drawMarks(state, owners.length);
  drawShares(state, owners.length, unowned);
}

function drawMarks(state, count) {
  const now = performance.now();
  for (const { p, from } of seen === state.event ? [] : state.moves) {
    marks.get(p)?.path.remove();
    const path = svg('path', { class: 'moved', d: piece(p, 1, count, mark.inner, mark.outer) });
    path.style.fill = from === 'nobody' ? '' : state.colour(from);
    find('ring').append(path);
    marks.set(p, { path, until: now + shown });
  }
  seen = state.event;
  for (const [p, { path, until }] of marks) {
    if (now < until) continue;
    path.remove();
    marks.delete(p);
  }
}

function drawShares(state, count, unowned) {
  const parts = [];
  const items = [];
  const words = [];
  let from = 0;
  for (const [name, n] of state.shares()) {
    const lost = state.members().find((m) => m.name === name && !condition(m).up);
    const kind = name === 'nobody' ? 'none' : lost ? 'gone' : '';
    const colour = name === 'nobody' ? '' : state.colour(name);
    if (n > 0) {
      const path = svg('path', { class: kind, d: piece(from, n, count, share.inner, share.outer) });
      path.style.fill = kind ? '' : colour;
      parts.push(path);
    }
    from += n;
    items.push(element('li', { class: kind === 'gone' ? 'bad' : '' }, swatch(colour, lost ? 'hollow' : ''), `${name} ${n}`));
    words.push(`${name} ${n}`);
  }
  shares.replaceChildren(...parts);
  find('shares').replaceChildren(...items);
  find('ring-text').textContent = `Owned: ${words.join(', ')}.${unowned ? ` ${unowned} have no owner.` : ''}`;
}

function build(count) {
  const ring = find('ring');
  ring.replaceChildren();
  paths.length = 0;
  marks.clear();
  for (let p = 0; p < count; p++) {
    const path = svg('path', { d: piece(p, 1, count, inner, outer) });
    paths.push(path);
    ring.append(path);
  }
  shares = svg('g');
  ring.append(shares, svg('text', { y: 4 }, String(count)), svg('text', { y: 19, class: 'small' }, 'partitions'));
}

// piece returns the outline of n partitions from p on, between two radii. A whole circle is a little less, or it would be none.
function piece(p, n, count, near, far) {
  const from = (p / count) * 2 * Math.PI;
  const to = (Math.min(p + n, count - (n === count ? 0.001 : 0)) / count) * 2 * Math.PI;
  const at = (r, a) => `${(r * Math.sin(a)).toFixed(3)} ${(-r * Math.cos(a)).toFixed(3)}`;
  const large = to - from > Math.PI ? 1 : 0;
  return `M${at(near, from)}L${at(far, from)}A${far} ${far} 0 ${large} 1 ${at(far, to)}L${at(near, to)}A${near} ${near} 0 ${large} 0 ${at(near, from)}Z`;
}
