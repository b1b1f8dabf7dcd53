// Small helpers. Text always goes in as text: keys are what strangers sent.

export const find = (id) => document.getElementById(id);

export function text(id, value, kind = '') {
  const element = find(id);
  if (element.textContent !== value) element.textContent = value;
  element.className = kind;
}

export function element(name, attributes = {}, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  e.append(...children);
  return e;
}

export function svg(name, attributes = {}, content = '') {
  const e = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  e.textContent = content;
  return e;
}

export function swatch(colour, kind = '') {
  const e = element('span', { class: `swatch ${kind}`, 'aria-hidden': 'true' });
  if (colour) e.style.background = colour;
  return e;
}
