// Replays a plan on WebGPU. Buffers, pipelines and bind groups are made once; then each run is one submission. The contract
// is that of the native program: group 0 holds Params at binding 0 and the kernel's slots behind it, group 1 the Step behind a
// dynamic offset, buffers marked `shared` are one buffer in all plans, and one with a `home` lies in that buffer's memory.

const SLOT = 256; // bytes from one Params or Step to the next: the largest alignment that an adapter may ask for
export const MOST_STEPS = 64; // of one submission

// The device, or an error that says why there is none.
export async function openDevice() {
  if (!navigator.gpu) throw new Error("this browser has no WebGPU");
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new Error("WebGPU found no adapter here");
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  const name = description || [vendor, architecture].filter(Boolean).join(" ") || "unnamed adapter";
  const software = !!isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|basic render/i.test(`${name} ${architecture}`);
  return { device: await adapter.requestDevice(), name, software };
}

// The WGSL modules and kernels of a page, each compiled when it is first asked for.
export class Kernels {
  constructor(device, modules, kernels, stepWords) {
    Object.assign(this, { device, modules, kernels, stepBytes: 4 * stepWords, made: [] });
    const entries = [{ binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: "uniform", hasDynamicOffset: true } }];
    this.stepLayout = device.createBindGroupLayout({ entries });
    this.shaders = [];
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

// A plan on the device. `shared` holds the buffers that plans have in common, by name.
export class Program {
  static of(kernels, plan, shared) {
    return new Program(kernels, plan, shared).record();
  }

  constructor(kernels, plan, shared) {
    const { device } = kernels;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const make = ({ name, words }) => device.createBuffer({ label: name, size: 16 * Math.ceil(words / 4), usage });
    const own = plan.buffers.map((buffer) => buffer.home === null && (buffer.shared ? (shared[buffer.name] ??= make(buffer)) : make(buffer)));
    this.buffers = plan.buffers.map(({ home }, i) => own[home ?? i]);
    Object.assign(this, { kernels, device, plan, ports: plan.ports, staging: [] });
    const uniform = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    this.params = device.createBuffer({ label: "params", size: SLOT * plan.dispatches.length, usage: uniform });
    this.ring = device.createBuffer({ label: "steps", size: SLOT * MOST_STEPS, usage: uniform });
    const ring = { buffer: this.ring, size: kernels.stepBytes };
    this.stepGroup = device.createBindGroup({ layout: kernels.stepLayout, entries: [{ binding: 0, resource: ring }] });
  }

  async record() {
    const { device, plan } = this;
    const bytes = new Uint32Array((SLOT / 4) * plan.dispatches.length);
    plan.dispatches.forEach(({ params }, i) => bytes.set(params, (SLOT / 4) * i));
    device.queue.writeBuffer(this.params, 0, bytes);
    const pipelines = await Promise.all(plan.dispatches.map(({ kernel }) => this.kernels.pipeline(kernel)));
    this.launches = plan.dispatches.map(({ label, params, bindings, workgroups }, i) => {
      const { pipeline, layout, step } = pipelines[i];
      const resource = (buffer, offset, words) => ({ buffer, offset: 4 * offset, size: 4 * words });
      const slots = bindings.map(([binding, buffer, ...part]) => ({ binding, resource: resource(this.buffers[buffer], ...part) }));
      const entries = [{ binding: 0, resource: resource(this.params, (SLOT / 4) * i, params.length) }, ...slots];
      return { pipeline, group: device.createBindGroup({ label, layout, entries }), step, workgroups };
    });
    return this;
  }

  // Submits the plan once for each step, and a copy of the ports in `reads`; gives their values when they are there.
  run(steps, reads = []) {
    const ring = new Uint32Array((SLOT / 4) * steps.length);
    steps.forEach((step, i) => ring.set(step, (SLOT / 4) * i));
    this.device.queue.writeBuffer(this.ring, 0, ring);
    const encoder = this.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    steps.forEach((_, slot) => {
      for (const { pipeline, group, step, workgroups } of this.launches) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        if (step) pass.setBindGroup(1, this.stepGroup, [SLOT * slot]);
        pass.dispatchWorkgroups(...workgroups);
      }
    });
    pass.end();
    return this.finish(encoder, reads);
  }

  async finish(encoder, reads) {
    const ports = reads.map((name) => this.ports[name]);
    const bytes = ports.reduce((sum, { rows, stride }) => sum + 4 * rows * stride, 0);
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    const kept = this.staging.findIndex(({ size }) => size === bytes);
    const staging = kept < 0 ? bytes && this.device.createBuffer({ size: bytes, usage }) : this.staging.splice(kept, 1)[0];
    let at = 0;
    for (const { buffer, offset, rows, stride } of ports) {
      encoder.copyBufferToBuffer(this.buffers[buffer], 4 * offset, staging, at, 4 * rows * stride);
      at += 4 * rows * stride;
    }
    this.device.queue.submit([encoder.finish()]);
    if (!bytes) return [];
    await staging.mapAsync(GPUMapMode.READ);
    const words = new Float32Array(staging.getMappedRange().slice(0));
    staging.unmap();
    this.staging.push(staging);
    at = 0;
    return ports.map(({ rows, cols, stride }) => {
      const part = words.subarray(at, (at += rows * stride));
      if (cols === stride) return part;
      const values = new Float32Array(rows * cols);
      for (let row = 0; row < rows; row++) values.set(part.subarray(row * stride, row * stride + cols), row * cols);
      return values;
    });
  }

  // Writes values [n, cols] to the first rows of a port, floats or integers as it holds.
  write(name, values) {
    const { buffer, offset, cols, stride } = this.ports[name];
    const padded = cols === stride ? values : new values.constructor((values.length / cols) * stride);
    if (cols !== stride) for (let at = 0, to = 0; at < values.length; at += cols, to += stride) padded.set(values.subarray(at, at + cols), to);
    this.device.queue.writeBuffer(this.buffers[buffer], 4 * offset, padded);
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

// Floats from 16-bit ones.
export function fromHalves(halves) {
  return Float32Array.from(halves, (h) => {
    const [sign, exponent, fraction] = [h >> 15 ? -1 : 1, (h >> 10) & 31, h & 1023];
    // None of them is infinite: the program rounds to what 16 bits hold.
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
  });
}
