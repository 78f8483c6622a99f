// The map: data in a plane of the latent space, in the colours of their labels. Pointing decodes, dragging walks.

import { announce, colour, crisp, el, listen, look, make } from "./elements.js";
import { paint, pixels } from "./pictures.js";

const MARGIN = 0.03; // around the data, of their width
const NEAR = 10; // the pointer is at a datum, in pixels
const TILES = 14; // pictures in a column of the backdrop
const PATIENCE = 4000; // milliseconds that the backdrop may take
const STEP = 0.02; // of the width, for a press of an arrow key
const AHEAD = 0.7; // the cosine within which a datum lies on a side

export class LatentMap {
  constructor(page) {
    const canvas = el("map");
    Object.assign(this, { page, canvas, places: [], shown: null, hover: null, trail: [], tiles: null, background: make("canvas") });
    const at = (event) => [event.offsetX, event.offsetY];
    listen(canvas, {
      pointermove: (event) => this.point(at(event), event.buttons === 1),
      pointerdown: (event) => {
        canvas.setPointerCapture(event.pointerId);
        this.trail = [];
        this.point(at(event), true);
      },
      pointerleave: () => this.leave(),
      keydown: (event) => this.press(event),
    });
    listen(el("backdrop"), { change: () => this.drawBackdrop(true) });
    new ResizeObserver(() => this.refresh()).observe(canvas);
    this.legend();
  }

  show(plane) {
    this.places = plane.places ?? this.page.codes.map((code) => plane.place(code));
    const known = this.places.filter((place) => place.every(Number.isFinite));
    if (!known.length) known.push([-3, -3], [3, 3]);
    this.range = [0, 1].map((axis) => {
      const sorted = Float64Array.from(known, (place) => place[axis]).sort();
      const edge = MARGIN * (sorted.at(-1) - sorted[0]) || 1;
      return [sorted[0] - edge, sorted.at(-1) + edge];
    });
    el("axes").textContent = plane.text;
    // Where there is a code at every place, and where there is none but the data's.
    [el("plane-help").hidden, el("places-help").hidden, el("backdrop").disabled] = [!plane.at, !!plane.at, !plane.at];
    Object.assign(this, { plane, trail: [] });
    return this.drawBackdrop();
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
  nearest(at, within = NEAR, suits = () => true) {
    let [best, least] = [null, within];
    this.places.forEach((place, i) => {
      const [x, y] = this.toPixels(place);
      const distance = Math.hypot(x - at[0], y - at[1]);
      if (this.isShown(i) && distance < least && suits([x, y])) [best, least] = [i, distance];
    });
    return best;
  }

  isShown(i) {
    return this.shown === null || this.page.labels[i] === this.shown;
  }

  // The pointer is at these pixels; pressed, it takes the code there.
  point(at, pressed) {
    const [place, datum] = [this.toPlace(at), this.nearest(at)];
    const code = this.plane.at ? this.plane.at(place, this.page.z) : this.page.codes[datum];
    this.hover = at;
    this.tip(datum, at);
    if (pressed && this.plane.at) this.trail.push(place);
    if (pressed && code) return this.page.take(code);
    this.draw();
    return this.page.look(code);
  }

  leave() {
    [this.hover, el("tip").hidden] = [null, true];
    this.page.look(null);
    this.draw();
  }

  // An arrow key: a step in the plane or, where only data have places, to the nearest one on that side.
  press(event) {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!move || !this.places.length) return;
    event.preventDefault();
    const { page, plane, range } = this;
    const [here, by] = [plane.place(page.z) ?? this.places[0], event.shiftKey ? 5 * STEP : STEP];
    const next = here.map((v, axis) => v + move[axis] * by * (range[axis][1] - range[axis][0]));
    const [x, y] = this.toPixels(here);
    const isAhead = (to) => move[0] * (to[0] - x) - move[1] * (to[1] - y) > AHEAD * Math.hypot(to[0] - x, to[1] - y);
    const datum = plane.at ? this.nearest(this.toPixels(next), Infinity) : this.nearest([x, y], Infinity, isAhead);
    if (plane.at) page.take(plane.at(next, page.z));
    else if (datum !== null) page.take(page.codes[datum]);
    if (datum !== null) announce(!plane.at ? page.nameOf(datum) : `at ${next.map((v) => v.toFixed(2)).join(", ")}; nearest: ${page.nameOf(datum)}`);
  }

  // The datum beside the pointer.
  tip(datum, [x, y]) {
    const tip = el("tip");
    tip.hidden = datum === null;
    if (tip.hidden) return;
    el("tip-text").textContent = this.page.nameOf(datum);
    el("tip-thumb").hidden = !this.page.thumb(datum, el("tip-thumb"));
    Object.assign(tip.style, { left: `${Math.min(x + 14, this.width - 110)}px`, top: `${Math.max(y - 64, 0)}px` });
  }

  // A button for each label: pressed, the others step back.
  legend() {
    const { known } = this.page;
    this.coloured = known.length > 1 && known.length <= 30;
    if (!this.coloured) return;
    const buttons = known.map((label) => {
      const swatch = make("span", { className: look(label).square ? "swatch square" : "swatch" });
      swatch.style.background = look(label).fill;
      const button = make("button", { className: "chip", type: "button", ariaPressed: "false" }, swatch, this.page.called(label));
      const click = () => {
        this.shown = this.shown === label ? null : label;
        buttons.forEach((other, i) => (other.ariaPressed = String(known[i] === this.shown)));
        this.refresh();
      };
      listen(button, { click });
      return button;
    });
    el("legend").replaceChildren(...buttons);
  }

  // Pictures of the whole plane behind the data, at parts of its width and height; on a slow device only where they are asked for.
  async drawBackdrop(asked = false) {
    const { page, plane } = this;
    const asks = (this.asks = {}); // a later call overtakes this one
    this.tiles = null;
    this.refresh();
    if (!plane.at || !page.content.picture || !el("backdrop").checked || page.training?.running || !this.places.length) return;
    const columns = Math.max(Math.round((TILES * this.width * page.content.height) / (this.height * page.content.width)), 1);
    const [wide, high] = [1 / columns, 1 / TILES];
    const corners = Array.from({ length: columns * TILES }, (_, i) => [(i % columns) * wide, Math.floor(i / columns) * high]);
    const middle = ([x, y]) => this.toPlace([(x + wide / 2) * this.width, (y + high / 2) * this.height]);
    const codes = corners.map((corner) => plane.at(middle(corner), plane.origin));
    const [begin, tiles, { rows }] = [performance.now(), [], page.model.programs.decode_many.ports.z];
    while (tiles.length < codes.length) {
      const some = await page.model.decodeAll(codes.slice(tiles.length, tiles.length + rows), page.label);
      if (asks !== this.asks) return;
      tiles.push(...some.map((x, i) => [pixels(x, page.content), [...corners[tiles.length + i], wide, high]]));
      if (!asked && ((performance.now() - begin) / tiles.length) * codes.length > PATIENCE) return void (el("backdrop").checked = false);
    }
    this.tiles = tiles;
    this.refresh();
  }

  // Draws what the pointer does not change.
  refresh() {
    Object.assign(this, { width: this.canvas.clientWidth, height: this.canvas.clientHeight });
    if (!this.range || !this.width) return;
    const { context, width, height } = crisp(this.background, this.width, this.height);
    if (this.tiles) Object.assign(context, { globalAlpha: 1, fillStyle: "#000" }).fillRect(0, 0, width, height);
    context.globalAlpha = 0.75;
    this.tiles?.forEach(([tile, [x, y, w, h]]) => paint(context, tile, [x * width, y * height, w * width, h * height]));
    const [radius, accent] = [this.places.length > 1000 ? 2.4 : 3.2, colour("accent")];
    Object.assign(context, { strokeStyle: this.tiles ? "#000a" : "#fffa", lineWidth: 0.7 });
    this.places.forEach((place, i) => {
      const [x, y] = this.toPixels(place);
      const { fill, square } = this.coloured ? look(this.page.labels[i]) : { fill: accent };
      Object.assign(context, { globalAlpha: this.isShown(i) ? 0.9 : 0.12, fillStyle: fill });
      context.beginPath();
      if (square) context.rect(x - 2.5, y - 2.5, 5, 5);
      else context.arc(x, y, radius, 0, 7);
      context.fill();
      context.stroke();
    });
    this.draw();
  }

  // Draws the map, and where we are.
  draw() {
    if (!this.range) return;
    const { context, width, height } = crisp(this.canvas);
    context.drawImage(this.background, 0, 0, width, height);
    Object.assign(context, { strokeStyle: this.tiles ? "#fffb" : colour("soft"), lineWidth: 1.5 });
    context.beginPath();
    this.trail.forEach((place) => context.lineTo(...this.toPixels(place)));
    context.stroke();
    const [card, ink, here] = [colour("card"), colour("ink"), this.plane.place(this.page.z)];
    for (const [at, radius] of [[here && this.toPixels(here), 7], [this.hover, 4]]) {
      for (const [strokeStyle, lineWidth] of at ? [[card, 5], [ink, 2]] : []) {
        Object.assign(context, { strokeStyle, lineWidth });
        context.beginPath();
        context.arc(...at, radius, 0, 7);
        context.stroke();
      }
    }
  }
}
