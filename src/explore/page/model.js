// The model on the device: codes to data and back, samples and scores. Data are Float32Arrays of x as the network reads them;
// `own` and `scaled` go between x and the data's own units.

import { Kernels, Program, fromHalves, scoped, stepOf, unpack } from "./engine.js";

const LIMIT = 20; // of log sigma^2, past which the KL follows a tangent, as in shared/kl.wgsl

// Rows of a matrix.
export const cut = (values, width) => Array.from({ length: values.length / width }, (_, i) => values.subarray(i * width, (i + 1) * width));

export class Model {
  // Compiles the plans of the page for this adapter, and uploads the weights.
  static on(gpu, content) {
    return scoped(gpu.device, async () => {
      const model = new Model(gpu, content);
      const plans = Object.entries(content.plans[gpu.software ? "software" : "card"]);
      const made = await Promise.all(plans.map(([, plan]) => Program.of(model.kernels, plan, model.shared)));
      plans.forEach(([name], i) => (model.programs[name] = made[i]));
      const bytes = await unpack("weights");
      model.begin = content.half ? fromHalves(new Uint16Array(bytes)) : new Float32Array(bytes);
      model.setWeights(model.begin);
      return model;
    });
  }

  constructor(gpu, content) {
    const kernels = new Kernels(gpu.device, content.modules, content.kernels, content.step.length);
    Object.assign(this, { gpu, content, kernels, shared: {}, programs: {}, pending: Promise.resolve() });
    // By column, or one for all; JSON has as many digits as tell floats apart, and not their values.
    const { shift, scale } = content.scaling ?? { shift: [0], scale: [1] };
    Object.assign(this, { shift: (i) => Math.fround(shift[i] ?? shift[0]), scale: (i) => Math.fround(scale[i] ?? scale[0]) });
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

  // Runs a plan with a label for each row, or one for all.
  run(name, scalars, inputs, label, reads) {
    return this.inTurn(() => {
      const program = this.programs[name];
      for (const [port, values] of Object.entries(inputs)) program.write(port, values);
      if (program.ports.labels) {
        const rows = Array.from({ length: program.ports.labels.cols }, (_, i) => i);
        program.write("labels", Uint32Array.from(rows, (i) => label[i] ?? label));
        program.write("order", Uint32Array.from(rows));
      }
      return program.run([stepOf(this.content.step, scalars)], reads);
    });
  }

  // E[x|z] of one code.
  async decode(z, label = 0) {
    return (await this.decodeAll([z], label))[0];
  }

  // E[x|z] of many codes.
  async decodeAll(codes, label = 0) {
    const plan = codes.length === 1 ? "decode" : "decode_many";
    const { rows, cols } = this.programs[plan].ports.z;
    const means = [];
    for (let first = 0; first < codes.length; first += rows) {
      const some = codes.slice(first, first + rows);
      const z = new Float32Array(rows * cols);
      some.forEach((code, i) => z.set(code, i * cols));
      const [mean] = await this.run(plan, { valid_rows: rows }, { z }, label, ["mean"]);
      means.push(...cut(mean, this.content.dim).slice(0, some.length));
    }
    return means;
  }

  // x as the encoder reads it.
  seen(x) {
    return this.content.threshold ? x.map((v) => (v > 0.5 ? 1 : 0)) : x;
  }

  // q(z|x), the reconstruction at its mean with the nats of each value there, and the ELBO as the mean over the rows of a batch,
  // each with a draw of z.
  async encode(data, label = 0) {
    const { stream, latent, log_var: at } = this.content;
    const x = this.seen(data);
    const { rows, cols } = this.programs.judge.ports.x;
    const batch = new Float32Array(rows * cols);
    for (let row = 0; row < rows; row++) batch.set(x, row * cols);
    const [head, logP, kl] = await this.run("judge", { valid_rows: rows, stream }, { x: batch }, label, ["head", "log_p", "kl"]);
    const [mean, values] = await this.run("strangeness", { valid_rows: 1 }, { x }, label, ["mean", "values"]);
    const average = (list) => list.reduce((sum, v) => sum + v, 0) / list.length;
    const recon = average(logP);
    const deviation = rows > 1 && at !== null ? Math.sqrt(average(logP.map((v) => (v - recon) ** 2)) / (rows - 1)) : null;
    const logVar = at === null ? null : head.slice(at, at + latent);
    return { x, mu: head.slice(0, latent), logVar, logP, recon, kl: kl[0], deviation, mean, nats: values.map((v) => -v) };
  }

  // Codes of `count` data x(i) with labels, and the KL of each dimension; of a model that learns.
  async codesOf(count, x, labels) {
    const { latent, log_var: at } = this.content;
    const { rows, cols } = this.programs.map.ports.x;
    const [codes, kl] = [[], new Float64Array(at === null ? 0 : latent)];
    for (let first = 0; first < count; first += rows) {
      const numbers = Array.from({ length: rows }, (_, i) => Math.min(first + i, count - 1));
      const batch = new Float32Array(rows * cols);
      numbers.forEach((number, i) => batch.set(this.seen(x(number)), i * cols));
      const [head] = await this.run("map", { valid_rows: rows }, { x: batch }, numbers.map((number) => labels[number] ?? 0), ["head"]);
      for (const row of cut(head, head.length / rows).slice(0, count - first)) {
        codes.push(row.slice(0, latent));
        kl.forEach((_, j) => {
          const [mu, logVar] = [row[j], row[at + j]];
          const past = Math.exp(LIMIT) * Math.max(logVar - LIMIT, 0);
          kl[j] += (mu ** 2 + Math.exp(Math.min(logVar, LIMIT)) - 1 - logVar + past) / 2 / count;
        });
      }
    }
    return { codes, kl: Array.from(kl) };
  }

  // The first samples of `vae-gpu sample --mean` with this seed and temperature, a batch of them, and their codes.
  async sample(seed, temperature, label = 0) {
    const { rows, cols } = this.programs.sample.ports.z;
    const scalars = { seed_lo: seed >>> 0, seed_hi: Math.floor(seed / 2 ** 32), valid_rows: rows };
    const [z] = await this.run("sample", scalars, {}, label, ["z"]);
    const codes = cut(z.map((v) => temperature * v), cols);
    return { codes, means: await this.decodeAll(codes, label) };
  }

  // x in the data's own units: with `whole`, columns of whole numbers are rounded, and with `clamped` all are brought into their
  // range in training, as `--round` does.
  own(x, whole = false, clamped = false) {
    const { columns, steps } = this.content;
    return Float64Array.from(x, (v, i) => {
      // What is below a millionth of the column's scale is the rounding of x.
      const exact = 10 ** (6 - Math.floor(Math.log10(this.scale(i))));
      const value = Math.round((v * this.scale(i) + this.shift(i)) * exact) / exact;
      const near = whole && columns[i]?.whole ? Math.round(value * steps) / steps : value;
      const [least, most] = (clamped && columns[i]?.range) || [-Infinity, Infinity];
      return Math.min(Math.max(near, least), most);
    });
  }

  scaled(values) {
    return Float32Array.from(values, (v, i) => (v - this.shift(i)) / this.scale(i));
  }
}

// Passes the newest of many requests on, one at a time: what the pointer asks for while the device works is overtaken. What fails
// goes to `failed`, and the next one has its turn.
export function newest(work, failed) {
  let [waiting, working] = [null, null];
  const all = async () => {
    for (let next; (next = waiting); ) {
      waiting = null;
      await work(...next).catch(failed);
    }
  };
  return (...request) => {
    waiting = request;
    return (working ??= all().finally(() => (working = null)));
  };
}
