//! Every shader in the browser's compiler.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use vae_gpu::gpu::shader::compose;
use vae_gpu::kernels;
use vae_gpu::plan::Needs;

use super::browser::{self, Browser};
use super::scratch::Scratch;
use super::skip;

/// Kernels that have no pipeline in this browser: the kernel, a part of what it says, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("conv/tiled_f16", "f16", "SwiftShader has no 16-bit floats"),
    ("conv/weights_tiled_f16", "f16", "SwiftShader has no 16-bit floats"),
    ("matmul/cooperative16", "expected extension", "cooperative matrices are no part of WGSL yet"),
    ("matmul/cooperative8", "expected extension", "cooperative matrices are no part of WGSL yet"),
    ("matmul/tiled_f16", "f16", "SwiftShader has no 16-bit floats"),
];

/// What stands before a shader's text in a browser alone: naga refuses the line, and Tint wants it.
fn prelude(needs: Needs) -> &'static str {
    if needs == Needs::Lanes { "enable subgroups;\n" } else { "" }
}

/// Tint, the compiler of WGSL in Chromium, is a second opinion on every shader. The first and the last variant of each kernel become
/// pipelines, with no limit of the device above WebGPU's defaults: SwiftShader takes up to a second for each. All of them become
/// pipelines of Tint alone, in tests/compilers.sh.
#[test]
fn every_shader_compiles_in_the_browser() {
    /// Shaders between two answers, which the browser owes within [`browser::PATIENCE`].
    const AT_ONCE: usize = 50;
    let scratch = Scratch::new();
    // By text: the kernel's name, and the entry points of pipelines.
    let mut texts: BTreeMap<String, (&str, BTreeSet<&str>)> = BTreeMap::new();
    for kernel in kernels::all() {
        let variants = (kernel.variants)();
        for (number, consts) in variants.iter().enumerate() {
            let text = format!("{}{}", prelude(kernel.needs), compose(kernel.source, consts).unwrap());
            let (_, entries) = texts.entry(text).or_insert_with(|| (kernel.name, BTreeSet::new()));
            if number == 0 || number + 1 == variants.len() {
                entries.insert(kernel.entry);
            }
        }
    }
    assert!(texts.len() > 300, "{} shaders", texts.len());
    let name = match browser::find() {
        Ok(name) => name,
        Err(why) => return skip::skip("chromium", &why),
    };
    let list: Vec<Value> = texts.iter().map(|(text, (name, entries))| json!([name, text, entries])).collect();
    let json = serde_json::to_string(&list).unwrap().replace('<', "\\u003c");
    scratch.write("shaders.html", format!("<script type=\"application/json\" id=\"all\">{json}</script>"));
    let browser = Browser::open(name, scratch.path("").as_path(), true);
    browser.show(&scratch.path("shaders.html"), "");
    browser.evaluate(
        "(async () => {
            const adapter = await navigator.gpu.requestAdapter();
            const wanted = ['shader-f16', 'subgroups'].filter((feature) => adapter.features.has(feature));
            const device = await adapter.requestDevice({ requiredFeatures: wanted });
            // What it says itself is told by kernel.
            device.addEventListener('uncapturederror', (event) => event.preventDefault());
            const all = JSON.parse(document.getElementById('all').textContent);
            globalThis.compile = async (first, count) => {
                const [said, some] = [[], all.slice(first, first + count)];
                const make = async ([name, code, entries]) => {
                    const module = device.createShaderModule({ code });
                    const { messages } = await module.getCompilationInfo();
                    said.push(...messages.map((m) => [name, `line ${m.lineNum}: ${m.message}`]));
                    for (const entryPoint of messages.length ? [] : entries) {
                        const made = device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint } });
                        await made.then(() => said.push([name, null]), (error) => said.push([name, `${entryPoint}: ${error.message}`]));
                    }
                };
                const work = async () => { for (let next; (next = some.pop()); ) await make(next); };
                await Promise.all([work(), work()]);
                return said;
            };
        })()",
    );
    let (mut pipelines, mut complaints) = (BTreeMap::new(), BTreeMap::new());
    for first in (0..list.len()).step_by(AT_ONCE) {
        let said = browser.evaluate(&format!("compile({first}, {AT_ONCE})"));
        for line in said.as_array().unwrap() {
            let name = line[0].as_str().unwrap().to_owned();
            match line[1].as_str() {
                None => *pipelines.entry(name).or_insert(0) += 1,
                Some(complaint) => drop(complaints.entry(name).or_insert_with(|| complaint.to_owned())),
            }
        }
    }
    println!("{} shaders, {} pipelines", list.len(), pipelines.values().sum::<usize>());
    for (name, complaint) in &complaints {
        let known = EXCEPTIONS.iter().find(|(known, ..)| known == name);
        let (_, says, why) = known.unwrap_or_else(|| panic!("{name}: {complaint}"));
        assert!(complaint.contains(says), "{name}: {complaint}; known is that {why}");
    }
    for kernel in kernels::all() {
        let excepted = EXCEPTIONS.iter().any(|(name, ..)| *name == kernel.name);
        assert!(pipelines.contains_key(kernel.name) != excepted, "{}: {complaints:?}", kernel.label());
    }
}
