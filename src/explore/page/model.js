// The model on the device: codes to data and back, samples and scores. Data are Float32Arrays of x as the network reads them;
// `own` and `scaled` go between x and the data's own units.

import { Kernels, Program, fromHalves, stepOf, unpack } from "./engine.js";

export class Model {
  // Compiles the plans of the page for this adapter, and uploads the weights.
  static async on(gpu, content) {
    const model = new Model(gpu, content);
    const plans = Object.entries(content.plans[gpu.software ? "software" : "card"]);
    const made = await Promise.all(plans.map(([, plan]) => Program.of(model.kernels, plan, model.shared)));
    plans.forEach(([name], i) => (model.programs[name] = made[i]));
    const bytes = await unpack("weights");
    model.begin = content.half ? fromHalves(new Uint16Array(bytes)) : new Float32Array(bytes);
    model.setWeights(model.begin);
    return model;
  }

  constructor(gpu, content) {
    const kernels = new Kernels(gpu.device, content.modules, content.kernels, content.step.length);
    Object.assign(this, { gpu, content, kernels, latent: content.latent, shared: {}, programs: {}, pending: Promise.resolve() });
    // By column, or one for all.
    const { shift, scale } = content.scaling ?? { shift: [0], scale: [1] };
    Object.assign(this, { shift: (i) => shift[i] ?? shift[0], scale: (i) => scale[i] ?? scale[0] });
  }

  setWeights(weights) {
    this.gpu.device.queue.writeBuffer(this.shared.parameters, 0, weights);
  }

  // Runs one after the other: two users of a program must not write its inputs at once.
  inTurn(work) {
    const done = this.pending.then(work);
    this.pending = done.catch(() => {});
    return done;
  }

  run(name, scalars, inputs, labels, reads) {
    return this.inTurn(() => {
      const program = this.programs[name];
      for (const [port, values] of Object.entries(inputs)) program.write(port, values);
      if (program.ports.labels) {
        program.write("labels", Uint32Array.from(labels));
        program.write("order", Uint32Array.from(labels, (_, i) => i));
      }
      return program.run([stepOf(this.content.step, scalars)], reads);
    });
  }

  // E[x|z] of one code.
  async decode(z, label = 0) {
    const [mean] = await this.run("decode", { valid_rows: 1 }, { z: Float32Array.from(z) }, [label], ["mean"]);
    return mean;
  }

  // E[x|z] of many codes.
  async decodeAll(codes, label = 0) {
    const { rows, cols } = this.programs.decode_many.ports.z;
    const means = [];
    for (let first = 0; first < codes.length; first += rows) {
      const some = codes.slice(first, first + rows);
      const z = new Float32Array(rows * cols);
      some.forEach((code, i) => z.set(code, i * cols));
      const [mean] = await this.run("decode_many", { valid_rows: rows }, { z }, Array(rows).fill(label), ["mean"]);
      some.forEach((_, i) => means.push(mean.slice(i * this.content.dim, (i + 1) * this.content.dim)));
    }
    return means;
  }

  // q(z|x), the reconstruction at its mean with the nats of each value there, and the ELBO as the mean over the rows of a batch,
  // each with a draw of z.
  async encode(data, label = 0) {
    const { content, latent } = this;
    const x = content.threshold ? data.map((v) => (v > 0.5 ? 1 : 0)) : data;
    const { rows, cols } = this.programs.judge.ports.x;
    const batch = new Float32Array(rows * cols);
    for (let row = 0; row < rows; row++) batch.set(x, row * cols);
    const labels = Array(rows).fill(label);
    const [head, logP, kl] = await this.run("judge", { valid_rows: rows, stream: 16 }, { x: batch }, labels, ["head", "log_p", "kl"]);
    const [mean, values] = await this.run("strangeness", { valid_rows: 1 }, { x }, [label], ["mean", "values"]);
    const average = (list) => list.reduce((sum, v) => sum + v, 0) / list.length;
    const recon = average(logP);
    const deviation = Math.sqrt(average(logP.map((v) => (v - recon) ** 2)) / Math.max(rows - 1, 1));
    const { log_var: at } = content;
    const logVar = at === null ? null : head.slice(at, at + latent);
    return { mu: head.slice(0, latent), logVar, recon, kl: kl[0], deviation, mean, nats: values.map((v) => -v) };
  }

  // The images 0 to 63 of `vae-gpu sample` with this seed and temperature, and their codes.
  async sample(seed, temperature, label = 0) {
    const { rows, cols } = this.programs.sample.ports.z;
    const [z] = await this.run("sample", { seed_lo: seed >>> 0, valid_rows: rows }, {}, Array(rows).fill(label), ["z"]);
    const codes = Array.from({ length: rows }, (_, i) => z.slice(i * cols, (i + 1) * cols).map((v) => temperature * v));
    return { codes, means: await this.decodeAll(codes, label) };
  }

  // x in the data's own units; whole columns are rounded where `round` is set.
  own(x, round = false) {
    const { columns, steps } = this.content;
    return Float64Array.from(x, (v, i) => {
      const value = v * this.scale(i) + this.shift(i);
      return round && columns[i]?.whole ? Math.round(value * steps) / steps : value;
    });
  }

  scaled(values) {
    return Float32Array.from(values, (v, i) => (v - this.shift(i)) / this.scale(i));
  }
}

// Passes the newest of many requests on, one at a time: what the pointer asks for while the device works is overtaken.
export function newest(work) {
  let [waiting, working] = [null, null];
  const all = async () => {
    for (let next; (next = waiting); ) {
      waiting = null;
      await work(...next);
    }
  };
  return (...request) => {
    waiting = request;
    return (working ??= all().finally(() => (working = null)));
  };
}
