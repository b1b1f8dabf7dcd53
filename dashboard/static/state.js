// What the page knows: the last event, and the points of each node.

const keep = 15 * 60; // points of a node
const colours = 8;

export class State {
  event = null;
  points = new Map(); // by ID of the process, oldest first
  nodes = new Map(); // by ID: what the node told of itself last
  moves = []; // partitions whose owner changed with the last event
  #colours = new Map(); // by name: a node that restarts keeps its colour

  take(event) {
    if (!event.members) return;
    this.moves = this.#moved(event);
    if (event.full) this.points.clear();
    this.nodes = new Map();
    for (const node of event.nodes ?? []) {
      this.nodes.set(node.id, node);
      const all = (this.points.get(node.id) ?? []).concat(node.points ?? []);
      this.points.set(node.id, all.slice(-keep));
    }
    const there = new Set(event.members.map((m) => m.id));
    for (const id of this.points.keys()) if (!there.has(id)) this.points.delete(id);
    for (const m of event.members) this.colour(m.name); // in their order, whatever is drawn first
    this.event = event;
  }

  #moved(event) {
    if (!this.event) return [];
    const before = this.event.owners.map((i) => this.event.members[i]?.id);
    return event.owners.flatMap((owner, p) => (event.members[owner]?.id === before[p] ? [] : [p]));
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
}

// condition says in words how a member is; up: it counts.
export function condition(member) {
  if (member.lease <= 0) return { up: false, text: 'gone', kind: 'bad' };
  if (!member.alive) return { up: false, text: 'does not answer', kind: 'bad' };
  if (member.draining) return { up: true, text: 'leaving', kind: 'warn' };
  return { up: true, text: 'up', kind: 'good' };
}
