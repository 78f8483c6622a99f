// The map: data in a plane of the latent space, in the colours of their labels. Pointing decodes, dragging walks.

import { COLOURS, announce, colour, crisp, el, listen, make } from "./elements.js";
import { paint, pixels } from "./pictures.js";

const MARGIN = 0.03; // around the data, of their width
const NEAR = 10; // the pointer is at a datum, in pixels
const TILES = 14; // pictures in a column of the backdrop
const PATIENCE = 4000; // milliseconds that the backdrop may take
const STEP = 0.02; // of the width, for a press of an arrow key

export class LatentMap {
  constructor(page) {
    const canvas = el("map");
    Object.assign(this, { page, canvas, places: [], shown: null, hover: null, trail: [], tiles: null, background: make("canvas") });
    listen(canvas, {
      pointermove: (event) => this.point([event.offsetX, event.offsetY], event.buttons === 1),
      pointerdown: (event) => {
        canvas.setPointerCapture(event.pointerId);
        this.trail = [];
        this.point([event.offsetX, event.offsetY], true);
      },
      pointerleave: () => this.leave(),
      keydown: (event) => this.press(event),
    });
    listen(el("backdrop"), { change: () => this.drawBackdrop(true) });
    new ResizeObserver(() => this.refresh()).observe(canvas);
    this.legend();
  }

  show(plane) {
    this.plane = plane;
    this.places = this.page.codes.map((code) => plane.place(code));
    const known = this.places.length ? this.places : [[-3, -3], [3, 3]];
    this.range = [0, 1].map((axis) => {
      const sorted = Float64Array.from(known, (place) => place[axis]).sort();
      const edge = MARGIN * (sorted.at(-1) - sorted[0]) || 1;
      return [sorted[0] - edge, sorted.at(-1) + edge];
    });
    el("axes").textContent = `\u2192 ${plane.names[0]}   \u2191 ${plane.names[1]}`;
    Object.assign(this, { trail: [], tiles: null });
    this.refresh();
    this.drawBackdrop();
  }

  // From a place to pixels and back.
  toPixels([a, b]) {
    const [[left, right], [bottom, top]] = this.range;
    return [((a - left) / (right - left)) * this.width, ((top - b) / (top - bottom)) * this.height];
  }

  toPlace([x, y]) {
    const [[left, right], [bottom, top]] = this.range;
    return [left + (x / this.width) * (right - left), top - (y / this.height) * (top - bottom)];
  }

  // The datum at these pixels, if there is one.
  nearest(at, within = NEAR) {
    let [best, least] = [null, within];
    this.places.forEach((place, i) => {
      const [x, y] = this.toPixels(place);
      const distance = Math.hypot(x - at[0], y - at[1]);
      if (this.isShown(i) && distance < least) [best, least] = [i, distance];
    });
    return best;
  }

  isShown(i) {
    return this.shown === null || this.page.labels[i] === this.shown;
  }

  // The pointer is at these pixels; pressed, it takes the code there.
  point(at, pressed) {
    const place = this.toPlace(at);
    const code = this.plane.at(place, this.page.z);
    this.hover = at;
    this.tip(this.nearest(at), at);
    if (pressed) this.trail.push(place);
    if (pressed) this.page.take(code);
    else this.page.look(code);
    this.draw();
  }

  leave() {
    this.hover = null;
    el("tip").hidden = true;
    this.page.look(null);
    this.draw();
  }

  press(event) {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!move) return;
    event.preventDefault();
    const place = this.plane.place(this.page.z);
    const by = event.shiftKey ? 5 * STEP : STEP;
    const next = place.map((v, axis) => v + move[axis] * by * (this.range[axis][1] - this.range[axis][0]));
    this.page.take(this.plane.at(next, this.page.z));
    const datum = this.nearest(this.toPixels(next), Infinity);
    if (datum !== null) announce(`at ${next.map((v) => v.toFixed(2)).join(", ")}; nearest: ${this.page.nameOf(datum)}`);
  }

  // The datum beside the pointer.
  tip(datum, [x, y]) {
    const tip = el("tip");
    tip.hidden = datum === null || !this.page.codes.length;
    if (tip.hidden) return;
    el("tip-text").textContent = this.page.nameOf(datum);
    const thumb = el("tip-thumb");
    thumb.hidden = !this.page.thumb(datum, thumb);
    tip.style.left = `${Math.min(x + 14, this.width - 110)}px`;
    tip.style.top = `${Math.max(y - 64, 0)}px`;
  }

  // A button for each label: pressed, the others step back.
  legend() {
    const { labels, classes } = this.page;
    const known = [...new Set(labels)].sort((a, b) => a - b);
    if (known.length < 2 || known.length > 30) return;
    const buttons = known.map((label) => {
      const swatch = make("span", { className: "swatch" });
      swatch.style.background = COLOURS[label % COLOURS.length];
      const button = make("button", { className: "chip", type: "button", ariaPressed: "false" }, swatch, classes[label] ?? String(label));
      const click = () => {
        this.shown = this.shown === label ? null : label;
        buttons.forEach((other, i) => (other.ariaPressed = String(known[i] === this.shown)));
        this.refresh();
      };
      listen(button, { click });
      return button;
    });
    el("legend").replaceChildren(...buttons);
    this.coloured = true;
  }

  // Pictures of the whole plane behind the data; on a slow device only where they are asked for.
  async drawBackdrop(asked = false) {
    const { page, plane } = this;
    this.tiles = null;
    if (!page.content.picture || !el("backdrop").checked || page.training?.running || !this.places.length) return this.refresh();
    const side = this.height / TILES;
    const columns = Math.ceil(this.width / side);
    const corners = Array.from({ length: columns * TILES }, (_, i) => [(i % columns) * side, Math.floor(i / columns) * side]);
    const codes = corners.map((corner) => plane.at(this.toPlace(corner.map((v) => v + side / 2)), page.z));
    const [begin, means, { rows }] = [performance.now(), [], page.model.programs.decode_many.ports.z];
    while (means.length < codes.length && plane === this.plane && el("backdrop").checked) {
      means.push(...(await page.model.decodeAll(codes.slice(means.length, means.length + rows), page.label)));
      if (!asked && ((performance.now() - begin) / means.length) * codes.length > PATIENCE) el("backdrop").checked = false;
    }
    if (plane === this.plane && means.length === codes.length) this.tiles = means.map((x, i) => [pixels(x, page.content), [...corners[i], side, side]]);
    this.refresh();
  }

  // Draws what the pointer does not change.
  refresh() {
    const { canvas, background } = this;
    Object.assign(this, { width: canvas.clientWidth, height: canvas.clientHeight });
    if (!this.range || !this.width) return;
    const scale = window.devicePixelRatio || 1;
    [background.width, background.height] = [this.width, this.height].map((side) => Math.round(side * scale));
    const context = background.getContext("2d");
    context.scale(scale, scale);
    if (this.tiles) context.fillRect(0, 0, this.width, this.height);
    context.globalAlpha = 0.75;
    this.tiles?.forEach(([tile, rectangle]) => paint(context, tile, rectangle));
    const radius = this.places.length > 1000 ? 2.4 : 3.2;
    Object.assign(context, { strokeStyle: this.tiles ? "#000a" : "#fffa", lineWidth: 0.7 });
    this.places.forEach((place, i) => {
      const [x, y] = this.toPixels(place);
      const label = this.page.labels[i];
      context.globalAlpha = this.isShown(i) ? 0.9 : 0.12;
      context.fillStyle = this.coloured ? COLOURS[label % COLOURS.length] : colour("accent");
      context.beginPath();
      if (this.coloured && label % (2 * COLOURS.length) >= COLOURS.length) context.rect(x - 2.5, y - 2.5, 5, 5);
      else context.arc(x, y, radius, 0, 7);
      context.fill();
      context.stroke();
    });
    this.draw();
  }

  // Draws the map, and where we are.
  draw() {
    const { page, plane } = this;
    const { context, width, height } = crisp(this.canvas);
    if (!this.range) return;
    context.drawImage(this.background, 0, 0, width, height);
    Object.assign(context, { strokeStyle: this.tiles ? "#fffb" : colour("soft"), lineWidth: 1.5 });
    context.beginPath();
    this.trail.forEach((place) => context.lineTo(...this.toPixels(place)));
    context.stroke();
    for (const [at, radius] of [[this.toPixels(plane.place(page.z)), 7], [this.hover, 4]]) {
      for (const [strokeStyle, lineWidth] of at ? [[colour("card"), 5], [colour("ink"), 2]] : []) {
        Object.assign(context, { strokeStyle, lineWidth });
        context.beginPath();
        context.arc(...at, radius, 0, 7);
        context.stroke();
      }
    }
  }
}
