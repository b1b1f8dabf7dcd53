// What the page knows: the last event, the points of each node, and what changed while it was open.

import { Changes } from './changes.js';
import { condition } from './condition.js';

const keep = 15 * 60; // points of a node
const colours = 8;

export class State {
  event = null;
  points = new Map(); // by ID of the process, oldest first
  nodes = new Map(); // by ID: what the node told of itself last
  moves = []; // partitions whose owner changed with the last event, each with the names of both owners
  changes = new Changes();
  #colours = new Map(); // by name: a node that restarts keeps its colour
  #lost = new Map(); // by ID: since when nothing was heard of a member that is not up, in ms of performance.now()

  take(event) {
    if (!event.members) return;
    this.moves = this.#moved(event);
    if (event.full) this.points.clear();
    const before = this.nodes;
    this.nodes = new Map();
    for (const node of event.nodes ?? []) {
      this.nodes.set(node.id, node);
      const all = (this.points.get(node.id) ?? []).concat(node.points ?? []);
      this.points.set(node.id, all.slice(-keep));
    }
    const there = new Set(event.members.map((m) => m.id));
    for (const id of this.points.keys()) if (!there.has(id)) this.points.delete(id);
    for (const m of event.members) this.colour(m.name); // in their order, whatever is drawn first
    this.#watch(event.members);
    if (this.event) this.changes.take(this, event, before);
    this.event = event;
  }

  #moved(event) {
    if (!this.event) return [];
    const { owners, members } = this.event;
    return event.owners.flatMap((owner, p) => {
      const [from, to] = [members[owners[p]], event.members[owner]];
      return from?.id === to?.id ? [] : [{ p, from: from?.name ?? 'nobody', to: to?.name ?? 'nobody' }];
    });
  }

  // watch notes since when nothing was heard of a member: since its last point, or else since its lease ran out.
  #watch(members) {
    for (const m of members) {
      if (condition(m).up) this.#lost.delete(m.id);
      else if (!this.#lost.has(m.id)) {
        const heard = this.heard(m.id);
        const silent = heard > 0 ? this.now() - heard : Math.max(0, -m.lease);
        this.#lost.set(m.id, performance.now() - silent * 1000);
      }
    }
  }

  // heard is the time of a process's newest point, in seconds of its clock; 0: there is none.
  heard(id) {
    return this.points.get(id)?.at(-1)?.t ?? 0;
  }

  // lost returns for how many seconds a member has been silent.
  lost(id) {
    return (performance.now() - (this.#lost.get(id) ?? performance.now())) / 1000;
  }

  // now is the time of the newest point, in seconds of the nodes' clocks.
  now() {
    return Math.max(0, ...[...this.points.values()].map((all) => all.at(-1)?.t ?? 0));
  }

  // colour returns the node's colour as a CSS value.
  colour(name) {
    if (!this.#colours.has(name)) this.#colours.set(name, this.#colours.size % colours);
    return `var(--node-${this.#colours.get(name)})`;
  }

  // members returns those worth a row: the living, and what is gone for less than 15 minutes and was not replaced.
  members() {
    const all = this.event?.members ?? [];
    const living = new Set(all.filter((m) => condition(m).up).map((m) => m.name));
    return all.filter((m) => condition(m).up || m.owned > 0 || (!living.has(m.name) && m.lease > -keep));
  }

  // told returns the nodes that answered and have a point.
  told() {
    return [...this.nodes.values()].filter((n) => this.last(n.id));
  }

  // last returns the newest point of a process that answered, or null.
  last(id) {
    return this.nodes.has(id) ? this.points.get(id)?.at(-1) ?? null : null;
  }

  // sum adds up a field of the newest point of every node.
  sum(field) {
    let sum = 0;
    for (const id of this.nodes.keys()) sum += this.last(id)?.[field] ?? 0;
    return sum;
  }

  // mean is the rate of the whole cluster over the last so many seconds, or over those that there are points of.
  mean(seconds) {
    const from = this.now() - seconds;
    const points = [...this.points.values()].flatMap((all) => all.slice(-seconds)).filter((p) => p.t > from);
    const times = new Set(points.map((p) => p.t)).size;
    return points.reduce((sum, p) => sum + p.rate, 0) / Math.max(times, 1);
  }

  // shares returns how many partitions each name owns, in the members' order; nobody's come last.
  shares() {
    const shares = new Map(this.members().map((m) => [m.name, 0]));
    for (const owner of this.event.owners) {
      const name = this.event.members[owner]?.name ?? 'nobody';
      shares.set(name, (shares.get(name) ?? 0) + 1);
    }
    return shares;
  }
}
