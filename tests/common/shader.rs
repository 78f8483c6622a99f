//! Every specialisation of every kernel, parsed and validated as in wgpu.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::sync::LazyLock;

use naga::back::pipeline_constants::process_overrides;
use naga::valid::{Capabilities, FunctionInfo, ModuleInfo, ValidationFlags, Validator};
use naga::{GlobalVariable, Handle, Module, ResourceBinding, ShaderStage};
use vae_gpu::gpu::shader::compose;
use vae_gpu::kernels;
use vae_gpu::plan::{Access, Const, Form, Kernel, Needs};

/// What a binding of a pipeline layout is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    Uniform,
    Storage { writable: bool },
    Image,
}

/// One specialisation of a kernel, parsed and validated as in wgpu.
pub struct Shader {
    pub kernel: &'static Kernel,
    pub consts: Vec<Const>,
    pub module: Module,
    pub info: ModuleInfo,
}

pub fn title(kernel: &Kernel, consts: &[Const]) -> String {
    let consts: Vec<String> = consts.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{}, entry {}, consts [{}]", kernel.name, kernel.entry, consts.join(" "))
}

/// Whether a shader uses 16-bit floats; it then runs only on adapters that offer them.
pub fn is_f16(kernel: &Kernel) -> bool {
    kernel.source.lines().any(|line| line == "enable f16;")
}

/// The naga capabilities of a kernel with these needs.
fn capabilities(needs: Needs) -> Capabilities {
    match needs {
        Needs::Nothing => Capabilities::empty(),
        Needs::Lanes => Capabilities::SUBGROUP,
        Needs::Cooperative(_) => Capabilities::SUBGROUP | Capabilities::COOPERATIVE_MATRIX,
    }
}

impl Shader {
    pub fn parse(kernel: &'static Kernel, consts: Vec<Const>) -> Result<Shader, String> {
        let text = compose(kernel.source, &consts).map_err(|e| e.to_string())?;
        let module = naga::front::wgsl::parse_str(&text).map_err(|e| e.emit_to_string(&text))?;
        let mut capabilities = capabilities(kernel.needs);
        capabilities.set(Capabilities::SHADER_FLOAT16, is_f16(kernel));
        let info = Validator::new(ValidationFlags::all(), capabilities)
            .validate(&module)
            .map_err(|e| e.emit_to_string(&text))?;
        if !module.entry_points.iter().any(|e| e.name == kernel.entry && e.stage == ShaderStage::Compute) {
            return Err("no such compute entry point".into());
        }
        Ok(Shader { kernel, consts, module, info })
    }

    pub fn entry(&self) -> (&naga::EntryPoint, &FunctionInfo) {
        let index = self.module.entry_points.iter().position(|e| e.name == self.kernel.entry);
        let index = index.expect("parse looked for it");
        (&self.module.entry_points[index], self.info.get_entry_point(index))
    }

    /// The module's variables that the entry point uses, directly or through functions.
    pub fn used(&self) -> impl Iterator<Item = (Handle<GlobalVariable>, &GlobalVariable)> {
        let (_, info) = self.entry();
        self.module.global_variables.iter().filter(move |(handle, _)| !info[*handle].is_empty())
    }

    /// The module reduced to what the entry point reaches, as every backend of wgpu requires.
    pub fn one_entry(&self) -> Result<Shader, String> {
        let entry = Some((ShaderStage::Compute, self.kernel.entry));
        let (module, info) = process_overrides(&self.module, &self.info, entry, &Default::default())
            .map_err(|e| e.to_string())?;
        Ok(Shader {
            kernel: self.kernel,
            consts: self.consts.clone(),
            module: module.into_owned(),
            info: info.into_owned(),
        })
    }

    /// The pipeline layout that the host makes.
    pub fn layout(&self) -> Vec<(ResourceBinding, Resource)> {
        let kernel = self.kernel;
        let mut layout = vec![(ResourceBinding { group: 0, binding: 0 }, Resource::Uniform)];
        layout.extend(kernel.slots.iter().map(|slot| {
            let resource = match slot.form {
                Form::Buffer => Resource::Storage { writable: slot.access == Access::Write },
                Form::Image => Resource::Image,
            };
            (ResourceBinding { group: 0, binding: slot.binding }, resource)
        }));
        layout.extend(kernel.step.then_some((ResourceBinding { group: 1, binding: 0 }, Resource::Uniform)));
        layout
    }
}

/// Every specialisation of every kernel with its title, or the reason why it is not a valid shader.
pub static SHADERS: LazyLock<Vec<(String, Result<Shader, String>)>> = LazyLock::new(|| {
    let mut shaders = Vec::new();
    for kernel in kernels::all() {
        let variants = (kernel.variants)();
        if variants.is_empty() {
            shaders.push((kernel.label(), Err("no const set, so nothing is tested".into())));
        }
        let parsed = variants.into_iter().map(|set| (title(kernel, &set), Shader::parse(kernel, set)));
        shaders.extend(parsed);
    }
    shaders
});
