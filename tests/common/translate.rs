//! Translation of a shader to each of wgpu's backends, with wgpu's own options.

use naga::back::{glsl, hlsl, msl, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::{ResourceBinding, ShaderStage};

use super::{Shader, is_f16};

/// A backend's translator.
pub type Translate = fn(&Shader, checks: bool) -> Result<(), String>;

/// The backends that wgpu translates for, each at the oldest version that the program asks for.
pub const BACKENDS: &[(&str, Translate)] =
    &[("SPIR-V 1.3", to_spirv), ("MSL 2.4", to_msl), ("HLSL 6.0", to_hlsl), ("GLSL ES 3.1", to_glsl)];

fn bounds(checks: bool) -> BoundsCheckPolicies {
    let policy = if checks { BoundsCheckPolicy::Restrict } else { BoundsCheckPolicy::Unchecked };
    BoundsCheckPolicies {
        index: policy,
        buffer: policy,
        image_load: policy,
        binding_array: BoundsCheckPolicy::Unchecked,
    }
}

fn to_spirv(shader: &Shader, checks: bool) -> Result<(), String> {
    use spv::Capability;
    let mut capabilities = vec![Capability::Shader];
    if shader.kernel.subgroups {
        capabilities.extend([Capability::GroupNonUniform, Capability::GroupNonUniformShuffle]);
    }
    if is_f16(shader.kernel) {
        capabilities.push(Capability::Float16);
    }
    let target = |at: ResourceBinding| spv::BindingInfo {
        descriptor_set: at.group,
        binding: at.binding,
        binding_array_size: None,
    };
    let options = spv::Options {
        lang_version: (1, 3),
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
    spv::write_vec(&shader.module, &shader.info, &options, Some(&entry)).map_err(|e| e.to_string())?;
    Ok(())
}

fn to_msl(shader: &Shader, checks: bool) -> Result<(), String> {
    let entry = shader.kernel.entry.to_owned();
    let layout = shader.layout();
    let target = |buffer: usize, mutable| msl::BindTarget {
        buffer: Some(buffer as u8),
        mutable,
        ..Default::default()
    };
    let resources = msl::EntryPointResources {
        resources: layout.iter().enumerate().map(|(i, &(at, _, write))| (at, target(i, write))).collect(),
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
    let (_, written) =
        msl::write_string(&shader.module, &shader.info, &options, &pipeline).map_err(|e| e.to_string())?;
    written.entry_point_names.into_iter().try_for_each(|entry| entry.map(drop).map_err(|e| e.to_string()))
}

fn to_hlsl(shader: &Shader, checks: bool) -> Result<(), String> {
    let target = |(register, (at, ..)): (usize, (ResourceBinding, bool, bool))| {
        (at, hlsl::BindTarget { register: register as u32, restrict_indexing: true, ..Default::default() })
    };
    let options = hlsl::Options {
        // 16-bit floats came with 6.2.
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
    written.entry_point_names.into_iter().try_for_each(|entry| entry.map(drop).map_err(|e| e.to_string()))
}

fn to_glsl(shader: &Shader, _checks: bool) -> Result<(), String> {
    // OpenGL counts uniform and storage buffers apart.
    let mut counters = [0, 0];
    let target = |(at, storage, _): (ResourceBinding, bool, bool)| {
        counters[usize::from(storage)] += 1;
        (at, counters[usize::from(storage)] - 1)
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
    Ok(())
}
