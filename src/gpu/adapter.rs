//! Adapters: which exist, what they can do, and which one is used.

use std::env;
use std::str::FromStr;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::plan::{IMAGE_HEIGHT, Target, Vendor};

/// Environment variable that restricts the backends: a comma-separated list of `vulkan`, `metal`, `dx12`, `gl`,
/// or `none`.
pub const BACKENDS_VARIABLE: &str = "VAE_GPU_BACKENDS";

/// Storage buffers of the kernel that has the most.
const MAX_STORAGE_BUFFERS: u32 = 7;

/// Advice where no adapter is found.
const REMEDY: &str = "install your card's Vulkan driver, or the software one: `apt install mesa-vulkan-drivers` on \
                      Debian and Ubuntu, `dnf install mesa-vulkan-drivers` on Fedora, `pacman -S vulkan-swrast` on Arch";

/// The user's choice of an adapter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// The best one.
    #[default]
    Auto,
    /// The one with this number in `vae-gpu devices`.
    Index(usize),
    /// The first whose name, backend or driver contains this text, in upper or lower case.
    Name(String),
}

impl FromStr for Selection {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.parse() {
            Ok(index) => Selection::Index(index),
            Err(_) if text.is_empty() || text.eq_ignore_ascii_case("auto") => Selection::Auto,
            Err(_) => Selection::Name(text.to_owned()),
        })
    }
}

/// An adapter as `vae-gpu devices` prints it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AdapterReport {
    /// Number by which the setting `run.device` names it.
    pub index: usize,
    /// The adapter's name.
    pub name: String,
    /// Its maker.
    #[doc(hidden)]
    pub vendor: Vendor,
    /// `vulkan`, `metal`, `dx12` or `gl`.
    pub backend: String,
    /// `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub kind: String,
    /// The driver's name.
    pub driver: String,
    /// The driver's version and whatever else it reports.
    pub driver_info: String,
    /// Smallest and largest subgroup, if the adapter has subgroups.
    pub subgroup_sizes: Option<(u32, u32)>,
    /// Whether it offers timestamps at pass boundaries.
    pub timestamps: bool,
    /// Whether shaders can use 16-bit floats.
    pub f16: bool,
    /// Rows and columns of its cooperative matrices of 16-bit floats with 32-bit sums, if it has them.
    pub cooperative: Option<u32>,
    /// Whether the processor that does its work has AVX-512, where it is llvmpipe: its code differs then.
    pub avx512: bool,
    /// Whether Intel made that processor.
    pub intel_cpu: bool,
    /// Largest buffer, in bytes.
    pub max_buffer_size: u64,
    /// Largest storage binding, in bytes.
    pub max_binding_size: u64,
    /// Rows of the largest image.
    pub max_image_rows: u32,
    /// Workgroup memory, in bytes.
    pub max_workgroup_memory: u32,
    /// Invocations of a workgroup.
    pub max_workgroup_invocations: u32,
}

impl AdapterReport {
    fn new(index: usize, adapter: &wgpu::Adapter) -> Self {
        let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
        let kind = match info.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete",
            wgpu::DeviceType::IntegratedGpu => "integrated",
            wgpu::DeviceType::VirtualGpu => "virtual",
            wgpu::DeviceType::Cpu => "software",
            wgpu::DeviceType::Other => "other",
        };
        // Mesa's software rasteriser behind OpenGL does not call itself a CPU.
        let software = ["llvmpipe", "softpipe", "swiftshader", "lavapipe"];
        let name = info.name.to_lowercase();
        let kind = if software.iter().any(|s| name.contains(s)) { "software" } else { kind };
        let subgroups = features.contains(wgpu::Features::SUBGROUP) && info.subgroup_min_size > 0;
        AdapterReport {
            index,
            vendor: vendor(info.vendor, &name),
            name: info.name,
            backend: info.backend.to_str().to_owned(),
            kind: kind.to_owned(),
            driver: info.driver,
            driver_info: info.driver_info,
            subgroup_sizes: subgroups.then_some((info.subgroup_min_size, info.subgroup_max_size)),
            timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
            f16: features.contains(wgpu::Features::SHADER_F16),
            // Mesa's llvmpipe crashes in them unless its subgroups have the same size.
            cooperative: cooperative(adapter)
                .filter(|size| kind != "software" || info.subgroup_min_size == *size),
            avx512: is_llvmpipe(&name) && has_avx512(),
            intel_cpu: is_llvmpipe(&name) && is_intel(),
            max_buffer_size: limits.max_buffer_size,
            max_binding_size: limits.max_storage_buffer_binding_size,
            max_image_rows: limits.max_texture_dimension_2d,
            max_workgroup_memory: limits.max_compute_workgroup_storage_size,
            max_workgroup_invocations: limits.max_compute_invocations_per_workgroup,
        }
    }

    /// Whether the CPU does this adapter's work.
    pub fn is_software(&self) -> bool {
        self.kind == "software"
    }

    /// What kernels need to know to choose their variants.
    #[doc(hidden)]
    pub fn target(&self) -> Target {
        let subgroup = self.subgroup_sizes.and_then(|(min, max)| (min == max).then_some(min));
        // A lane reads 4 bytes of a buffer at a time, and without AVX-512 waits for each. With vectors of 512 bits it is images that
        // are slow: 1.2 GFLOP/s in the products of a step, where buffers give 69 and more (Mesa 22).
        let images = is_llvmpipe(&self.name)
            && !self.name.contains("512 bits")
            && self.max_image_rows >= IMAGE_HEIGHT as u32;
        let software = self.is_software();
        Target {
            software,
            subgroup,
            images,
            adam_in_buffers: self.avx512,
            fused: self.intel_cpu,
            vendor: self.vendor,
            ..Target::PORTABLE
        }
    }

    /// The same for products and convolutions that may round their operands to 16 bits, if the adapter can.
    #[doc(hidden)]
    pub fn target_f16(&self) -> Target {
        Target { f16: self.f16, cooperative: self.cooperative, ..self.target() }
    }

    /// Whether training with operands of 16 bits is expected to be faster. A software adapter takes several times as long with
    /// them (`benches/RESULTS.md`). A card computes faster with matrices alone; without them it can gain by tiles that are half as
    /// large.
    #[doc(hidden)]
    pub fn gains_by_f16(&self) -> bool {
        let gains = self.cooperative.is_some() || self.target().gains_by_smaller_tiles();
        self.f16 && !self.is_software() && gains
    }

    /// Higher is better: real cards before software, native interfaces before OpenGL.
    fn rank(&self) -> (u32, u32) {
        let kind = match self.kind.as_str() {
            "discrete" => 4,
            "integrated" => 3,
            "virtual" => 2,
            "other" => 1,
            _ => 0,
        };
        let subgroups = u32::from(self.subgroup_sizes.is_some_and(|(min, max)| min == max && max >= 8));
        (kind, if self.backend == "gl" { 0 } else { 1 + subgroups })
    }

    /// Why `auto` prefers this adapter.
    pub fn reason(&self) -> String {
        let kind = match self.kind.as_str() {
            "software" => "no real card was found, and this is the fastest software adapter".to_owned(),
            kind => format!("{kind} adapters come first"),
        };
        let backend = if self.backend == "gl" { "" } else { ", and native interfaces before OpenGL" };
        format!("{kind}{backend}")
    }

    /// The major version of Mesa, if that is its driver.
    fn mesa(&self) -> Option<u32> {
        let mut words = self.driver_info.split_whitespace().skip_while(|word| *word != "Mesa");
        words.nth(1)?.split('.').next()?.parse().ok()
    }

    /// What is known to be faster on this adapter, by measurement (`benches/RESULTS.md`): with AVX-512, where alone Mesa's versions
    /// were compared.
    pub fn hint(&self) -> Option<&'static str> {
        let measured = self.avx512 && self.mesa() == Some(22);
        measured.then_some(
            "a newer Mesa: with 26.2 networks of convolutions trained 1.4 times as fast as with 22.3, and small dense ones \
             in small batches up to 1.3 times",
        )
    }

    /// Name, backend and type in one line.
    pub fn title(&self) -> String {
        format!("{} ({}, {})", self.name, self.backend, self.kind)
    }
}

/// Whether an adapter of this name is Mesa's llvmpipe, behind Vulkan (lavapipe) or OpenGL.
fn is_llvmpipe(name: &str) -> bool {
    name.to_lowercase().contains("llvmpipe")
}

/// Whether this processor has AVX-512.
fn has_avx512() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Whether Intel made this processor.
fn is_intel() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        let name = std::arch::x86_64::__cpuid(0);
        [name.ebx, name.edx, name.ecx].map(u32::to_le_bytes).concat() == b"GenuineIntel"
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// The maker, by the number that PCI gives it or, where a system or a driver reports none or its own (Metal, and Mesa's driver
/// of Apple's cards), by the adapter's name in small letters.
fn vendor(id: u32, name: &str) -> Vendor {
    match id {
        0x1002 => Vendor::Amd,
        0x10de => Vendor::Nvidia,
        0x106b => Vendor::Apple,
        0x8086 => Vendor::Intel,
        0x5143 => Vendor::Qualcomm,
        _ => {
            let makers = [
                ("apple", Vendor::Apple),
                ("amd", Vendor::Amd),
                ("radeon", Vendor::Amd),
                ("intel", Vendor::Intel),
                ("nvidia", Vendor::Nvidia),
                ("geforce", Vendor::Nvidia),
                ("adreno", Vendor::Qualcomm),
            ];
            let maker = makers.into_iter().find(|(word, _)| name.contains(word));
            maker.map_or(Vendor::Other, |(_, vendor)| vendor)
        }
    }
}

/// The largest square matrices of 16-bit floats that the adapter multiplies into sums of 32 bits.
fn cooperative(adapter: &wgpu::Adapter) -> Option<u32> {
    use wgpu::CooperativeScalarType::{F16, F32};
    let wanted = wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX
        | wgpu::Features::SHADER_F16
        | wgpu::Features::SUBGROUP;
    if !adapter.features().contains(wanted) {
        return None;
    }
    let offers = |size| {
        adapter
            .cooperative_matrix_properties()
            .iter()
            .any(|p| [p.m_size, p.n_size, p.k_size] == [size; 3] && (p.ab_type, p.cr_type) == (F16, F32))
    };
    [16, 8].into_iter().find(|size| offers(*size))
}

/// The adapters that `selection` may mean, with their reports. OpenGL is a last resort: it starts slowly, and its libraries
/// complain about displays, which a compute program does not need.
pub(super) fn candidates(selection: &Selection) -> Result<Vec<(wgpu::Adapter, AdapterReport)>> {
    let allowed = backends(env::var(BACKENDS_VARIABLE).ok().as_deref())?;
    let native = enumerate(allowed & !wgpu::Backends::GL);
    let reports: Vec<_> = native.iter().map(|(_, report)| report.clone()).collect();
    if select(&reports, selection).is_ok() { Ok(native) } else { Ok(enumerate(allowed)) }
}

/// Every adapter of these backends that can compute, native interfaces first.
fn enumerate(backends: wgpu::Backends) -> Vec<(wgpu::Adapter, AdapterReport)> {
    if backends.is_empty() {
        return Vec::new();
    }
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends,
        // Validation layers are for developers of drivers and of wgpu.
        flags: wgpu::InstanceFlags::empty(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let mut adapters = pollster::block_on(instance.enumerate_adapters(backends));
    adapters.retain(|a| {
        a.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
            && a.limits().max_storage_buffers_per_shader_stage >= MAX_STORAGE_BUFFERS
    });
    adapters.sort_by_key(|a| a.get_info().backend == wgpu::Backend::Gl);
    let report = |(index, adapter): (usize, wgpu::Adapter)| {
        let report = AdapterReport::new(index, &adapter);
        (adapter, report)
    };
    adapters.into_iter().enumerate().map(report).collect()
}

fn backends(variable: Option<&str>) -> Result<wgpu::Backends> {
    let Some(list) = variable else {
        return Ok(wgpu::Backends::PRIMARY | wgpu::Backends::GL);
    };
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).try_fold(wgpu::Backends::empty(), |all, name| {
        Ok(all
            | match name {
                "vulkan" => wgpu::Backends::VULKAN,
                "metal" => wgpu::Backends::METAL,
                "dx12" => wgpu::Backends::DX12,
                "gl" => wgpu::Backends::GL,
                "none" => wgpu::Backends::empty(),
                other => {
                    return Err(Error::Usage(format!(
                        "{BACKENDS_VARIABLE} names the unknown backend {other:?}\n  use a comma-separated list of vulkan, metal, dx12, gl, or none"
                    )));
                }
            })
    })
}

/// The reports of all adapters, and the index of the one that `auto` takes.
///
/// # Errors
/// [`Error::Usage`] if the environment names a backend that there is not.
pub fn adapters() -> Result<(Vec<AdapterReport>, Option<usize>)> {
    let allowed = backends(env::var(BACKENDS_VARIABLE).ok().as_deref())?;
    let reports: Vec<_> = enumerate(allowed).into_iter().map(|(_, report)| report).collect();
    let auto = best(&reports);
    Ok((reports, auto))
}

fn best(reports: &[AdapterReport]) -> Option<usize> {
    // `max_by_key` returns the last of equals; the driver lists its preference first.
    reports.iter().rev().max_by_key(|r| r.rank()).map(|r| r.index)
}

/// The index of the adapter that `selection` names.
pub fn select(reports: &[AdapterReport], selection: &Selection) -> Result<usize> {
    if reports.is_empty() {
        return Err(Error::Adapter(format!("no GPU adapter was found\n  {REMEDY}")));
    }
    let known = || reports.iter().map(|r| format!("\n  {} {}", r.index, r.title())).collect::<String>();
    match selection {
        Selection::Auto => best(reports).ok_or_else(|| Error::Adapter("no GPU adapter was found".into())),
        Selection::Index(index) if *index < reports.len() => Ok(*index),
        Selection::Index(index) => Err(Error::Usage(format!(
            "`run.device` = {index}: there is no such adapter; these are here:{}",
            known()
        ))),
        Selection::Name(name) => {
            let wanted = name.to_lowercase();
            let holds = |text: &str| text.to_lowercase().contains(&wanted);
            reports.iter().position(|r| holds(&r.name) || holds(&r.backend) || holds(&r.driver)).ok_or_else(
                || {
                    Error::Usage(format!(
                        "`run.device` = {name}: no adapter has this name; these are here:{}",
                        known()
                    ))
                },
            )
        }
    }
}

/// The index of the adapter that is `turn` cards after the one that `selection` names, among those that equal it.
pub(super) fn select_turn(reports: &[AdapterReport], selection: &Selection, turn: usize) -> Result<usize> {
    let first = select(reports, selection)?;
    let chosen = &reports[first];
    if chosen.is_software() || matches!(selection, Selection::Index(_)) {
        return Ok(first);
    }
    let equals = |report: &AdapterReport| {
        [&report.name, &report.backend, &report.driver] == [&chosen.name, &chosen.backend, &chosen.driver]
    };
    let cards: Vec<usize> = (first..reports.len()).filter(|index| equals(&reports[*index])).collect();
    Ok(cards[turn % cards.len()])
}

#[cfg(test)]
mod tests;
