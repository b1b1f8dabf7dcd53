// Numbers as people read them.

const plain = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const exact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 2 });

export const count = (n) => (n < 100000 ? plain.format(n) : short.format(n));

export function seconds(s) {
  if (s <= 0) return '0 s';
  if (s < 0.9995) return `${(s * 1000).toFixed(s < 0.01 ? 1 : 0)} ms`;
  return `${s.toFixed(s < 10 ? 1 : 0)} s`;
}

// duration is for what lasts: whole seconds, then minutes.
export const duration = (s) => (s < 100 ? `${Math.floor(s)} s` : `${Math.floor(s / 60)} min`);

export const bytes = (b) => `${plain.format(b / 2 ** 20)} MiB`;

// scale returns the steps of an axis from 0 to what is not less than v: at most five, round, each with a label that says just it.
export function scale(v) {
  const unit = 10 ** Math.floor(Math.log10(v / 4));
  const step = [1, 2, 2.5, 5, 10].map((f) => f * unit).find((s) => s * 4 >= v && Number.isInteger(s));
  const steps = Array.from({ length: Math.ceil(v / step) + 1 }, (_, i) => i * step);
  const format = steps.at(-1) < 100000 ? plain : exact;
  return steps.map((value) => ({ value, label: format.format(value) }));
}
