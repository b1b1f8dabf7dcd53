// Numbers as people read them.

const plain = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export const count = (n) => (n < 100000 ? plain.format(n) : short.format(n));

export function seconds(s) {
  if (s <= 0) return '0 s';
  if (s < 0.9995) return `${(s * 1000).toFixed(s < 0.01 ? 1 : 0)} ms`;
  return `${s.toFixed(s < 10 ? 1 : 0)} s`;
}

export const bytes = (b) => `${plain.format(b / 2 ** 20)} MiB`;
