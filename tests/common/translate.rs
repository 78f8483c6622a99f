//! Translates shaders for each of wgpu's backends, with wgpu's own options.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use naga::back::{glsl, hlsl, msl, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::{ResourceBinding, ShaderStage};
use vae_gpu::plan::{Kernel, Needs};

use super::shader::{Resource, Shader, is_f16};

/// A backend's translator.
pub type Translate = fn(&Shader, checks: bool) -> Result<Translated, String>;

/// The input of a backend's driver or compiler.
pub struct Translated {
    /// Text, or the bytes of SPIR-V.
    pub code: Vec<u8>,
    /// The entry point's name in it.
    pub entry: String,
}

/// The backends that wgpu translates for, each at the oldest version that the program requires.
pub const BACKENDS: &[(&str, Translate)] =
    &[("SPIR-V 1.3", to_spirv), ("MSL 2.4", to_msl), ("HLSL 6.0", to_hlsl), ("GLSL ES 3.1", to_glsl)];

/// What a tool rejects, and why: (kernel, tool, reason). A tool is a naga backend by its name above, or a program that
/// reads naga's output. Each row is checked: one that is no longer rejected must be removed.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("conv/tiled_f16", "GLSL ES 3.1", NO_HALVES),
    ("conv/weights_tiled_f16", "GLSL ES 3.1", NO_HALVES),
    ("matmul/tiled_f16", "GLSL ES 3.1", NO_HALVES),
    ("matmul/cooperative8", "GLSL ES 3.1", NO_COOPERATIVE),
    ("matmul/cooperative8", "HLSL 6.0", NO_COOPERATIVE),
    ("matmul/cooperative16", "GLSL ES 3.1", NO_COOPERATIVE),
    ("matmul/cooperative16", "HLSL 6.0", NO_COOPERATIVE),
    ("conv/portable", "glslangValidator -D", NO_ZERO_ARRAY),
    ("conv/subgroup", "glslangValidator -D", NO_ZERO_ARRAY),
    ("conv/subgroup_images", "glslangValidator -D", NO_ZERO_ARRAY),
    ("conv/weights_portable", "glslangValidator -D", NO_ZERO_ARRAY),
    ("conv/weights_subgroup", "glslangValidator -D", NO_ZERO_ARRAY),
    ("conv/weights_subgroup_images", "glslangValidator -D", NO_ZERO_ARRAY),
    ("matmul/portable", "glslangValidator -D", NO_ZERO_ARRAY),
    ("matmul/portable_images", "glslangValidator -D", NO_ZERO_ARRAY),
    ("matmul/rows", "glslangValidator -D", NO_ZERO_ARRAY),
    ("matmul/subgroup", "glslangValidator -D", NO_ZERO_ARRAY),
    ("matmul/subgroup_images", "glslangValidator -D", NO_ZERO_ARRAY),
    ("conv/tiled", "glslangValidator -D", NO_ZERO_ARRAY),
    ("conv/tiled_f16", "glslangValidator -D", NO_ZERO_ARRAY),
    ("conv/weights_tiled", "glslangValidator -D", NO_ZERO_ARRAY),
    ("conv/weights_tiled_f16", "glslangValidator -D", NO_ZERO_ARRAY),
    ("matmul/tiled", "glslangValidator -D", NO_ZERO_ARRAY),
    ("matmul/tiled_f16", "glslangValidator -D", NO_ZERO_ARRAY),
    ("micro:multiply_add", "glslangValidator -D", NO_ZERO_ARRAY),
];

const NO_HALVES: &str = "GLSL ES has no 16-bit floats, and GL adapters do not offer them";
const NO_COOPERATIVE: &str = "it has no cooperative matrices, and adapters behind it do not offer them";
const NO_ZERO_ARRAY: &str =
    "a cast of 0 to an array, which is HLSL (FXC and DXC take it), is unknown to glslang";

/// Whether `tool` may reject this kernel.
pub fn is_excused(kernel: &Kernel, tool: &str) -> bool {
    EXCEPTIONS.iter().any(|(label, of, _)| *label == kernel.label() && *of == tool)
}

fn bounds(checks: bool) -> BoundsCheckPolicies {
    let policy = if checks { BoundsCheckPolicy::Restrict } else { BoundsCheckPolicy::Unchecked };
    BoundsCheckPolicies {
        index: policy,
        buffer: policy,
        image_load: policy,
        binding_array: BoundsCheckPolicy::Unchecked,
    }
}

fn to_spirv(shader: &Shader, checks: bool) -> Result<Translated, String> {
    let words = to_spirv_words(shader, (1, 3), checks)?;
    let code = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    Ok(Translated { code, entry: shader.kernel.entry.into() })
}

/// The words of SPIR-V of this version.
pub fn to_spirv_words(shader: &Shader, version: (u8, u8), checks: bool) -> Result<Vec<u32>, String> {
    use spv::Capability;
    let mut capabilities = vec![Capability::Shader];
    if shader.kernel.needs != Needs::Nothing {
        capabilities.extend([Capability::GroupNonUniform, Capability::GroupNonUniformShuffle]);
    }
    if let Needs::Cooperative(_) = shader.kernel.needs {
        capabilities.extend([Capability::CooperativeMatrixKHR, Capability::VulkanMemoryModel]);
    }
    if is_f16(shader.kernel) {
        capabilities.push(Capability::Float16);
    }
    if checks && shader.layout().iter().any(|(_, resource)| *resource == Resource::Image) {
        capabilities.push(Capability::ImageQuery);
    }
    let target = |at: ResourceBinding| spv::BindingInfo {
        descriptor_set: at.group,
        binding: at.binding,
        binding_array_size: None,
    };
    let options = spv::Options {
        lang_version: version,
        fake_missing_bindings: false,
        binding_map: shader.layout().into_iter().map(|(at, ..)| (at, target(at))).collect(),
        capabilities: Some(capabilities.into_iter().collect()),
        bounds_check_policies: bounds(checks),
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: checks,
        emit_int_div_checks: checks,
        ..Default::default()
    };
    let entry =
        spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: shader.kernel.entry.into() };
    spv::write_vec(&shader.module, &shader.info, &options, Some(&entry)).map_err(|e| e.to_string())
}

fn to_msl(shader: &Shader, checks: bool) -> Result<Translated, String> {
    let entry = shader.kernel.entry.to_owned();
    let layout = shader.layout();
    let target = |slot: usize, resource| match resource {
        Resource::Image => msl::BindTarget { texture: Some(slot as u8), ..Default::default() },
        Resource::Uniform | Resource::Storage { .. } => msl::BindTarget {
            buffer: Some(slot as u8),
            mutable: resource == Resource::Storage { writable: true },
            ..Default::default()
        },
    };
    let resources = msl::EntryPointResources {
        resources: layout.iter().enumerate().map(|(i, &(at, resource))| (at, target(i, resource))).collect(),
        immediates_buffer: None,
        sizes_buffer: Some(layout.len() as u8),
    };
    let options = msl::Options {
        lang_version: (2, 4),
        per_entry_point_map: [(entry.clone(), resources)].into(),
        fake_missing_bindings: false,
        bounds_check_policies: bounds(checks),
        zero_initialize_workgroup_memory: false,
        force_loop_bounding: checks,
        emit_int_div_checks: checks,
        ..Default::default()
    };
    let pipeline =
        msl::PipelineOptions { entry_point: Some((ShaderStage::Compute, entry)), ..Default::default() };
    let (text, written) =
        msl::write_string(&shader.module, &shader.info, &options, &pipeline).map_err(|e| e.to_string())?;
    let entry = one_name(written.entry_point_names)?;
    Ok(Translated { code: text.into_bytes(), entry })
}

fn to_hlsl(shader: &Shader, checks: bool) -> Result<Translated, String> {
    let target = |(register, (at, _)): (usize, (ResourceBinding, Resource))| {
        (at, hlsl::BindTarget { register: register as u32, restrict_indexing: true, ..Default::default() })
    };
    let options = hlsl::Options {
        // 16-bit floats require 6.2.
        shader_model: if is_f16(shader.kernel) { hlsl::ShaderModel::V6_2 } else { hlsl::ShaderModel::V6_0 },
        binding_map: shader.layout().into_iter().enumerate().map(target).collect(),
        fake_missing_bindings: false,
        zero_initialize_workgroup_memory: false,
        restrict_indexing: checks,
        force_loop_bounding: checks,
        ..Default::default()
    };
    let pipeline =
        hlsl::PipelineOptions { entry_point: Some((ShaderStage::Compute, shader.kernel.entry.into())) };
    let mut text = String::new();
    let written = hlsl::Writer::new(&mut text, &options, &pipeline)
        .write(&shader.module, &shader.info, None)
        .map_err(|e| e.to_string())?;
    let entry = one_name(written.entry_point_names)?;
    Ok(Translated { code: text.into_bytes(), entry })
}

fn to_glsl(shader: &Shader, _checks: bool) -> Result<Translated, String> {
    // OpenGL numbers uniform buffers, storage buffers and images separately.
    let mut counters = [0, 0, 0];
    let target = |(at, resource): (ResourceBinding, Resource)| {
        let counter = match resource {
            Resource::Uniform => &mut counters[0],
            Resource::Storage { .. } => &mut counters[1],
            Resource::Image => &mut counters[2],
        };
        *counter += 1;
        (at, *counter - 1)
    };
    let options = glsl::Options {
        version: glsl::Version::new_gles(310),
        binding_map: shader.layout().into_iter().map(target).collect(),
        zero_initialize_workgroup_memory: false,
        ..Default::default()
    };
    let pipeline = glsl::PipelineOptions {
        shader_stage: ShaderStage::Compute,
        entry_point: shader.kernel.entry.into(),
        multiview: None,
    };
    let mut text = String::new();
    glsl::Writer::new(&mut text, &shader.module, &shader.info, &options, &pipeline, bounds(false))
        .and_then(|mut writer| writer.write())
        .map_err(|e| e.to_string())?;
    Ok(Translated { code: text.into_bytes(), entry: "main".into() })
}

/// The backend's name of a module's one entry point.
fn one_name<E: ToString>(names: Vec<Result<String, E>>) -> Result<String, String> {
    match <[_; 1]>::try_from(names) {
        Ok([name]) => name.map_err(|e| e.to_string()),
        Err(names) => Err(format!("{} entry points where one was asked for", names.len())),
    }
}
