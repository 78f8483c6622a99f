// Training in the page: the steps, orders and draws of the program's own training, from the same seed.

import { MOST_STEPS, stepOf, unpack } from "./engine.js";
import { colour, crisp, el, format, listen } from "./elements.js";

const PACE = 80; // milliseconds of a submission
const LOOK = 1500; // milliseconds from one look at the map and the samples to the next

export class Training {
  // The training of the page, with its data on the device.
  static async of(page) {
    const { model, content } = page;
    const training = Object.assign(new Training(), content.training, { page, model, program: model.programs.train });
    const [data, orders] = await Promise.all([unpack("data"), unpack("orders")]);
    training.order = new Uint32Array(orders);
    training.data = training.bytes ? new Uint8Array(data) : new Float32Array(data);
    training.program.write("data", new Uint32Array(data));
    if (training.program.ports.labels) training.program.write("labels", new Uint32Array(await unpack("data-labels")));
    el("lr").value = Math.log10(training.lr);
    el("beta").value = training.beta;
    listen(el("start"), { click: () => (training.running ? (training.running = false) : training.start()) });
    listen(el("reset"), { click: () => training.reset() });
    listen(el("lr"), { input: () => training.say((training.lr = 10 ** el("lr").valueAsNumber)) });
    listen(el("beta"), { input: () => training.say((training.beta = el("beta").valueAsNumber)) });
    new ResizeObserver(() => training.draw()).observe(el("curves"));
    training.clear();
    return training;
  }

  clear() {
    Object.assign(this, { step: 0, losses: [], terms: [], seconds: 0, atOnce: 1, note: "" });
    this.say();
    this.draw();
  }

  // x of a row of the data, as the encoder reads it.
  row(i) {
    const { dim } = this.page.content;
    const stride = 4 * Math.ceil(dim / 4);
    const row = this.data.subarray(i * stride, i * stride + dim);
    return this.bytes ? Float32Array.from(row, (v) => v / 255) : row;
  }

  // The scalars of step t, counted from 1.
  scalars(t) {
    const steps = Math.ceil(this.rows / this.batch);
    const first_row = ((t - 1) % steps) * this.batch;
    const [rate, weight] = this.factors[t - 1] ?? this.factors.at(-1) ?? [1, 1];
    const [correction1, correction2] = this.adam.map((beta) => 1 / (1 - beta ** t));
    const [seed_lo, seed_hi] = this.seed;
    const rows = { first_row, valid_rows: Math.min(this.batch, this.rows - first_row), history_row: t % this.history };
    return { seed_lo, seed_hi, step: t, ...rows, learning_rate: this.lr * rate, correction1, correction2, kl_weight: this.beta * weight };
  }

  // Submits steps, none of the next epoch, and reads their losses.
  async steps(most) {
    const { program, model } = this;
    const steps = Math.ceil(this.rows / this.batch);
    const count = Math.min(most, MOST_STEPS, steps - (this.step % steps));
    const scalars = Array.from({ length: count }, (_, i) => this.scalars(this.step + 1 + i));
    const at = (Math.floor(this.step / steps) % this.orders) * this.rows;
    const begin = performance.now();
    const [ring] = await model.inTurn(() => {
      if (this.step % steps === 0) program.write("order", this.order.subarray(at, at + this.rows));
      return program.run(scalars.map((step) => stepOf(model.content.step, step)), ["history"]);
    });
    const took = performance.now() - begin;
    this.seconds += took / 1000;
    this.atOnce = Math.min(Math.max(Math.floor((count * PACE) / took), 1), 2 * count, MOST_STEPS);
    for (const { history_row, valid_rows } of scalars) {
      const [recon, kl, objective] = ring.subarray(4 * history_row, 4 * history_row + 3).map((v) => v / valid_rows);
      this.losses.push(-objective);
      this.terms.push([recon - kl, kl]);
    }
    this.step += count;
  }

  // Trains until it is paused, or for so many steps.
  async start(most = Infinity) {
    if (this.running) return;
    this.running = true;
    el("start").textContent = "Pause";
    const end = this.step + most;
    let looked = performance.now();
    while (this.running && this.step < end) {
      await this.steps(Math.min(this.atOnce, end - this.step));
      if (!Number.isFinite(this.losses.at(-1))) {
        this.note = "the loss is no number any more: reset, and use a smaller learning rate";
        this.running = false;
      }
      this.say();
      this.draw();
      if (performance.now() - looked > LOOK) {
        await this.page.recode();
        looked = performance.now();
      }
      // Lets the page breathe.
      await new Promise((resolve) => setTimeout(resolve));
    }
    this.running = false;
    el("start").textContent = "Start";
    await this.page.recode();
  }

  async reset() {
    this.running = false;
    await this.model.inTurn(() => {
      const zeros = new Float32Array(this.model.begin.length);
      this.model.setWeights(this.model.begin);
      for (const moment of ["moment1", "moment2"]) this.program.write(moment, zeros.subarray(0, this.program.ports[moment].cols));
    });
    this.clear();
    await this.page.recode();
  }

  say() {
    el("lr-value").textContent = this.lr.toExponential(1).replace("-", "\u2212");
    el("beta-value").textContent = format(this.beta, 1);
    const epoch = (this.step * this.batch) / this.rows;
    const speed = this.step && this.seconds ? `, ${Math.round((this.step * this.batch) / this.seconds)} data a second` : "";
    el("progress").textContent = this.note || `step ${this.step}, epoch ${epoch.toFixed(1)}${speed}`;
    const [elbo, kl] = this.recent(this.terms.length - 1);
    el("loss").textContent = this.step ? `ELBO ${format(elbo, 1)} nats, KL ${format(kl, 1)}` : "";
  }

  // Means of the terms of the last steps up to one, so that the curves are calm.
  recent(i, over = 20) {
    const some = this.terms.slice(Math.max(i + 1 - over, 0), i + 1);
    return [0, 1].map((term) => some.reduce((sum, terms) => sum + terms[term], 0) / some.length);
  }

  draw() {
    const { context, width, height } = crisp(el("curves"));
    const every = Math.max(Math.ceil(this.terms.length / 300), 1);
    const shown = this.terms.map((_, i) => i).filter((i) => i % every === 0 || i === this.terms.length - 1);
    const lines = shown.map((i) => this.recent(i));
    [colour("accent"), colour("second")].forEach((style, term) => {
      const values = lines.map((line) => line[term]);
      const sorted = values.slice().sort((a, b) => a - b);
      // The first steps are far off: the scale is that of all but the worst tenth.
      const [low, high] = [sorted[Math.floor(sorted.length / 10)], sorted.at(-1)];
      Object.assign(context, { strokeStyle: style, lineWidth: 2 });
      context.beginPath();
      values.forEach((v, i) => context.lineTo((i / Math.max(values.length - 1, 1)) * width, height - 6 - ((v - low) / (high - low || 1)) * (height - 12)));
      context.stroke();
    });
  }
}
