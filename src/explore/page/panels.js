// The cards beside the map: what stands here, sliders, data of one's own, a path, label arithmetic, and samples.

import { announce, colour, crisp, el, fill, format, listen, make, plain, trouble } from "./elements.js";
import { heat, paint, pixels, pixelsOf, png, save, show, toX } from "./pictures.js";
import { between, meanOf } from "./space.js";
import { newest } from "./model.js";

const FRAMES = 24; // of a path
const SHOWN = 64; // dimensions with a slider
const WIDE = 200; // columns of a table that are shown
const PEN = 280; // pixels of a side of the drawing

const fails = (error) => trouble(error.message);

// What the decoder makes of the code: a picture, or a row of a table with each value in its column's range.
export function showDecoded(page, x, z) {
  const usual = page.model.programs.sample ? `; of a draw from the prior about ${format(Math.sqrt(z.length), 1)}` : "";
  el("norm").textContent = `|z| = ${format(Math.hypot(...z))}${usual}`;
  if (page.content.picture) return show(el("here"), pixels(x, page.content));
  const { columns } = page.content;
  if (columns.length > WIDE) el("more-columns").textContent = `the first ${WIDE} of ${columns.length} columns`;
  const own = page.model.own(x, true, true);
  columns.slice(0, WIDE).forEach(({ name, range }, i) => {
    el("here-row").rows[i] ?? el("here-row").append(rowOf(name));
    const [, cell, { firstChild: bar }] = el("here-row").rows[i].cells;
    cell.textContent = plain(own[i]);
    bar.style.width = range && range[1] > range[0] ? `${(100 * (own[i] - range[0])) / (range[1] - range[0])}%` : 0;
  });
}

function rowOf(name) {
  const scale = make("td", { className: "scale" }, make("span", { className: "bar" }));
  return make("tr", {}, make("th", { textContent: name, scope: "row" }), make("td"), scale);
}

// A slider for each dimension, the one with the largest KL first.
export class Sliders {
  constructor(page) {
    this.page = page;
    this.lines = Array.from(page.z, (_, i) => {
      const input = make("input", { type: "range", step: 0.01, ariaLabel: `dimension ${i}` });
      listen(input, { input: () => page.take(page.z.map((v, at) => (at === i ? input.valueAsNumber : v))) });
      const [nats, value] = [make("span", { className: "nats" }), make("output")];
      return { input, nats, value, line: make("div", { className: "slider" }, make("b", { textContent: `z${i}` }), nats, input, value) };
    });
    this.update();
  }

  // Sets reach, nats and order as the codes have them; a slider that is held stays where it is.
  update() {
    const { codes, content } = this.page;
    const order = this.lines.map((_, i) => i).sort((a, b) => (content.kl[b] ?? 0) - (content.kl[a] ?? 0));
    this.lines.forEach(({ input, nats }, i) => {
      const reach = Math.ceil(codes.reduce((most, code) => (Math.abs(code[i]) > most ? Math.abs(code[i]) : most), 3));
      if (input !== document.activeElement && Number.isFinite(reach)) Object.assign(input, { min: -reach, max: reach });
      nats.textContent = content.kl.length ? `${format(content.kl[i])} nats` : "";
    });
    if (!el("sliders").contains(document.activeElement)) el("sliders").replaceChildren(...order.slice(0, SHOWN).map((i) => this.lines[i].line));
    el("more-dims").textContent = order.length > SHOWN ? `${order.length - SHOWN} more have less KL and no slider` : "";
  }

  show(z) {
    this.lines.forEach(({ input, value }, i) => {
      if (document.activeElement !== input || input.valueAsNumber !== z[i]) input.value = z[i];
      value.textContent = format(z[i]);
    });
  }
}

// A drawing, a file, or a row that is typed: q(z|x), what the model makes of it, and its score.
export class Yours {
  constructor(page) {
    Object.assign(this, { page, x: null, judge: newest((x, takes) => this.encode(x, takes), fails) });
    if (page.content.picture) this.drawing();
    else this.form();
  }

  drawing() {
    const { content } = this.page;
    const canvas = el("pad");
    [canvas.width, canvas.height] = [PEN, Math.round((PEN * content.height) / content.width)];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const clear = () => {
      context.fillRect(0, 0, canvas.width, canvas.height);
      [this.x, el("yours-results").hidden] = [null, true];
    };
    clear();
    this.pen(canvas, context, () => judge(toX(context.getImageData(0, 0, canvas.width, canvas.height), content)));
    listen(el("clear"), { click: clear });
    const judge = (x) => this.judge(this.page.model.scaled(x));
    const take = async (file) => {
      const image = await pixelsOf(file).catch(() => null);
      if (!image) return (el("yours-note").textContent = file ? `${file.name} is no picture that this browser reads` : "that is no file");
      const x = toX(image, content);
      paint(context, pixels(x, content), [0, 0, canvas.width, canvas.height]);
      return judge(x);
    };
    // Without its value, the same file can be opened again.
    listen(el("file"), { change: ({ target }) => take(target.files[0]).then(() => (target.value = "")) });
    const drop = (event) => {
      event.preventDefault();
      take(event.dataTransfer.files[0]);
    };
    listen(el("yours-card"), { dragover: (event) => event.preventDefault(), drop });
  }

  // Strokes, each followed by `drawn`.
  pen(canvas, context, drawn) {
    const { channels } = this.page.content;
    el("pen-label").hidden = channels === 1;
    Object.assign(context, { lineCap: "round", lineJoin: "round", lineWidth: PEN / 12 });
    // A tap is a line, too.
    const line = (event, longer = 0) => {
      context.strokeStyle = channels === 1 ? "#fff" : el("pen").value;
      context.lineTo((event.offsetX * canvas.width) / canvas.clientWidth + longer, (event.offsetY * canvas.height) / canvas.clientHeight);
      context.stroke();
    };
    const pointerdown = (event) => {
      canvas.setPointerCapture(event.pointerId);
      context.beginPath();
      line(event);
      line(event, 0.01);
      drawn();
    };
    const pointermove = (event) => {
      if (event.buttons !== 1) return;
      line(event);
      drawn();
    };
    listen(canvas, { pointerdown, pointermove });
  }

  // A row to change. What is left as it was is the datum's own value, to the last digit, and columns that are not shown stay.
  form() {
    const { model, content, training, row } = this.page;
    const x = row ?? training.row(0);
    const texts = Array.from(model.own(x, true), plain);
    const inputs = content.columns.slice(0, WIDE).map(({ name, whole, fill: missing }, i) => {
      const input = make("input", { type: "number", step: whole ? 1 / content.steps : "any", value: texts[i], placeholder: missing ?? "" });
      el("form").append(make("label", {}, make("span", { textContent: name }), input));
      return input;
    });
    const input = () => {
      const given = inputs.map(({ value }, i) => (value === "" ? (content.columns[i].fill ?? 0) : Number(value)));
      const scaled = model.scaled(given);
      return this.judge(x.map((v, i) => (i >= WIDE || inputs[i].value === texts[i] ? v : scaled[i])));
    };
    listen(el("form"), { input, submit: (event) => event.preventDefault() });
  }

  // Judges the same again, with another label.
  again() {
    return this.x && this.judge(this.x, false);
  }

  async encode(x, takes = true) {
    const { page } = this;
    const found = await page.model.encode(x, page.label);
    const known = [x, found.mu].every((values) => values.every(Number.isFinite));
    el("yours-results").hidden = !known;
    el("yours-note").textContent = known ? "" : "its values are beyond what the model can encode";
    if (!known) return;
    Object.assign(this, { x, found });
    if (page.content.picture) {
      show(el("seen"), pixels(found.x, page.content));
      show(el("rebuilt"), pixels(found.mean, page.content));
      show(el("strange"), heat(found.nats, page.content));
    }
    const { recon, kl, deviation } = found;
    el("score").textContent = `${format(kl - recon, 1)}${deviation === null ? "" : ` \u00b1 ${format(deviation, 1)}`} nats`;
    const terms = `score = \u2212ELBO: reconstruction ${format(recon, 1)}, KL ${format(kl, 1)}`;
    el("terms").textContent = found.logVar ? terms : "score = \u2212log p(x|z)";
    this.drawPosterior(found);
    if (takes) await page.take(found.mu);
  }

  // q(z|x): a bar of two standard deviations either way about each mean.
  drawPosterior({ mu, logVar }) {
    const { context, width, height } = crisp(el("posterior"));
    const reach = mu.reduce((most, v) => Math.max(most, Math.abs(v)), 3) + 0.5;
    const y = (v) => height / 2 - (v / reach) * (height / 2 - 2);
    const step = width / mu.length;
    const bar = (style, left, top, bottom, wide) => {
      context.fillStyle = style;
      context.fillRect(left, top, wide, Math.max(bottom - top, 1));
    };
    const accent = colour("accent");
    bar(colour("line"), 0, height / 2, height / 2, width);
    mu.forEach((mean, i) => {
      const deviation = logVar ? Math.exp(logVar[i] / 2) : 0;
      bar(`${accent}66`, (i + 0.2) * step, y(mean + 2 * deviation), y(mean - 2 * deviation), 0.6 * step);
      bar(accent, (i + 0.2) * step, y(mean) - 1, y(mean) + 1, 0.6 * step);
    });
  }
}

// The way from one code to another.
export class Path {
  constructor(page) {
    Object.assign(this, { page, ends: [null, null], frames: [], codes: [], at: 0, make: newest(() => this.decode(), fails) });
    ["from", "to"].forEach((id, end) => listen(el(id), { click: () => this.set(end, page.z).then(() => announce(`the path ${end ? "ends" : "begins"} here`)) }));
    listen(el("spherical"), { change: () => this.make() });
    listen(el("way"), { input: () => this.go(el("way").valueAsNumber) });
    listen(el("play"), { click: () => (this.timer ? this.stop() : this.play()) });
    const click = async () => {
      const there = this.codes.map((_, i) => this.image(i, 8));
      save(await png([...there, ...there.slice(1, -1).reverse()]), "path.png");
    };
    listen(el("save-path"), { click });
  }

  set(end, code) {
    this.ends[end] = code.slice();
    return this.make();
  }

  async decode() {
    const [from, to] = this.ends;
    const { model, label, content } = this.page;
    if (!from || !to) return;
    this.codes = Array.from({ length: FRAMES }, (_, i) => between(from, to, i / (FRAMES - 1), el("spherical").checked));
    this.frames = await model.decodeAll(this.codes, label);
    for (const id of ["way", "play", "save-path"]) el(id).disabled = false;
    if (!content.picture) return;
    const { context, width, height } = crisp(el("strip"));
    const count = Math.min(Math.max(Math.round((width * content.height) / (height * content.width)), 2), FRAMES);
    for (let i = 0; i < count; i++) {
      const frame = this.frames[Math.round((i * (FRAMES - 1)) / (count - 1))];
      paint(context, pixels(frame, content), [(i * width) / count, 0, width / count - 2, height]);
    }
  }

  go(number) {
    el("way").value = number;
    return this.page.take(this.codes[number]);
  }

  // There and back until it is stopped.
  play() {
    el("play").textContent = "Pause";
    this.timer = setInterval(() => {
      const round = 2 * FRAMES - 2;
      this.at = (this.at + 1) % round;
      this.go(this.at < FRAMES ? this.at : round - this.at);
    }, 1000 / 12);
  }

  stop() {
    el("play").textContent = "Play";
    this.timer = clearInterval(this.timer);
  }

  // A frame, enlarged for viewers that would blur it.
  image(number, scale) {
    const { width, height } = this.page.content;
    const larger = width * scale <= 512 ? scale : 1;
    const context = new OffscreenCanvas(width * larger, height * larger).getContext("2d");
    paint(context, pixels(this.frames[number], this.page.content), [0, 0, width * larger, height * larger]);
    return context.getImageData(0, 0, width * larger, height * larger);
  }
}

// Moves the code by the mean of one label minus that of another, from where it was taken by other means.
export class LabelArithmetic {
  constructor(page) {
    const { labels, known, content } = page;
    el("labels-card").hidden = known.length < 2;
    ["minus", "plus"].forEach((id, chosen) => fill(el(id), known.map((label) => page.called(label)), chosen));
    const mean = (id) => meanOf(page.codes.filter((_, i) => labels[i] === known[el(id).value]), content.latent);
    const input = () => {
      const [to, from, base, amount] = [mean("plus"), mean("minus"), this.base ?? page.z, el("amount").valueAsNumber];
      el("amount-value").textContent = format(amount, 1);
      return page.take(base.map((v, i) => v + amount * (to[i] - from[i])), base);
    };
    for (const id of ["amount", "plus", "minus"]) listen(el(id), { input });
  }

  // The code was taken: by this from `base`, or elsewhere.
  beginAt(base) {
    this.base = base;
    if (!base) [el("amount").value, el("amount-value").textContent] = [0, "0.0"];
  }
}

// What the model draws by itself.
export class Samples {
  constructor(page) {
    Object.assign(this, { page, draw: newest(() => this.sample(), fails), chosen: 0 });
    el("samples-card").hidden = !page.model.programs.sample;
    for (const id of ["temperature", "seed"]) listen(el(id), { input: () => this.draw() });
    const more = () => {
      el("seed").value = (el("seed").valueAsNumber || 0) + 1;
      return this.draw();
    };
    listen(el("again"), { click: more });
    const grid = el("samples");
    const click = (event) => {
      const [x, y] = [event.offsetX, event.offsetY].map((v) => Math.floor((v * this.columns) / grid.clientWidth));
      this.choose(y * this.columns + x);
    };
    const keydown = (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns }[event.key];
      if (move) event.preventDefault();
      if (move) this.choose(this.chosen + move);
    };
    listen(grid, { click, keydown });
  }

  choose(number) {
    if (!this.codes?.[number]) return;
    this.chosen = number;
    this.page.take(this.codes[number]);
    announce(`sample ${number + 1}`);
  }

  async sample() {
    const { model, content, label } = this.page;
    if (!model.programs.sample) return;
    const temperature = el("temperature").valueAsNumber;
    el("temperature-value").textContent = format(temperature);
    const { codes, means } = await model.sample(el("seed").valueAsNumber || 0, temperature, label);
    Object.assign(this, { codes, columns: Math.ceil(Math.sqrt(codes.length)) });
    this.page.remember();
    if (!content.picture) return this.table(means);
    const { context, width } = crisp(el("samples"));
    const side = width / this.columns;
    means.forEach((x, i) => paint(context, pixels(x, content), [(i % this.columns) * side, Math.floor(i / this.columns) * side, side - 1, side - 1]));
  }

  table(means) {
    const head = this.page.content.columns.slice(0, WIDE).map(({ name }) => make("th", { textContent: name, scope: "col" }));
    const rows = means.slice(0, 12).map((x, i) => {
      const cells = Array.from(this.page.model.own(x, true, true).slice(0, WIDE), (v) => make("td", { textContent: plain(v) }));
      const row = make("tr", { tabIndex: 0 }, ...cells);
      listen(row, { click: () => this.choose(i), keydown: (event) => event.key === "Enter" && this.choose(i) });
      return row;
    });
    el("sample-rows").replaceChildren(make("tr", {}, ...head), ...rows);
  }
}
