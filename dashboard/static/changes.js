// What changed while the page was open: nodes that joined, left or were lost, the store, and partitions that moved.

import { condition } from './condition.js';

const kept = 50;
const together = 5; // seconds: moves between the same two nodes within that are one change

export class Changes {
  // newest first: { at, text, kind, mark, from }; at: seconds of the nodes' clocks, mark: its name in the chart, where it is at from
  all = [];

  // take compares the state's last event and what the nodes told with it to what came now.
  take(state, event, told) {
    const [before, members, at] = [state.event.members, event.members, state.now()];
    const old = new Map(before.map((m) => [m.id, m]));
    for (const m of members) this.#member(old.get(m.id), m, at, state.heard(m.id));
    const there = new Set(members.map((m) => m.id));
    for (const m of before) if (!there.has(m.id) && m.lease > 0) this.#add(at, `${m.name} left`, 'warn', `${m.name} left`);
    for (const [id, node] of state.nodes) {
      const was = told.get(id)?.store;
      if (was === true && !node.store) this.#add(at, `the store does not answer ${node.name}`, 'bad', 'store down');
      if (was === false && node.store) this.#add(at, `the store answers ${node.name} again`, 'good', '');
    }
    this.#moves(state.moves, at);
    this.all.length = Math.min(this.all.length, kept);
  }

  #member(old, m, at, heard) {
    const { up, text, kind } = condition(m);
    if (!old) {
      if (up) this.#add(at, `${m.name} joined`, 'good', `${m.name} joined`);
    } else if (condition(old).text !== text) {
      const back = up && !condition(old).up;
      const lost = condition(old).up && !up;
      const mark = back ? `${m.name} back` : lost ? `${m.name} lost` : '';
      const words = text === 'gone' ? 'is gone: its lease ran out' : text === 'leaving' ? 'is leaving' : back ? 'is back' : text;
      this.#add(at, `${m.name} ${words}`, kind, mark, lost && heard ? heard : at);
    }
  }

  #moves(moves, at) {
    const pairs = new Map();
    for (const { from, to } of moves) {
      const pair = `${from} → ${to}`;
      pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
    }
    for (const [pair, n] of pairs) {
      const same = this.all.find((c) => c.pair === pair && at - c.last <= together);
      const change = same ?? { at, pair, moved: 0, kind: '', mark: '' };
      change.moved += n;
      change.last = at;
      change.text = `${pair}: ${change.moved} ${change.moved === 1 ? 'partition' : 'partitions'}`;
      if (!same) this.all.unshift(change);
    }
  }

  #add(at, text, kind, mark, from = at) {
    this.all.unshift({ at, text, kind, mark, from });
  }
}
