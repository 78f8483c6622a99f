// Replays a plan on WebGPU. Buffers, pipelines and bind groups are made once; then each run is one submission, or several if it is
// long. The contract is that of the native program: group 0 holds Params at binding 0 and the kernel's slots behind it, group 1 the
// Step behind a dynamic offset, buffers marked `shared` are one buffer in all plans, and one with a `home` lies in its memory.

const SLOT = 256; // bytes from one Params or Step to the next: the largest alignment that an adapter may ask for
const PART = 100; // milliseconds of a submission, above which a run is divided: drivers reset a device that is busy for seconds
const FIRST_PART = 8; // dispatches of a submission, before one was measured
export const MOST_STEPS = 64; // of one run

// The device, or an error that says why there is none.
export async function openDevice() {
  if (!navigator.gpu) throw new Error(isSecureContext ? "this browser has no WebGPU" : "WebGPU needs https or a local file");
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new Error("WebGPU found no adapter here");
  // Earlier versions of browsers ask for it, or do not tell.
  const info = adapter.info ?? (await adapter.requestAdapterInfo?.()) ?? {};
  const name = info.description || [info.vendor, info.architecture].filter(Boolean).join(" ") || "unnamed adapter";
  const fallback = info.isFallbackAdapter ?? adapter.isFallbackAdapter;
  const software = !!fallback || /swiftshader|llvmpipe|lavapipe|basic render/i.test(`${name} ${info.architecture}`);
  return { device: await adapter.requestDevice(), name, software };
}

// Does work, and throws what the device has to say of it.
export async function scoped(device, work) {
  const kinds = ["internal", "out-of-memory", "validation"];
  kinds.forEach((kind) => device.pushErrorScope(kind));
  const done = await work().catch((error) => ({ error }));
  const errors = await Promise.all(kinds.map(() => device.popErrorScope()));
  const error = errors.find(Boolean) ?? done.error;
  if (error) throw new Error(error.message || "the device has too little memory");
  return done;
}

// The WGSL modules and kernels of a page, each compiled when it is first asked for.
export class Kernels {
  constructor(device, modules, kernels, stepWords) {
    Object.assign(this, { device, modules, kernels, stepBytes: 4 * stepWords, made: [], shaders: [] });
    const entries = [{ binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: "uniform", hasDynamicOffset: true } }];
    this.stepLayout = device.createBindGroupLayout({ entries });
  }

  pipeline(number) {
    return (this.made[number] ??= this.compile(this.kernels[number]));
  }

  async compile({ name, module, entry, step, slots }) {
    const { device } = this;
    const shader = (this.shaders[module] ??= device.createShaderModule({ label: name, code: this.modules[module] }));
    const bound = (binding, type) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } });
    const types = slots.map(({ binding, writes }) => bound(binding, writes ? "storage" : "read-only-storage"));
    const layout = device.createBindGroupLayout({ entries: [bound(0, "uniform"), ...types] });
    const groups = device.createPipelineLayout({ bindGroupLayouts: step ? [layout, this.stepLayout] : [layout] });
    const compute = { module: shader, entryPoint: entry };
    return { pipeline: await device.createComputePipelineAsync({ label: name, layout: groups, compute }), layout, step };
  }
}

// Rows of `from` words as rows of `to`: cut, or padded with zeros.
function restride(values, from, to) {
  if (from === to) return values;
  const rows = values.length / from;
  const made = new values.constructor(rows * to);
  for (let row = 0; row < rows; row++) made.set(values.subarray(row * from, row * from + Math.min(from, to)), row * to);
  return made;
}

// A plan on the device.
export class Program {
  // `shared` holds the buffers that plans have in common, by name.
  static async of(kernels, plan, shared) {
    const { device } = kernels;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const make = ({ name, words }) => device.createBuffer({ label: name, size: 16 * Math.ceil(words / 4), usage });
    const own = plan.buffers.map((buffer) => buffer.home === null && (buffer.shared ? (shared[buffer.name] ??= make(buffer)) : make(buffer)));
    const buffers = plan.buffers.map(({ home }, i) => own[home ?? i]);
    const uniform = (label, slots) => device.createBuffer({ label, size: SLOT * slots, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    const params = uniform("params", plan.dispatches.length);
    const ring = uniform("steps", MOST_STEPS);
    const words = new Uint32Array((SLOT / 4) * plan.dispatches.length);
    plan.dispatches.forEach((dispatch, i) => words.set(dispatch.params, (SLOT / 4) * i));
    device.queue.writeBuffer(params, 0, words);
    const entries = [{ binding: 0, resource: { buffer: ring, size: kernels.stepBytes } }];
    const stepGroup = device.createBindGroup({ layout: kernels.stepLayout, entries });
    const pipelines = await Promise.all(plan.dispatches.map(({ kernel }) => kernels.pipeline(kernel)));
    const launches = plan.dispatches.map((dispatch, i) => {
      const { pipeline, layout, step } = pipelines[i];
      const resource = (buffer, offset, count) => ({ buffer, offset: 4 * offset, size: 4 * count });
      const slots = dispatch.bindings.map(([binding, buffer, ...part]) => ({ binding, resource: resource(buffers[buffer], ...part) }));
      const bound = [{ binding: 0, resource: resource(params, (SLOT / 4) * i, dispatch.params.length) }, ...slots];
      const group = device.createBindGroup({ label: dispatch.label, layout, entries: bound });
      return { pipeline, group, step, workgroups: dispatch.workgroups };
    });
    const parts = Math.ceil(launches.length / FIRST_PART);
    return Object.assign(new Program(), { device, buffers, ring, stepGroup, launches, parts, ports: plan.ports, staging: [] });
  }

  // Runs the plan once for each step, and gives the values of the ports in `reads`.
  async run(steps, reads) {
    const { device, buffers } = this;
    const begin = performance.now();
    const words = new Uint32Array((SLOT / 4) * steps.length);
    steps.forEach((step, i) => words.set(step, (SLOT / 4) * i));
    device.queue.writeBuffer(this.ring, 0, words);
    const launches = steps.flatMap((_, slot) => this.launches.map((launch) => ({ ...launch, slot })));
    const size = Math.ceil(launches.length / this.parts);
    let encoder;
    for (let first = 0; first < launches.length; first += size) {
      if (encoder) device.queue.submit([encoder.finish()]);
      encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (const { pipeline, group, step, workgroups, slot } of launches.slice(first, first + size)) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        if (step) pass.setBindGroup(1, this.stepGroup, [SLOT * slot]);
        pass.dispatchWorkgroups(...workgroups);
      }
      pass.end();
    }
    // One after the other into a buffer that the script reads, with the last part.
    const ports = reads.map((name) => this.ports[name]);
    let total = 0;
    const places = ports.map(({ rows, stride }) => [total, (total += rows * stride)]);
    const staging = this.spare(4 * total);
    ports.forEach(({ buffer, offset, rows, stride }, i) => {
      encoder.copyBufferToBuffer(buffers[buffer], 4 * offset, staging, 4 * places[i][0], 4 * rows * stride);
    });
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const values = new Float32Array(staging.getMappedRange().slice(0));
    staging.unmap();
    this.staging.push(staging);
    this.parts = Math.min(Math.max(Math.ceil((performance.now() - begin) / PART), 1), this.launches.length);
    return ports.map(({ cols, stride }, i) => restride(values.subarray(...places[i]), stride, cols));
  }

  // A buffer of so many bytes to read from: one that was used, or a new one.
  spare(size) {
    const kept = this.staging.findIndex((buffer) => buffer.size === size);
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    return kept < 0 ? this.device.createBuffer({ size, usage }) : this.staging.splice(kept, 1)[0];
  }

  // Writes values [n, cols] to the first rows of a port, floats or integers as it holds.
  write(name, values) {
    const { buffer, offset, cols, stride } = this.ports[name];
    this.device.queue.writeBuffer(this.buffers[buffer], 4 * offset, restride(values, cols, stride));
  }
}

// The words of a Step: scalars by name, zero where none is given. `fields` are [name, type] in the order of the struct.
export function stepOf(fields, scalars) {
  const words = new Uint32Array(fields.length);
  const floats = new Float32Array(words.buffer);
  fields.forEach(([name, type], i) => ((type === "f32" ? floats : words)[i] = scalars[name] ?? 0));
  return words;
}

// The bytes of an element of the page that holds base64 of gzip.
export async function unpack(id) {
  const packed = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

// Floats from finite 16-bit ones: their bits, moved to where those of a float are, count 2^-112 of what they should.
export function fromHalves(halves) {
  const bits = Uint32Array.from(halves, (h) => ((h & 0x8000) << 16) | ((h & 0x7fff) << 13));
  return new Float32Array(bits.buffer).map((v) => v * 2 ** 112);
}
