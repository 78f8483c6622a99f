// Small helpers for the page's elements. Text goes in as text, so that a name from the data is never markup.

export const el = (id) => document.getElementById(id);

// A new element with properties and children; strings become text.
export function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// Handlers of an element's events, by name.
export const listen = (element, handlers) => Object.entries(handlers).forEach(([event, handler]) => element.addEventListener(event, handler));

// A number with three digits or more, and a true minus.
export function format(value, digits = 2) {
  if (!Number.isFinite(value)) return "no number";
  const text = Math.abs(value) >= 1e5 ? value.toExponential(2) : value.toFixed(Math.abs(value) >= 100 ? Math.min(digits, 1) : digits);
  return text.replaceAll("-", "\u2212");
}

// A number as a table of the data would hold it: six digits, and every digit of a whole number.
export const plain = (value) => String(Math.abs(value) < 1e5 ? Number(value.toPrecision(6)) : Math.round(value));

// Says something to screen readers, at most every second.
let said = 0;
export function announce(text) {
  clearTimeout(said);
  said = setTimeout(() => (el("announce").textContent = text), 1000);
}

// Says what went wrong, where the adapter's name stands.
export function trouble(text) {
  el("adapter").textContent = text;
  el("adapter").classList.add("trouble");
  announce(text);
}

// A colour of the page's style.
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// An empty canvas whose pixels are those of the screen: its context, scaled to the units of the style, and its size in them.
export function crisp(canvas, width = canvas.clientWidth, height = canvas.clientHeight) {
  const scale = window.devicePixelRatio || 1;
  for (const [side, length] of [["width", width], ["height", height]]) {
    const wanted = Math.round(length * scale);
    if (canvas[side] !== wanted) canvas[side] = wanted;
  }
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

// Options of a menu: values 0, 1, .. with these names.
export function fill(select, names, chosen = 0) {
  select.replaceChildren(...names.map((name, value) => make("option", { value, textContent: name })));
  select.value = chosen;
}

// Ten colours that differ under every kind of colour blindness (Petroff 2021, arXiv 2107.02270), as in `latent-map`; of twenty
// labels, the second ten are squares.
const COLOURS = ["#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"];
export const look = (label) => ({ fill: COLOURS[label % COLOURS.length], square: label % (2 * COLOURS.length) >= COLOURS.length });
