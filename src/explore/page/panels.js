// The cards beside the map: what stands here, sliders, data of one's own, a path, label arithmetic, and samples.

import { announce, colour, crisp, el, fill, format, listen, make, plain } from "./elements.js";
import { heat, paint, pixels, pixelsOf, png, save, show, toX } from "./pictures.js";
import { between, meanOf } from "./space.js";
import { newest } from "./model.js";

const FRAMES = 24; // of a path
const SHOWN = 64; // dimensions with a slider
const PEN = 280; // pixels of a side of the drawing

// What the decoder makes of the code: a picture, or a row of a table with each value in its column's range.
export function showDecoded(page, x, z) {
  const usual = page.model.programs.sample ? `; of a draw from the prior about ${format(Math.sqrt(z.length), 1)}` : "";
  el("norm").textContent = `|z| = ${format(Math.hypot(...z))}${usual}`;
  if (page.content.picture) return show(el("here"), pixels(x, page.content));
  const own = page.model.own(x, true);
  page.content.columns.forEach(({ name, range }, i) => {
    const [cell, bar] = (page.cells[i] ??= rowOf(name));
    cell.textContent = plain(own[i]);
    const share = range && range[1] > range[0] ? (own[i] - range[0]) / (range[1] - range[0]) : 0;
    bar.style.width = `${100 * Math.min(Math.max(share, 0), 1)}%`;
  });
}

function rowOf(name) {
  const [cell, bar] = [make("td"), make("span", { className: "bar" })];
  el("row").append(make("tr", {}, make("th", { textContent: name, scope: "row" }), cell, make("td", { className: "scale" }, bar)));
  return [cell, bar];
}

// A slider for each dimension, the one with the largest KL first.
export class Sliders {
  constructor(page) {
    const { latent } = page.content;
    this.page = page;
    this.reach = Array.from({ length: latent }, (_, i) => page.codes.reduce((most, code) => Math.max(most, Math.abs(code[i])), 3));
    this.inputs = Array.from({ length: latent }, (_, i) => {
      const input = make("input", { type: "range", min: -this.reach[i], max: this.reach[i], step: 0.01, value: 0 });
      input.ariaLabel = `dimension ${i}`;
      listen(input, { input: () => page.take(page.z.map((v, at) => (at === i ? input.valueAsNumber : v))) });
      const [nats, value] = [make("span", { className: "nats" }), make("output")];
      return { input, nats, value, line: make("div", { className: "slider" }, make("b", { textContent: `z${i}` }), nats, input, value) };
    });
    this.order(page.content.kl);
  }

  order(kl) {
    const numbers = this.inputs.map((_, i) => i).sort((a, b) => (kl[b] ?? 0) - (kl[a] ?? 0));
    numbers.forEach((i) => (this.inputs[i].nats.textContent = kl.length ? `${format(kl[i])} nats` : ""));
    el("sliders").replaceChildren(...numbers.slice(0, SHOWN).map((i) => this.inputs[i].line));
    el("more-dims").textContent = numbers.length > SHOWN ? `${numbers.length - SHOWN} more have less KL and no slider` : "";
  }

  show(z) {
    this.inputs.forEach(({ input, value }, i) => {
      if (document.activeElement !== input || input.valueAsNumber !== z[i]) input.value = z[i];
      value.textContent = format(z[i]);
    });
  }
}

// A drawing, a file, or a row that is typed: q(z|x), what the model makes of it, and its score.
export class Yours {
  constructor(page) {
    Object.assign(this, { page, judge: newest((x) => this.encode(x)) });
    if (page.content.picture) this.drawing();
    else this.form();
  }

  drawing() {
    const { content } = this.page;
    const canvas = el("pad");
    [canvas.width, canvas.height] = [PEN, Math.round((PEN * content.height) / content.width)];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const whole = () => context.getImageData(0, 0, canvas.width, canvas.height);
    const clear = () => {
      context.fillRect(0, 0, canvas.width, canvas.height);
      el("yours-results").hidden = true;
    };
    clear();
    el("pen-label").hidden = content.channels === 1;
    Object.assign(context, { lineCap: "round", lineJoin: "round", lineWidth: PEN / 12 });
    const at = (event) => [(event.offsetX * canvas.width) / canvas.clientWidth, (event.offsetY * canvas.height) / canvas.clientHeight];
    listen(canvas, {
      pointerdown: (event) => {
        canvas.setPointerCapture(event.pointerId);
        context.beginPath();
        context.moveTo(...at(event));
      },
      pointermove: (event) => {
        if (event.buttons !== 1) return;
        context.strokeStyle = content.channels === 1 ? "#fff" : el("pen").value;
        context.lineTo(...at(event));
        context.stroke();
        this.judge(toX(whole(), content));
      },
    });
    listen(el("clear"), { click: clear });
    const take = async (file) => {
      const image = await pixelsOf(file).catch(() => null);
      if (!image) return (el("yours-note").textContent = `${file?.name} is no picture that this browser reads`);
      const x = toX(image, content);
      paint(context, pixels(x, content), [0, 0, canvas.width, canvas.height]);
      return this.judge(x);
    };
    listen(el("file"), { change: (event) => take(event.target.files[0]) });
    const drop = (event) => {
      event.preventDefault();
      take(event.dataTransfer.files[0]);
    };
    listen(el("yours-card"), { dragover: (event) => event.preventDefault(), drop });
  }

  form() {
    const { page } = this;
    const own = page.rows.length ? page.model.own(page.rows[0]) : [];
    const inputs = page.content.columns.map(({ name, whole, fill: missing }, i) => {
      const value = own[i] === undefined ? "" : plain(own[i]);
      const input = make("input", { type: "number", step: whole ? 1 / page.content.steps : "any", value, placeholder: missing ?? "" });
      el("form").append(make("label", {}, make("span", { textContent: name }), input));
      return input;
    });
    const given = (input, i) => (input.value === "" ? (page.content.columns[i].fill ?? 0) : input.valueAsNumber);
    listen(el("form"), { input: () => this.judge(page.model.scaled(inputs.map(given))) });
  }

  async encode(data) {
    const { page } = this;
    const x = page.content.picture ? page.model.scaled(data) : data;
    const found = await page.model.encode(x, page.label);
    el("yours-results").hidden = false;
    el("yours-note").textContent = "";
    if (page.content.picture) {
      show(el("seen"), pixels(x, page.content));
      show(el("rebuilt"), pixels(found.mean, page.content));
      show(el("strange"), heat(found.nats, page.content));
    }
    const score = -(found.recon - found.kl);
    el("score").textContent = `${format(score, 1)} \u00b1 ${format(found.deviation, 1)} nats`;
    const terms = `score = \u2212ELBO: reconstruction ${format(found.recon, 1)}, KL ${format(found.kl, 1)}`;
    el("terms").textContent = found.logVar ? terms : "score = \u2212log p(x|z)";
    this.found = found;
    this.drawPosterior(found);
    page.take(found.mu);
  }

  // q(z|x): a bar of two standard deviations either way about each mean.
  drawPosterior({ mu, logVar }) {
    const { context, width, height } = crisp(el("posterior"));
    const reach = Math.max(3, ...mu.map(Math.abs)) + 0.5;
    const y = (v) => height / 2 - (v / reach) * (height / 2 - 2);
    const step = width / mu.length;
    const bar = (style, left, top, bottom, wide) => {
      context.fillStyle = style;
      context.fillRect(left, top, wide, Math.max(bottom - top, 1));
    };
    bar(colour("line"), 0, height / 2, height / 2, width);
    mu.forEach((mean, i) => {
      const deviation = logVar ? Math.exp(logVar[i] / 2) : 0;
      bar(`${colour("accent")}66`, (i + 0.2) * step, y(mean + 2 * deviation), y(mean - 2 * deviation), 0.6 * step);
      bar(colour("accent"), (i + 0.2) * step, y(mean) - 1, y(mean) + 1, 0.6 * step);
    });
  }
}

// The way from one code to another.
export class Path {
  constructor(page) {
    Object.assign(this, { page, ends: [null, null], frames: [], codes: [] });
    ["from", "to"].forEach((id, end) => listen(el(id), { click: () => this.set(end, page.z).then(() => announce(`the path ${end ? "ends" : "begins"} here`)) }));
    listen(el("spherical"), { change: () => this.make() });
    listen(el("way"), { input: () => this.go(el("way").valueAsNumber) });
    listen(el("play"), { click: () => this.play() });
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

  async make() {
    const [from, to] = this.ends;
    if (!from || !to) return;
    this.codes = Array.from({ length: FRAMES }, (_, i) => between(from, to, i / (FRAMES - 1), el("spherical").checked));
    this.frames = await this.page.model.decodeAll(this.codes, this.page.label);
    for (const id of ["way", "play", "save-path"]) el(id).disabled = false;
    if (!this.page.content.picture) return;
    const { context, width, height } = crisp(el("strip"));
    const count = Math.max(Math.round(width / height), 2);
    for (let i = 0; i < count; i++) {
      const frame = this.frames[Math.round((i * (FRAMES - 1)) / (count - 1))];
      paint(context, pixels(frame, this.page.content), [(i * width) / count, 0, width / count - 2, height]);
    }
  }

  go(number) {
    el("way").value = number;
    this.page.take(this.codes[number]);
  }

  // There and back until it is pressed again.
  play() {
    this.timer = this.timer ? clearInterval(this.timer) : setInterval(() => {
      const round = 2 * FRAMES - 2;
      this.at = ((this.at ?? 0) + 1) % round;
      this.go(this.at < FRAMES ? this.at : round - this.at);
    }, 1000 / 12);
    el("play").textContent = this.timer ? "Pause" : "Play";
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

// Moves the code by the mean of one label minus that of another; wherever else it is taken, it begins anew there.
export function labelArithmetic(page) {
  const known = [...new Set(page.labels)].sort((a, b) => a - b);
  el("labels-card").hidden = known.length < 2;
  ["minus", "plus"].forEach((id, chosen) => fill(el(id), known.map((label) => page.classes[label] ?? label), chosen));
  let base = null;
  const mean = (id) => meanOf(page.codes.filter((_, i) => page.labels[i] === known[el(id).value]), page.content.latent);
  const input = () => {
    base ??= page.z.slice();
    const [to, from, amount] = [mean("plus"), mean("minus"), el("amount").valueAsNumber];
    page.take(base.map((v, i) => v + amount * (to[i] - from[i])), true);
    el("amount-value").textContent = format(amount, 1);
  };
  for (const id of ["amount", "plus", "minus"]) listen(el(id), { input });
  page.moved.push(() => {
    [base, el("amount").value, el("amount-value").textContent] = [null, 0, "0.0"];
  });
}

// What the model draws by itself.
export class Samples {
  constructor(page) {
    Object.assign(this, { page, draw: newest(() => this.sample()), chosen: 0 });
    el("samples-card").hidden = !page.model.programs.sample;
    for (const id of ["temperature", "seed"]) listen(el(id), { input: () => this.draw() });
    const more = () => {
      el("seed").value = (el("seed").valueAsNumber || 0) + 1;
      this.draw();
    };
    listen(el("again"), { click: more });
    const grid = el("samples");
    listen(grid, {
      click: (event) => {
        const [x, y] = [event.offsetX, event.offsetY].map((v) => Math.floor((v * this.columns) / grid.clientWidth));
        this.choose(y * this.columns + x);
      },
      keydown: (event) => {
        const move = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns }[event.key];
        if (move) event.preventDefault();
        if (move) this.choose(this.chosen + move);
      },
    });
  }

  choose(number) {
    if (!this.codes?.[number]) return;
    this.chosen = number;
    this.page.take(this.codes[number]);
    announce(`sample ${number + 1}`);
  }

  async sample() {
    const { page } = this;
    if (!page.model.programs.sample) return;
    const temperature = el("temperature").valueAsNumber;
    el("temperature-value").textContent = format(temperature);
    const { codes, means } = await page.model.sample(el("seed").valueAsNumber || 0, temperature, page.label);
    Object.assign(this, { codes, columns: Math.ceil(Math.sqrt(codes.length)) });
    page.remember();
    if (!page.content.picture) return this.table(means);
    const { context, width } = crisp(el("samples"));
    const side = width / this.columns;
    means.forEach((x, i) => paint(context, pixels(x, page.content), [(i % this.columns) * side, Math.floor(i / this.columns) * side, side - 1, side - 1]));
  }

  table(means) {
    const head = make("tr", {}, ...this.page.content.columns.map(({ name }) => make("th", { textContent: name, scope: "col" })));
    const rows = means.slice(0, 12).map((x, i) => {
      const row = make("tr", { tabIndex: 0 }, ...Array.from(this.page.model.own(x, true), (v) => make("td", { textContent: plain(v) })));
      listen(row, { click: () => this.choose(i), keydown: (event) => event.key === "Enter" && this.choose(i) });
      return row;
    });
    el("sample-rows").replaceChildren(head, ...rows);
  }
}
