package dashboard_test

import (
	"context"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// faults returns what a screen reader or weak eyes would stumble over, one line each.
const faults = `(() => {
  const out = [];
  const one = (selector) => { const n = document.querySelectorAll(selector).length; if (n !== 1) out.push(selector + ': ' + n + ' of them'); };
  ['html[lang]', 'title', 'header', 'main', 'h1', '#connection[aria-live=polite]', '#answer[aria-live=polite]'].forEach(one);
  for (const s of document.querySelectorAll('section, svg, [role=region], [role=group]')) {
    const names = (s.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent ?? '');
    if (!(s.getAttribute('aria-label') ?? names.join(''))) out.push(s.tagName + '#' + s.id + ' has no name');
  }
  for (const i of document.querySelectorAll('input')) if (!i.labels.length) out.push('input ' + i.id + ' has no label');
  for (const b of document.querySelectorAll('button')) if (!b.textContent.trim()) out.push('a button without a name');
  for (const h of document.querySelectorAll('thead th')) if (h.scope !== 'col') out.push('a column without scope');
  for (const e of document.querySelectorAll('[tabindex]')) if (e.tabIndex > 0) out.push('an order of its own: ' + e.id);
  for (const e of document.querySelectorAll('.card, .tiles div, form')) if (e.scrollWidth > e.clientWidth) out.push('overflows: ' + e.id + e.textContent.trim().slice(0, 20));
  if (document.documentElement.scrollWidth > innerWidth) out.push('wider than the window');

  const ink = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => { ink.clearRect(0, 0, 1, 1); ink.fillStyle = colour; ink.fillRect(0, 0, 1, 1); return [...ink.getImageData(0, 0, 1, 1).data]; };
  const light = (c) => c.slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; } return [255, 255, 255, 255]; };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const weak = (e, what, colour, least) => {
    const r = ratio(rgba(colour), ground(e));
    if (r < least) out.push('contrast ' + r.toFixed(2) + ' of ' + what);
  };
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    const svg = e instanceof SVGElement;
    if (own && e.checkVisibility() && !e.closest('noscript')) weak(e, e.tagName + ' ' + e.textContent.trim().slice(0, 20), getComputedStyle(e)[svg ? 'fill' : 'color'], 4.5);
  }
  const moved = document.querySelector('#ring').appendChild(document.createElementNS('http://www.w3.org/2000/svg', 'path'));
  moved.setAttribute('class', 'moved');
  if (getComputedStyle(moved).animationName !== 'none') out.push('it moves although less motion is wished for');
  moved.remove();
  for (const p of document.querySelectorAll('#ring path')) weak(p, 'a partition', getComputedStyle(p).fill, 3);
  for (const p of document.querySelectorAll('#chart path')) weak(p, 'a line', getComputedStyle(p).stroke, 3);
  return out;
})()`

// reached returns the names of what the tab key stops at, and whether each shows its focus.
const reached = `[...document.querySelectorAll('a[href], button, input, summary, [tabindex="0"]')].filter((e) => e.checkVisibility()).filter((e) => {
  e.focus({ focusVisible: true });
  return document.activeElement !== e || getComputedStyle(e).outlineStyle === 'none';
}).map((e) => e.outerHTML)`

func checkAccess(t *testing.T, ctx context.Context) {
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 390} {
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
			}})
			if err != nil {
				t.Fatal(err)
			}
			if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 900)); err != nil {
				t.Fatal(err)
			}
			found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](faults))
			if err != nil {
				t.Fatal(err)
			}
			unreachable, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](reached))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range found {
				t.Errorf("%s, %d wide: %s", scheme, width, f)
			}
			for _, f := range unreachable {
				t.Errorf("%s, %d wide: the keyboard does not reach, or does not show: %s", scheme, width, f)
			}
		}
	}
}
