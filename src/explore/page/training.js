// Training in the page: the steps, orders and draws of the program's own training, from the same seed.

import { MOST_STEPS, stepOf, unpack } from "./engine.js";
import { colour, crisp, el, format, listen } from "./elements.js";

const PACE = 80; // milliseconds of a submission
const LOOK = 1500; // milliseconds from one look at the map and the samples to the next

export class Training {
  // The training of the page, with its data on the device.
  static async of(page) {
    const { model, content } = page;
    const training = Object.assign(new Training(), content.training, { page, model, program: model.programs.train, loop: null });
    const [data, orders] = await Promise.all([unpack("data"), unpack("orders")]);
    training.perEpoch = Math.ceil(training.rows / training.batch);
    training.order = new Uint32Array(orders);
    training.data = training.bytes ? new Uint8Array(data) : new Float32Array(data);
    training.program.write("data", new Uint32Array(data));
    if (training.program.ports.labels) training.program.write("labels", new Uint32Array(await unpack("data-labels")));
    Object.assign(el("beta"), { max: Math.max(8, 2 * training.beta), value: training.beta });
    el("lr").value = Math.log10(training.lr);
    listen(el("start"), { click: () => (training.loop ? training.pause() : training.start()) });
    listen(el("reset"), { click: () => training.reset() });
    listen(el("lr"), { input: () => training.say((training.lr = 10 ** el("lr").valueAsNumber)) });
    listen(el("beta"), { input: () => training.say((training.beta = el("beta").valueAsNumber)) });
    new ResizeObserver(() => training.draw()).observe(el("curves"));
    training.clear();
    return training;
  }

  clear() {
    Object.assign(this, { step: 0, losses: [], terms: [], seconds: 0, atOnce: 1 });
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

  // Factors of the learning rate and of beta in step t, as the program's schedules have them.
  factors(t) {
    const [done, now] = [(t - 1) / this.perEpoch, t / this.perEpoch];
    const { kind, at, factor } = this.schedule;
    const share = Math.min(done / this.epochs, 1);
    const stage = [0, 1, 2, 3, 4, 5, 6].find((i) => share < (3 ** (i + 1) - 1) / (3 ** 8 - 1)) ?? 7;
    const passed = at.filter((epoch) => done >= epoch).length;
    const rate = { constant: 1, cosine: (1 + Math.cos(Math.PI * share)) / 2, burda: 10 ** (-stage / 7), steps: factor ** passed }[kind];
    const ramp = (epochs) => (epochs > 0 ? Math.min(now / epochs, 1) : 1);
    return [rate * ramp(this.lr_warmup), ramp(this.kl_warmup)];
  }

  // The scalars of step t, counted from 1.
  scalars(t) {
    const first_row = ((t - 1) % this.perEpoch) * this.batch;
    const [rate, weight] = this.factors(t);
    const [correction1, correction2] = this.adam.map((beta) => 1 / (1 - beta ** t));
    const [seed_lo, seed_hi] = this.seed;
    const rows = { first_row, valid_rows: Math.min(this.batch, this.rows - first_row), history_row: t % this.history };
    return { seed_lo, seed_hi, step: t, ...rows, learning_rate: this.lr * rate, correction1, correction2, kl_weight: this.beta * weight };
  }

  // Submits steps, none of the next epoch, and reads their losses.
  async steps(most) {
    const { program, model, perEpoch } = this;
    const count = Math.min(most, MOST_STEPS, perEpoch - (this.step % perEpoch));
    const scalars = Array.from({ length: count }, (_, i) => this.scalars(this.step + 1 + i));
    const at = (Math.floor(this.step / perEpoch) % this.orders) * this.rows;
    const [ring] = await model.inTurn(async () => {
      const begin = performance.now();
      if (this.step % perEpoch === 0) program.write("order", this.order.subarray(at, at + this.rows));
      const read = await program.run(scalars.map((step) => stepOf(model.content.step, step)), ["history"]);
      const took = performance.now() - begin;
      this.seconds += took / 1000;
      this.atOnce = Math.min(Math.max(Math.floor((count * PACE) / took), 1), 2 * this.atOnce, MOST_STEPS);
      return read;
    });
    for (const { history_row, valid_rows } of scalars) {
      const [recon, kl, objective] = ring.subarray(4 * history_row, 4 * history_row + 3).map((v) => v / valid_rows);
      this.losses.push(-objective);
      this.terms.push([recon - kl, kl]);
    }
    this.step += count;
  }

  // Why it cannot go on; nothing where it can.
  end() {
    if (this.step && !Number.isFinite(this.losses.at(-1))) return "the loss is infinite or no number: reset, and use a smaller learning rate";
    return this.step < this.epochs * this.perEpoch ? "" : `all ${this.epochs} epochs are done: reset to begin anew`;
  }

  // Trains to the end, until it is paused, or for so many steps. However often it is called, one loop runs.
  start(most = Infinity) {
    el("start").textContent = "Pause";
    return (this.loop ??= this.train(most).finally(() => {
      Object.assign(this, { running: false, loop: null });
      el("start").textContent = "Start";
      this.say();
    }));
  }

  async train(most) {
    this.running = true;
    const last = this.step + most;
    let looked = performance.now();
    while (this.running && this.step < last && !this.end()) {
      await this.steps(Math.min(this.atOnce, last - this.step));
      this.say();
      this.draw();
      if (performance.now() - looked > LOOK) {
        await this.page.recode();
        looked = performance.now();
      }
    }
    this.running = false;
    await this.page.recode();
  }

  // Ends the loop, and waits until it has ended.
  async pause() {
    this.running = false;
    el("start").disabled = true;
    await this.loop;
    this.say();
  }

  async reset() {
    await this.pause();
    await this.model.inTurn(() => {
      const zeros = new Float32Array(this.model.begin.length);
      this.model.setWeights(this.model.begin);
      for (const moment of ["moment1", "moment2"]) this.program.write(moment, zeros.subarray(0, this.program.ports[moment].cols));
    });
    this.clear();
    await this.page.recode();
  }

  say() {
    el("lr-value").textContent = Number(this.lr.toPrecision(3)).toExponential().replace("-", "\u2212");
    el("beta-value").textContent = format(this.beta);
    const [epoch, steps] = [Math.floor(this.step / this.perEpoch), this.step % this.perEpoch];
    const data = epoch * this.rows + steps * this.batch;
    const speed = this.seconds ? `, ${Math.round(data / this.seconds)} data a second` : "";
    const end = this.end();
    el("progress").textContent = `step ${this.step}, epoch ${(this.step / this.perEpoch).toFixed(1)} of ${this.epochs}${speed}${end && `; ${end}`}`;
    el("start").disabled = !!end;
    const [elbo, kl] = this.recent(this.terms.length - 1).map((v) => format(v, 1));
    const both = this.page.content.log_var === null ? `log p(x|z) ${elbo} nats` : `ELBO ${elbo} nats, KL ${kl}`;
    el("loss").textContent = this.step ? both : "";
  }

  // Means of the terms of the last steps up to one, so that the curves are calm.
  recent(i, over = 20) {
    const some = this.terms.slice(Math.max(i + 1 - over, 0), i + 1);
    return [0, 1].map((term) => some.reduce((sum, terms) => sum + terms[term], 0) / some.length);
  }

  draw() {
    const { context, width, height } = crisp(el("curves"));
    const count = this.terms.length;
    const shown = Array.from({ length: Math.min(count, 300) }, (_, i) => Math.floor(((i + 1) * count) / Math.min(count, 300)) - 1);
    const lines = shown.map((i) => this.recent(i));
    const styles = ["accent", "second"].slice(0, this.page.content.log_var === null ? 1 : 2);
    styles.map(colour).forEach((strokeStyle, term) => {
      const values = lines.map((line) => line[term]);
      // The first steps are far off: the scale is that of the last nine tenths.
      const later = values.slice(Math.floor(values.length / 10)).filter(Number.isFinite);
      const [low, high] = [Math.min(...later), Math.max(...later)];
      Object.assign(context, { strokeStyle, lineWidth: 2 });
      context.beginPath();
      values.forEach((v, i) => context.lineTo((i / Math.max(values.length - 1, 1)) * width, height - 6 - ((v - low) / (high - low || 1)) * (height - 12)));
      context.stroke();
    });
  }
}
