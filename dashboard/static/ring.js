// The partitions as a circle, each in its owner's colour. A partition that just moved is outlined.

import { find, svg } from './dom.js';
import { condition } from './state.js';

const outer = 104;
const inner = 66;
const shown = 4000; // ms that a move stays outlined

const paths = [];
const movedAt = new Map(); // partition: ms
let announced = 0;

export function drawRing(state) {
  const { owners, members, unowned } = state.event;
  if (paths.length !== owners.length) build(owners.length);
  const now = performance.now();
  for (const p of state.moves) movedAt.set(p, now);
  owners.forEach((owner, p) => {
    const member = members[owner];
    const moved = now - (movedAt.get(p) ?? -Infinity) < shown;
    const kind = !member ? 'none' : condition(member).kind === 'bad' ? 'gone' : '';
    paths[p].setAttribute('class', `${kind} ${moved ? 'moved' : ''}`.trim());
    paths[p].style.fill = kind ? '' : state.colour(member.name);
  });
  const tally = new Map();
  for (const owner of owners) {
    const name = members[owner]?.name ?? 'nobody';
    tally.set(name, (tally.get(name) ?? 0) + 1);
  }
  const parts = [...tally].sort().map(([name, n]) => `${name} ${n}`);
  find('ring-text').textContent = `Owned: ${parts.join(', ')}.${unowned ? ` ${unowned} have no owner.` : ''}`;
  announce(state.moves.length, now);
}

// announce tells a screen reader of moves, but not every second.
function announce(count, now) {
  if (count === 0 || now - announced < shown) return;
  announced = now;
  find('moves').textContent = `${count} partitions moved`;
}

function build(count) {
  const ring = find('ring');
  ring.replaceChildren();
  paths.length = 0;
  for (let p = 0; p < count; p++) {
    const path = svg('path', { d: arc((p / count) * 2 * Math.PI, ((p + 1) / count) * 2 * Math.PI) });
    paths.push(path);
    ring.append(path);
  }
  ring.append(svg('text', { y: 4 }, String(count)), svg('text', { y: 18, class: 'small' }, 'partitions'));
}

function arc(from, to) {
  const at = (r, a) => `${(r * Math.sin(a)).toFixed(2)} ${(-r * Math.cos(a)).toFixed(2)}`;
  return `M${at(inner, from)}L${at(outer, from)}A${outer} ${outer} 0 0 1 ${at(outer, to)}L${at(inner, to)}A${inner} ${inner} 0 0 0 ${at(inner, from)}Z`;
}
