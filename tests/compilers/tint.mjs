// Makes a pipeline of every shader with Tint, Chromium's compiler, by Dawn without an adapter (npm's webgpu).
//   node tint.mjs FOLDER     as `write_shaders` of tests/compilers.rs has filled it
import fs from "fs";
import { create, globals } from "webgpu";

Object.assign(globalThis, globals);
const folder = process.argv[2];
const shaders = JSON.parse(fs.readFileSync(`${folder}/index.json`));

// Dawn must outlive its adapter.
const gpu = create(["backend=null"]);
const adapter = await gpu.requestAdapter({ featureLevel: "core" });
const device = await adapter.requestDevice({
  requiredFeatures: ["subgroups", "shader-f16"].filter((feature) => adapter.features.has(feature)),
  requiredLimits: { maxStorageBuffersPerShaderStage: adapter.limits.maxStorageBuffersPerShaderStage },
});

const layoutEntry = ([, binding, kind]) => {
  const entry = { binding, visibility: GPUShaderStage.COMPUTE };
  return kind === "image"
    ? { ...entry, storageTexture: { access: "read-only", format: "rgba32float" } }
    : { ...entry, buffer: { type: kind } };
};

// The first complaint about a shader, or nothing.
async function compile(shader) {
  let code = fs.readFileSync(`${folder}/${shader.file}.wgsl`, "utf8");
  // naga, which wgpu uses, does not know the line that browsers demand.
  if (shader.subgroups) code = `enable subgroups;\n${code}`;
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code });
  const { messages } = await module.getCompilationInfo();
  const error = messages.find((message) => message.type === "error");
  let complaint = error && `${error.message}: ${code.split("\n")[error.lineNum - 1]?.trim()}`;
  if (!complaint) {
    const groups = Object.groupBy
      ? Object.values(Object.groupBy(shader.bindings, ([group]) => group))
      : [0, 1].map((n) => shader.bindings.filter(([group]) => group === n)).filter((all) => all.length);
    const bindGroupLayouts = groups.map((all) => device.createBindGroupLayout({ entries: all.map(layoutEntry) }));
    const layout = device.createPipelineLayout({ bindGroupLayouts });
    await device
      .createComputePipelineAsync({ layout, compute: { module, entryPoint: shader.entry } })
      .catch((error) => (complaint = error.message));
  }
  const scoped = await device.popErrorScope();
  return complaint ?? scoped?.message;
}

let passed = 0;
const complaints = new Map();
// WGSL has no cooperative matrices: those are wgpu's own.
for (const shader of shaders.filter((shader) => !shader.matrices)) {
  const complaint = await compile(shader);
  if (complaint) complaints.set(complaint, [...(complaints.get(complaint) ?? []), shader.title]);
  else passed += 1;
}
console.log(`${passed} pipelines made, ${[...complaints.values()].flat().length} refused`);
for (const [complaint, titles] of complaints) {
  console.log(`${titles[0]} (and ${titles.length - 1} more): ${complaint.slice(0, 500)}`);
}
process.exit(complaints.size || passed < 100 ? 1 : 0);
