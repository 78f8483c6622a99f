// The page: opens the device, and ties the model, the map and the cards together.

import { openDevice, unpack } from "./engine.js";
import { Model, cut, newest } from "./model.js";
import { el, fill, listen, trouble } from "./elements.js";
import { Places, pair, principal } from "./space.js";
import { paint, png } from "./pictures.js";
import { LatentMap } from "./map.js";
import { LabelArithmetic, Path, Samples, Sliders, Yours, showDecoded } from "./panels.js";
import { Training } from "./training.js";

// What of the page its address holds beside the code, and in which elements.
const KEPT = { plane: "plane", x: "axis-x", y: "axis-y", label: "label", seed: "seed", t: "temperature" };

class Explorer {
  static async open() {
    const content = JSON.parse(el("content").textContent);
    const gpu = await openDevice();
    el("adapter").textContent = gpu.name;
    const page = new Explorer(content, await Model.on(gpu, content));
    const fails = (text) => {
      page.halt();
      trouble(text);
    };
    gpu.device.addEventListener("uncapturederror", ({ error }) => fails(`WebGPU: ${error.message}`));
    gpu.device.lost.then(({ message }) => fails(`the device was lost, reload the page: ${message}`));
    listen(window, { unhandledrejection: ({ reason }) => trouble(String(reason?.message ?? reason)) });
    // Cards are as large as they will be, and answer once all of it works.
    Object.assign(el("app"), { hidden: false, inert: true });
    el("fallback").hidden = true;
    await page.load();
    el("app").inert = false;
    return page;
  }

  constructor(content, model) {
    Object.assign(this, { content, model, z: new Float32Array(content.latent), label: 0 });
    Object.assign(this, { codes: [], labels: [], row: null });
    const decode = async (z) => showDecoded(this, await model.decode(z, this.label), z);
    this.view = newest(decode, (error) => trouble(error.message));
  }

  // Nothing answers any more.
  halt() {
    el("app").inert = true;
    if (this.training) this.training.running = false;
    this.path?.stop();
  }

  async load() {
    const { content } = this;
    await this.unpack();
    this.controls();
    // Where the address says nothing, it begins at a datum.
    if (this.codes.length) this.z = this.codes[0].slice();
    if (content.conditional && this.labels.length) el("label").value = this.labels[0];
    this.read();
    this.map = new LatentMap(this);
    if (content.training) this.training = await Training.of(this);
    Object.assign(this, { sliders: new Sliders(this), yours: new Yours(this), path: new Path(this) });
    Object.assign(this, { arithmetic: new LabelArithmetic(this), samples: new Samples(this) });
    if (this.training) await this.recode();
    else this.choosePlane();
    await this.take(this.z);
    for (const end of [0, 1]) if (this.codes[end]) await this.path.set(end, this.codes[end]);
    await this.samples.draw();
  }

  async unpack() {
    const { points, latent } = this.content;
    if (points.labelled) this.labels = new Uint32Array(await unpack("labels"));
    this.known = [...new Set(this.labels)].sort((a, b) => a - b);
    if (el("codes")) this.codes = cut(new Float32Array(await unpack("codes")), latent);
    if (points.tsne) this.tsne = cut(new Float32Array(await unpack("tsne")), 2);
    if (el("row")) this.row = new Float32Array(await unpack("row"));
    if (!points.thumbs) return;
    this.sprite = new Image();
    this.sprite.src = `data:image/png;base64,${el("thumbs").textContent}`;
    await this.sprite.decode();
  }

  // Shows what this model has, and fills the menus.
  controls() {
    const { content } = this;
    const lacks = [content.picture ? "table" : "picture", content.log_var === null ? "kl" : "point"];
    for (const node of document.querySelectorAll(lacks.map((what) => `.${what}-only`).join())) node.hidden = true;
    el("points").textContent = content.points.what;
    el("label-row").hidden = content.conditional === 0;
    el("training-card").hidden = !content.training;
    fill(el("label"), Array.from({ length: content.conditional }, (_, i) => this.called(i)));
    const dims = Array.from({ length: content.latent }, (_, i) => i).sort((a, b) => (content.kl[b] ?? 0) - (content.kl[a] ?? 0));
    const names = Array.from(dims, (_, i) => `z${i}`);
    fill(el("axis-x"), names, dims[0]);
    fill(el("axis-y"), names, dims[1] ?? 0);
    if (!content.points.tsne) el("plane-tsne").remove();
    el("plane").value = content.latent > 2 ? "pca" : "pair";
    for (const id of ["plane", "axis-x", "axis-y"]) listen(el(id), { input: () => this.choosePlane() });
    listen(el("label"), { input: () => this.again() });
    listen(el("origin"), { click: () => this.take(new Float32Array(content.latent)) });
    listen(matchMedia("(prefers-color-scheme: dark)"), { change: () => this.map.refresh() });
    listen(window, { hashchange: () => this.read() && this.again() });
  }

  // Shows all of it anew: the address or the label has changed.
  async again() {
    this.label = Number(el("label").value);
    this.choosePlane();
    await Promise.all([this.take(this.z), this.yours.again(), this.path.make(), this.samples.draw()]);
  }

  choosePlane() {
    const { latent } = this.content;
    const kind = el("plane").value;
    el("pair").hidden = kind !== "pair";
    // While a model learns, its principal components turn slowly.
    const before = this.training && kind === this.kind ? this.map.plane : null;
    this.kind = kind;
    const axes = ["axis-x", "axis-y"].map((id) => Number(el(id).value));
    const planes = {
      pair: () => pair(latent, ...axes),
      pca: () => principal(this.codes, latent, before),
      tsne: () => new Places(this.codes, this.tsne, `t-SNE, perplexity ${this.content.points.tsne}`),
    };
    this.map.show(planes[kind]());
    this.remember();
  }

  // Looks at a code without taking it; at none, again at the one that was taken.
  look(code) {
    this.sliders.show(code ?? this.z);
    return this.view(code ?? this.z);
  }

  // Takes a code, unless it is none: the map, the sliders and the picture go there. `base` is where label arithmetic began.
  async take(code, base = null) {
    const z = Float32Array.from(code);
    if (!z.every(Number.isFinite)) return;
    this.z = z;
    this.arithmetic.beginAt(base);
    this.map.draw();
    this.remember();
    await this.look(null);
  }

  // What a label and a datum are called.
  called(label) {
    return this.content.classes[label] ?? String(label);
  }

  nameOf(datum) {
    return this.labels.length ? `label ${this.called(this.labels[datum])}` : `datum ${datum}`;
  }

  // Draws the small picture of a datum, if it has one.
  thumb(datum, canvas) {
    if (!this.sprite) return false;
    const { width, height, columns } = this.content.points.thumbs;
    [canvas.width, canvas.height] = [width, height];
    canvas.getContext("2d").drawImage(this.sprite, (datum % columns) * width, Math.floor(datum / columns) * height, width, height, 0, 0, width, height);
    return true;
  }

  // Encodes the data of the map anew, with the weights as they are: evenly spaced rows of the training data.
  async recode() {
    const { model, content, training } = this;
    const { count } = content.points;
    const row = (i) => training.row(Math.floor((i * training.rows) / count));
    const { codes, kl } = await model.codesOf(count, row, content.conditional ? this.labels : []);
    this.codes = codes;
    content.kl = kl;
    this.sliders.update();
    this.choosePlane();
    await Promise.all([this.look(null), this.path.make(), this.samples.draw()]);
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
    const z = state.get("z")?.split(",").map(Number) ?? [];
    if (z.length === this.content.latent && z.every(Number.isFinite)) this.z = Float32Array.from(z);
    for (const [key, id] of Object.entries(KEPT)) {
      const [value, options] = [state.get(key), el(id).options];
      if (value && (!options || Array.from(options).some((option) => option.value === value))) el(id).value = value;
    }
    this.label = Number(el("label").value);
    return true;
  }
}

// For the browser's console, and for tests: the page, and how its start ended.
globalThis.vae = { png, paint };
vae.ready = Explorer.open().then((page) => Object.assign(vae, { page }), (error) => {
  el("app").hidden = true;
  el("fallback").hidden = false;
  el("why").textContent = `${error.message}.`;
  trouble("the model does not run here");
  return { error: String(error.stack ?? error) };
});
