// The page: opens the device, and ties the model, the map and the cards together.

import { openDevice, unpack } from "./engine.js";
import { Model, newest } from "./model.js";
import { announce, el, fill, listen } from "./elements.js";
import { pair, principal } from "./space.js";
import { png } from "./pictures.js";
import { LatentMap } from "./map.js";
import { Path, Samples, Sliders, Yours, labelArithmetic, showDecoded } from "./panels.js";
import { Training } from "./training.js";

// Rows of a matrix.
const cut = (values, width) => Array.from({ length: values.length / width }, (_, i) => values.subarray(i * width, (i + 1) * width));

// What of the page its address holds beside the code, and in which elements.
const KEPT = { plane: "plane", x: "axis-x", y: "axis-y", label: "label", seed: "seed", t: "temperature" };

class Explorer {
  static async open() {
    const content = JSON.parse(el("content").textContent);
    const gpu = await openDevice();
    gpu.device.addEventListener("uncapturederror", ({ error }) => trouble(`WebGPU: ${error.message}`));
    gpu.device.lost.then(({ message }) => trouble(`the device was lost: ${message || "reload the page"}`));
    const page = new Explorer(content, await Model.on(gpu, content));
    await page.load();
    el("adapter").textContent = gpu.name;
    return page;
  }

  constructor(content, model) {
    Object.assign(this, { content, model, classes: content.classes, z: new Float32Array(content.latent), label: 0 });
    // What is called when the code was taken elsewhere, and milliseconds from a request to its picture.
    Object.assign(this, { codes: [], labels: [], rows: [], cells: [], moved: [], times: [] });
    this.view = newest(async (z) => {
      const begin = performance.now();
      showDecoded(this, await model.decode(z, this.label), z);
      if (this.times.push(performance.now() - begin) > 1000) this.times.shift();
    });
  }

  async load() {
    const { content } = this;
    const { latent, points, dim } = content;
    if (points.labelled) this.labels = new Uint32Array(await unpack("labels"));
    if (el("codes")) this.codes = cut(new Float32Array(await unpack("codes")), latent);
    if (el("rows")) this.rows = cut(new Float32Array(await unpack("rows")), dim);
    if (points.thumbs) {
      this.sprite = new Image();
      this.sprite.src = `data:image/png;base64,${el("thumbs").textContent}`;
      await this.sprite.decode();
    }
    el("app").hidden = false;
    el("fallback").hidden = true;
    for (const node of document.querySelectorAll(content.picture ? ".table-only" : ".picture-only")) node.hidden = true;
    el("points").textContent = points.what;
    el("label-row").hidden = content.conditional === 0;
    fill(el("label"), Array.from({ length: content.conditional }, (_, i) => this.classes[i] ?? String(i)));
    const input = () => {
      this.label = Number(el("label").value);
      this.take(this.z);
      this.samples.draw();
      this.map.drawBackdrop();
    };
    listen(el("label"), { input });
    const dims = Array.from({ length: latent }, (_, i) => i).sort((a, b) => (content.kl[b] ?? 0) - (content.kl[a] ?? 0));
    const names = Array.from({ length: latent }, (_, i) => `z${i}`);
    fill(el("axis-x"), names, dims[0]);
    fill(el("axis-y"), names, dims[1] ?? 0);
    el("plane").value = latent > 2 ? "pca" : "pair";
    // Where the address says nothing, it begins at a datum.
    if (this.codes.length) this.z = this.codes[0].slice();
    if (content.conditional && this.labels.length) el("label").value = this.labels[0];
    this.read();
    this.map = new LatentMap(this);
    if (content.training) this.training = await Training.of(this);
    el("training-card").hidden = !this.training;
    Object.assign(this, { sliders: new Sliders(this), yours: new Yours(this), path: new Path(this), samples: new Samples(this) });
    labelArithmetic(this);
    for (const id of ["plane", "axis-x", "axis-y"]) listen(el(id), { input: () => this.choosePlane() });
    listen(el("origin"), { click: () => this.take(new Float32Array(latent)) });
    listen(matchMedia("(prefers-color-scheme: dark)"), { change: () => this.map.refresh() });
    if (this.training) await this.recode();
    else this.choosePlane();
    this.take(this.z);
    for (const end of [0, 1]) if (this.codes[end]) this.path.set(end, this.codes[end]);
    await this.samples.draw();
  }

  choosePlane() {
    const { latent } = this.content;
    const kind = el("plane").value;
    el("pair").hidden = kind !== "pair";
    // While a model learns, its principal components turn slowly.
    const before = this.training && kind === this.kind ? this.map.plane : null;
    this.kind = kind;
    const axes = ["axis-x", "axis-y"].map((id) => Number(el(id).value));
    this.map.show(kind === "pair" ? pair(latent, ...axes) : principal(this.codes, latent, before));
    this.remember();
  }

  // Looks at a code without taking it; at none, again at the one that was taken.
  look(code) {
    this.sliders.show(code ?? this.z);
    return this.view(code ?? this.z);
  }

  // Takes a code: the map, the sliders and the picture go there.
  take(code, relative = false) {
    this.z = Float32Array.from(code);
    if (!relative) this.moved.forEach((tell) => tell());
    this.map.draw();
    this.remember();
    return this.look(null);
  }

  // What a datum is called.
  nameOf(datum) {
    const label = this.labels[datum];
    return label === undefined ? `datum ${datum}` : `label ${this.classes[label] ?? label}`;
  }

  // Draws the small picture of a datum, if it has one.
  thumb(datum, canvas) {
    if (!this.sprite) return false;
    const { width, height, columns } = this.content.points.thumbs;
    [canvas.width, canvas.height] = [width, height];
    canvas.getContext("2d").drawImage(this.sprite, (datum % columns) * width, Math.floor(datum / columns) * height, width, height, 0, 0, width, height);
    return true;
  }

  // Encodes the data of the map anew, with the weights as they are.
  async recode() {
    const { model, content, training } = this;
    const { rows, cols } = model.programs.map.ports.x;
    const { latent, log_var: at } = content;
    const kl = new Float64Array(at === null ? 0 : latent);
    const codes = [];
    for (let first = 0; first < content.points.count; first += rows) {
      const count = Math.min(rows, content.points.count - first);
      const x = new Float32Array(rows * cols);
      for (let i = 0; i < count; i++) x.set(training.row(first + i).map((v) => (content.threshold ? Number(v > 0.5) : v)), i * cols);
      const labels = Array.from({ length: rows }, (_, i) => this.labels[first + i] ?? 0);
      const [head] = await model.run("map", { valid_rows: count }, { x }, labels, ["head"]);
      const width = head.length / rows;
      for (const row of cut(head, width).slice(0, count)) {
        codes.push(row.slice(0, latent));
        kl.forEach((_, j) => (kl[j] += (row[j] ** 2 + Math.exp(row[at + j]) - 1 - row[at + j]) / 2 / content.points.count));
      }
    }
    this.codes = codes;
    this.sliders.order((content.kl = Array.from(kl)));
    this.choosePlane();
    this.look(null);
    await this.path.make();
    return this.samples.draw();
  }

  // The state as the address's fragment, and back.
  remember() {
    clearTimeout(this.remembering);
    this.remembering = setTimeout(() => {
      const kept = Object.entries(KEPT).map(([key, id]) => [key, el(id).value]);
      const z = Array.from(this.z, (v) => Number(v.toFixed(3))).join(",");
      history.replaceState(null, "", `#${new URLSearchParams([["z", z], ...kept])}`);
    }, 300);
  }

  read() {
    const state = new URLSearchParams(location.hash.slice(1));
    const z = (state.get("z") ?? "").split(",").map(Number);
    if (z.length === this.content.latent && z.every(Number.isFinite)) this.z = Float32Array.from(z);
    for (const [key, id] of Object.entries(KEPT)) {
      const [value, options] = [state.get(key), el(id).options];
      if (value && (!options || Array.from(options).some((option) => option.value === value))) el(id).value = value;
    }
    this.label = Number(el("label").value);
  }
}

function trouble(text) {
  el("adapter").textContent = text;
  el("adapter").classList.add("trouble");
  announce(text);
}

// For the browser's console, and for tests: the page, and how its start ended.
globalThis.vae = { png };
vae.ready = Explorer.open().then((page) => Object.assign(vae, { page }), (error) => {
  el("why").textContent = `${error.message}.`;
  trouble("pictures only");
  return { error: String(error.stack ?? error) };
});
