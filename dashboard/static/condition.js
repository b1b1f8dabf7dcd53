// How a member is, in words.

// condition says in words how a member is; up: it counts.
export function condition(member) {
  if (member.lease <= 0) return { up: false, text: 'gone', kind: 'bad' };
  if (!member.alive) return { up: false, text: 'does not answer', kind: 'bad' };
  if (member.draining) return { up: true, text: 'leaving', kind: 'warn' };
  return { up: true, text: 'up', kind: 'good' };
}
