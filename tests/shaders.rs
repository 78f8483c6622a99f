//! Host and shaders agree, and every shader translates for every backend: by reflection, without a GPU.
//!
//! Each test visits every const set of every kernel (`Kernel::variants`) and names the kernel, entry and consts of each
//! fault.

#[path = "common/shader.rs"]
mod shader;
#[path = "common/translate.rs"]
mod translate;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use naga::proc::Layouter;
use naga::valid::{Capabilities, GlobalUse, ValidationFlags, Validator};
use naga::{
    AddressSpace, ArraySize, ImageClass, ImageDimension, Module, ResourceBinding, ScalarKind, StorageAccess,
    StorageFormat, TypeInner,
};
use shader::{SHADERS, Shader};
use translate::{BACKENDS, is_excused};
use vae_gpu::kernels::activation::Activation;
use vae_gpu::kernels::conv::Way;
use vae_gpu::kernels::gather::Binarize;
use vae_gpu::kernels::matmul::{Epilogue, Layout};
use vae_gpu::kernels::{self, philox};
use vae_gpu::plan::{Access, Element, Field, Form, IMAGE_WIDTH, Needs, Step};

/// The limits of every adapter (WebGPU's defaults), with one storage buffer to spare.
const MAX_STORAGE_BUFFERS: usize = 7;
const MAX_WORKGROUP_INVOCATIONS: u32 = 256;
const MAX_WORKGROUP_BYTES: u32 = 16 * 1024;

/// Invocations per workgroup of every kernel whose size is not a constant, as in `kernels`.
const WORKGROUP: u32 = 64;

/// A longer file should be two kernels.
const MAX_LINES: usize = 500;

/// Runs `check` on every shader that parsed (`every_shader_is_valid` fails for the others) and fails with all
/// complaints; a complaint about many shaders is printed once.
fn for_every_shader(mut check: impl FnMut(&Shader, &mut Vec<String>)) {
    report(SHADERS.iter().filter_map(|(title, shader)| {
        let mut complaints = Vec::new();
        check(shader.as_ref().ok()?, &mut complaints);
        Some((title.as_str(), complaints))
    }));
}

fn report<'a>(found: impl Iterator<Item = (&'a str, Vec<String>)>) {
    let mut titles: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (title, complaints) in found {
        for complaint in complaints {
            titles.entry(complaint).or_default().push(title);
        }
    }
    let line = |(complaint, titles): (&String, &Vec<&str>)| match titles.len() - 1 {
        0 => format!("{}: {complaint}", titles[0]),
        more => format!("{} (and {more} more): {complaint}", titles[0]),
    };
    let lines: Vec<String> = titles.iter().map(line).collect();
    assert!(lines.is_empty(), "\n{}", lines.join("\n"));
}

#[test]
fn every_shader_is_valid() {
    report(SHADERS.iter().filter_map(|(title, shader)| {
        shader.as_ref().err().map(|error| (title.as_str(), vec![error.clone()]))
    }));
}

#[test]
fn bindings_and_structs_are_those_of_the_host() {
    for_every_shader(|shader, complaints| {
        let kernel = shader.kernel;
        let mut expected = vec![uniform(0, 0, "params", "Params")];
        expected.extend(kernel.slots.iter().map(|slot| {
            let element = if slot.element == Element::F32 { "f32" } else { "u32" };
            if slot.form == Form::Image {
                return image(0, slot.binding, slot.name);
            }
            storage(0, slot.binding, slot.name, slot.access == Access::Write, element)
        }));
        expected.extend(kernel.step.then(|| uniform(1, 0, "step", "Step")));
        compare("bindings", &expected, &bindings(shader), complaints);
        compare("struct Params", &host_fields(kernel.params), &fields(shader, 0), complaints);
        if kernel.step {
            compare("struct Step", &host_fields(Step::FIELDS), &fields(shader, 1), complaints);
        }
        if !kernel.slots.is_sorted_by_key(|slot| slot.access == Access::Write) {
            complaints.push("inputs stand before outputs in the slots".into());
        }
        let (_, info) = shader.entry();
        for (handle, variable) in shader.used() {
            if is_writable(variable.space) == Some(true) && !info[handle].contains(GlobalUse::WRITE) {
                complaints.push(format!("{} is read_write and never written", identifier(&variable.name)));
            }
        }
    });
    let last = Step::FIELDS.last().expect("Step has fields");
    assert_eq!(size_of::<Step>(), last.offset + 4, "FIELDS describes all of Step");
    assert_eq!(size_of::<Step>() % 16, 0, "a uniform buffer is a multiple of 16 bytes");
}

fn uniform(group: u32, binding: u32, name: &str, ty: &str) -> String {
    format!("@group({group}) @binding({binding}) var<uniform> {name}: {ty}")
}

fn storage(group: u32, binding: u32, name: &str, writable: bool, element: &str) -> String {
    let access = if writable { "read_write" } else { "read" };
    format!("@group({group}) @binding({binding}) var<storage, {access}> {name}: array of {element}")
}

fn image(group: u32, binding: u32, name: &str) -> String {
    format!("@group({group}) @binding({binding}) var {name}: read-only image of four f32")
}

/// The bindings that the entry point uses, in order, spelled as on the host.
fn bindings(shader: &Shader) -> Vec<String> {
    let mut found = BTreeMap::new();
    for (_, variable) in shader.used() {
        let Some(ResourceBinding { group, binding }) = variable.binding else { continue };
        let ty = &shader.module.types[variable.ty];
        let name = identifier(&variable.name);
        let text = match (variable.space, is_writable(variable.space)) {
            (AddressSpace::Uniform, _) => uniform(group, binding, name, identifier(&ty.name)),
            (_, Some(writable)) => {
                storage(group, binding, name, writable, &element(&shader.module, &ty.inner))
            }
            (AddressSpace::Handle, _) if is_image(&ty.inner) => image(group, binding, name),
            (space, _) => format!("@group({group}) @binding({binding}) {name} in {space:?}"),
        };
        found.insert((group, binding), text);
    }
    found.into_values().collect()
}

/// Whether a type is `texture_storage_2d<rgba32float, read>`.
fn is_image(ty: &TypeInner) -> bool {
    let class = ImageClass::Storage { format: StorageFormat::Rgba32Float, access: StorageAccess::LOAD };
    *ty == TypeInner::Image { dim: ImageDimension::D2, arrayed: false, class }
}

/// Whether a variable is read_write storage; None if it is not storage.
fn is_writable(space: AddressSpace) -> Option<bool> {
    match space {
        AddressSpace::Storage { access } => Some(access.contains(StorageAccess::STORE)),
        _ => None,
    }
}

/// `f32` or `u32` for a runtime-sized array of scalars, vectors or matrices of it.
fn element(module: &Module, ty: &TypeInner) -> String {
    if let TypeInner::Array { base, size: ArraySize::Dynamic, .. } = *ty {
        match module.types[base].inner {
            TypeInner::Scalar(scalar)
            | TypeInner::Vector { scalar, .. }
            | TypeInner::Matrix { scalar, .. } => return word(scalar),
            _ => {}
        }
    }
    format!("{ty:?}")
}

fn word(scalar: naga::Scalar) -> String {
    match (scalar.kind, scalar.width) {
        (ScalarKind::Float, 4) => "f32".into(),
        (ScalarKind::Uint, 4) => "u32".into(),
        _ => format!("{scalar:?}"),
    }
}

fn host_fields(fields: &[Field]) -> Vec<String> {
    fields.iter().map(|f| format!("{}: {} at {}", f.name, f.ty, f.offset)).collect()
}

/// The fields of the struct at binding 0 of `group`, spelled as on the host.
fn fields(shader: &Shader, group: u32) -> Vec<String> {
    let at = Some(ResourceBinding { group, binding: 0 });
    let Some((_, variable)) = shader.used().find(|(_, variable)| variable.binding == at) else {
        return Vec::new();
    };
    let types = &shader.module.types;
    let TypeInner::Struct { members, .. } = &types[variable.ty].inner else { return Vec::new() };
    members
        .iter()
        .map(|member| {
            let ty = match types[member.ty].inner {
                TypeInner::Scalar(scalar) => word(scalar),
                ref other => format!("{other:?}"),
            };
            format!("{}: {ty} at {}", identifier(&member.name), member.offset)
        })
        .collect()
}

fn identifier(name: &Option<String>) -> &str {
    name.as_deref().unwrap_or("?")
}

fn compare(what: &str, host: &[String], shader: &[String], complaints: &mut Vec<String>) {
    if host != shader {
        let (host, shader) = (host.join("\n    "), shader.join("\n    "));
        complaints.push(format!("{what}\n  host:\n    {host}\n  shader:\n    {shader}"));
    }
}

/// Numbers that both host and shaders name.
const NUMBERS: &[(&str, u32)] = &[
    ("IDENTITY", Activation::Identity as u32),
    ("RELU", Activation::Relu as u32),
    ("TANH", Activation::Tanh as u32),
    ("SOFTPLUS", Activation::Softplus as u32),
    ("SILU", Activation::Silu as u32),
    ("ELU", Activation::Elu as u32),
    ("STORE", Epilogue::<()>::Store.number()),
    ("FORWARD", Epilogue::Forward(Activation::Identity, ()).number()),
    ("BACKWARD", Epilogue::Backward(Activation::Identity, ()).number()),
    ("ACCUMULATE", Epilogue::<()>::Accumulate.number()),
    ("GRADIENT", Epilogue::Gradient(()).number()),
    ("DIVIDED", Epilogue::<()>::Divided.number()),
    ("IMAGE_WIDTH", IMAGE_WIDTH as u32),
    ("NN", Layout::NN as u32),
    ("NT", Layout::NT as u32),
    ("TN", Layout::TN as u32),
    ("GATHER", Way::Gather as u32),
    ("SCATTER", Way::Scatter as u32),
    ("GREY", Binarize::None as u32),
    ("THRESHOLD", Binarize::Threshold as u32),
    ("FIXED", Binarize::Fixed as u32),
    ("DYNAMIC", Binarize::Dynamic as u32),
    ("STREAM_EPS", philox::STREAM_EPS),
    ("STREAM_BINARIZE", philox::STREAM_BINARIZE),
    ("STREAM_BINARIZE_FIXED", philox::STREAM_BINARIZE_FIXED),
    ("STREAM_PRIOR", philox::STREAM_PRIOR),
    ("STREAM_FLIP", philox::STREAM_FLIP),
];

#[test]
fn named_numbers_are_those_of_the_host() {
    let mut missing: Vec<&str> = NUMBERS.iter().map(|(name, _)| *name).collect();
    for_every_shader(|shader, complaints| {
        for (_, constant) in shader.module.constants.iter() {
            let Some((name, value)) = NUMBERS.iter().find(|(name, _)| constant.name.as_deref() == Some(name))
            else {
                continue;
            };
            missing.retain(|missing| missing != name);
            let init = &shader.module.global_expressions[constant.init];
            if *init != naga::Expression::Literal(naga::Literal::U32(*value)) {
                complaints.push(format!("{name} is {init:?}, on the host {value}"));
            }
        }
    });
    assert!(missing.is_empty(), "no shader has a constant {missing:?}");
}

#[test]
fn every_adapter_has_room() {
    for_every_shader(|shader, complaints| {
        let (entry, _) = shader.entry();
        let [x, y, z] = entry.workgroup_size;
        if x == 0 || x > MAX_WORKGROUP_INVOCATIONS || (y, z) != (1, 1) {
            complaints.push(format!(
                "workgroup size {x}x{y}x{z}; the grids assume 1 to {MAX_WORKGROUP_INVOCATIONS} in x"
            ));
        }
        let expected =
            match shader.consts.iter().find(|(name, _)| ["WORKGROUP", "LANES", "SIDE"].contains(name)) {
                // A square of invocations.
                Some(("SIDE", side)) => side * side,
                Some((_, size)) => *size,
                None => WORKGROUP,
            };
        if x != expected {
            complaints.push(format!("workgroup of {x}, on the host {expected}"));
        }
        if !shader.module.overrides.is_empty() || entry.workgroup_size_overrides.is_some() {
            complaints.push("an `override`: the host sets `const` lines only".into());
        }
        let storage = shader.used().filter(|(_, v)| is_writable(v.space).is_some()).count();
        if storage > MAX_STORAGE_BUFFERS {
            complaints.push(format!("{storage} storage buffers, at most {MAX_STORAGE_BUFFERS}"));
        }
        let mut layouts = Layouter::default();
        layouts.update(shader.module.to_ctx()).expect("a validated module has layouts");
        let bytes: u32 = shader
            .used()
            .filter(|(_, v)| v.space == AddressSpace::WorkGroup)
            .map(|(_, v)| layouts[v.ty].size.next_multiple_of(16))
            .sum();
        if bytes > MAX_WORKGROUP_BYTES {
            complaints.push(format!("{bytes} bytes of workgroup memory, at most {MAX_WORKGROUP_BYTES}"));
        }
        // A kernel without needs was validated without the capabilities.
        let mut without = Validator::new(ValidationFlags::all(), Capabilities::SHADER_FLOAT16);
        if shader.kernel.needs != Needs::Nothing && without.validate(&shader.module).is_ok() {
            complaints.push("it needs less than it says".into());
        }
    });
}

#[test]
fn every_backend_translates_every_shader() {
    for_every_shader(|shader, complaints| {
        let shader = match shader.one_entry() {
            Ok(shader) => shader,
            Err(error) => return complaints.push(error),
        };
        for (backend, translate) in BACKENDS {
            // Without run-time checks, the default, and with them (`--checked-shaders`).
            let translated = translate(&shader, false).and_then(|_| translate(&shader, true));
            let excused = is_excused(shader.kernel, backend);
            match translated {
                Err(error) if !excused => complaints.push(format!("{backend}: {error}")),
                Ok(_) if excused => complaints.push(format!("{backend}: translates, and needs no exception")),
                _ => {}
            }
        }
    });
}

#[test]
fn every_file_has_its_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let mut complaints = Vec::new();
    let mut texts = BTreeMap::new();
    for path in files(&root) {
        let stem = path.strip_prefix(&root).expect("below shaders").with_extension("");
        let stem = stem.to_str().expect("names are ASCII").replace('\\', "/");
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut complain = |what: String| complaints.push(format!("shaders/{stem}: {what}"));
        if path.extension().is_none_or(|extension| extension != "wgsl") {
            complain("is not WGSL".into());
        }
        if !text.starts_with("// ") {
            complain("begins with a comment that says what it computes".into());
        }
        if text.lines().count() >= MAX_LINES {
            complain(format!("{} lines, fewer than {MAX_LINES} are allowed", text.lines().count()));
        }
        for line in text.lines().filter(|line| line.trim_start().starts_with('#')) {
            if !line.starts_with("#import shared/") {
                complain(format!("unknown directive `{line}`"));
            }
        }
        texts.insert(stem, text);
    }
    for kernel in kernels::all() {
        if texts.get(kernel.name).is_none_or(|text| text != kernel.source) {
            complaints.push(format!("kernel {}: its source is not shaders/{0}.wgsl", kernel.name));
        }
    }
    for stem in texts.keys() {
        let import = format!("#import {stem}");
        let used = match stem.starts_with("shared/") {
            true => texts.values().any(|text| text.lines().any(|line| line == import)),
            false => kernels::all().iter().any(|kernel| kernel.name == stem),
        };
        if !used {
            complaints.push(format!("shaders/{stem}: no kernel uses it"));
        }
    }
    assert!(texts.len() > 10, "shaders/ holds {} files", texts.len());
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    entries
        .flat_map(|entry| {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() { files(&path) } else { vec![path] }
        })
        .collect()
}
