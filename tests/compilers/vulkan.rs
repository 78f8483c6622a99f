//! Pipelines made by Vulkan directly, with wgpu's own options, and what the driver's compiler says of them. wgpu cannot do
//! this: it hides the statistics, and it cannot open a device without a kernel driver.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};

use ash::{khr, vk};

use super::shader::{Resource, Shader};
use super::translate;

/// A device, to compile for.
pub struct Compiler {
    // Holds the library that all functions below are in.
    _entry: ash::Entry,
    instance: ash::Instance,
    device: ash::Device,
    executables: khr::pipeline_executable_properties::Device,
    spirv_version: (u8, u8),
    /// The device's name.
    pub name: String,
    /// The driver's name.
    pub driver: String,
    /// The driver's version.
    pub version: String,
}

/// What the compiler says of a pipeline.
pub struct Compiled {
    /// Its statistics, in the driver's own words.
    pub statistics: BTreeMap<String, u64>,
    /// The machine code as text, if the driver has a disassembler.
    pub assembly: Option<String>,
}

fn text(chars: &[c_char]) -> String {
    let bytes: Vec<u8> = chars.iter().take_while(|c| **c != 0).map(|c| *c as u8).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Compiler {
    /// The first device of the driver that the environment names.
    pub fn open() -> Result<Compiler, String> {
        // SAFETY: the system's loader of Vulkan has no other preconditions than that of any library.
        let entry = unsafe { ash::Entry::load() }.map_err(|error| format!("no loader of Vulkan: {error}"))?;
        let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
        let instance_info = vk::InstanceCreateInfo::default().application_info(&application);
        // SAFETY: both structures live until the call returns. So it is with all that follow.
        let instance = unsafe { entry.create_instance(&instance_info, None) }
            .map_err(|e| format!("no instance: {e}"))?;
        // SAFETY: the instance is alive.
        let devices =
            unsafe { instance.enumerate_physical_devices() }.map_err(|e| format!("no devices: {e}"))?;
        let physical = *devices.first().ok_or("no device")?;

        let mut driver = vk::PhysicalDeviceDriverProperties::default();
        let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut driver);
        // SAFETY: the physical device is of this instance, here and below.
        unsafe { instance.get_physical_device_properties2(physical, &mut properties) };
        let properties = properties.properties;
        // SAFETY: as above.
        let extensions = unsafe { instance.enumerate_device_extension_properties(physical) }
            .map_err(|e| format!("no extensions: {e}"))?;
        let has =
            |name: &CStr| extensions.iter().any(|e| text(&e.extension_name).as_bytes() == name.to_bytes());
        if !has(khr::pipeline_executable_properties::NAME) {
            return Err("its driver tells nothing about pipelines".into());
        }
        let cooperative = has(khr::cooperative_matrix::NAME);
        let robust = has(ash::ext::robustness2::NAME);
        let mut names = vec![khr::pipeline_executable_properties::NAME.as_ptr()];
        names.extend(cooperative.then_some(khr::cooperative_matrix::NAME.as_ptr()));
        names.extend(robust.then_some(ash::ext::robustness2::NAME.as_ptr()));

        // Every feature that the device has: more than wgpu asks for, but with the one that changes code, robust access.
        let mut features11 = vk::PhysicalDeviceVulkan11Features::default();
        let mut features12 = vk::PhysicalDeviceVulkan12Features::default();
        let mut features13 = vk::PhysicalDeviceVulkan13Features::default();
        let mut robustness = vk::PhysicalDeviceRobustness2FeaturesEXT::default();
        let mut matrices = vk::PhysicalDeviceCooperativeMatrixFeaturesKHR::default();
        let mut statistics = vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default();
        let mut features = vk::PhysicalDeviceFeatures2::default()
            .push_next(&mut features11)
            .push_next(&mut features12)
            .push_next(&mut features13)
            .push_next(&mut statistics);
        if robust {
            features = features.push_next(&mut robustness);
        }
        if cooperative {
            features = features.push_next(&mut matrices);
        }
        // SAFETY: the chain holds structures that the device knows, by its version or its extensions.
        unsafe { instance.get_physical_device_features2(physical, &mut features) };

        let priorities = [1.0];
        let queues =
            [vk::DeviceQueueCreateInfo::default().queue_family_index(0).queue_priorities(&priorities)];
        let info = vk::DeviceCreateInfo::default()
            .queue_create_infos(&queues)
            .enabled_extension_names(&names)
            .push_next(&mut features);
        // SAFETY: each feature and each extension was offered.
        let device = unsafe { instance.create_device(physical, &info, None) }
            .map_err(|e| format!("no device: {e}"))?;
        // As wgpu chooses it.
        let spirv_version = match properties.api_version {
            vk::API_VERSION_1_3.. => (1, 6),
            vk::API_VERSION_1_2.. => (1, 5),
            _ => (1, 3),
        };
        let executables = khr::pipeline_executable_properties::Device::new(&instance, &device);
        Ok(Compiler {
            executables,
            spirv_version,
            name: text(&properties.device_name),
            driver: text(&driver.driver_name),
            version: text(&driver.driver_info),
            _entry: entry,
            instance,
            device,
        })
    }

    /// Makes a pipeline and reads what the compiler says of it; with its machine code if `assembly`.
    pub fn compile(&self, shader: &Shader, assembly: bool) -> Result<Compiled, String> {
        let words = translate::to_spirv_words(shader, self.spirv_version, false)?;
        let device = &self.device;
        let failed = |what: &'static str| move |error: vk::Result| format!("{what}: {error}");
        // SAFETY: naga made valid SPIR-V of a validated module, as spirv-val confirms in `validators`.
        let module =
            unsafe { device.create_shader_module(&vk::ShaderModuleCreateInfo::default().code(&words), None) }
                .map_err(failed("module"))?;
        let mut groups: BTreeMap<u32, Vec<vk::DescriptorSetLayoutBinding>> = BTreeMap::new();
        for (at, resource) in shader.layout() {
            let ty = match resource {
                Resource::Storage { .. } => vk::DescriptorType::STORAGE_BUFFER,
                Resource::Image => vk::DescriptorType::STORAGE_IMAGE,
                // The step, one of many in a buffer.
                Resource::Uniform if at.group == 1 => vk::DescriptorType::UNIFORM_BUFFER_DYNAMIC,
                Resource::Uniform => vk::DescriptorType::UNIFORM_BUFFER,
            };
            let binding = vk::DescriptorSetLayoutBinding::default()
                .binding(at.binding)
                .descriptor_type(ty)
                .descriptor_count(1)
                .stage_flags(vk::ShaderStageFlags::COMPUTE);
            groups.entry(at.group).or_default().push(binding);
        }
        let mut sets = Vec::new();
        for bindings in groups.values() {
            let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(bindings);
            // SAFETY: each binding has a number of its own.
            sets.push(unsafe { device.create_descriptor_set_layout(&info, None) }.map_err(failed("set"))?);
        }
        let layout_info = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets);
        // SAFETY: the sets are alive.
        let layout =
            unsafe { device.create_pipeline_layout(&layout_info, None) }.map_err(failed("layout"))?;
        let entry = CString::new(shader.kernel.entry).expect("a name without zeros");
        let stage = vk::PipelineShaderStageCreateInfo::default()
            .stage(vk::ShaderStageFlags::COMPUTE)
            .module(module)
            .name(&entry)
            .flags(vk::PipelineShaderStageCreateFlags::ALLOW_VARYING_SUBGROUP_SIZE);
        let mut flags = vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR;
        if assembly {
            flags |= vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR;
        }
        let info = vk::ComputePipelineCreateInfo::default().flags(flags).stage(stage).layout(layout);
        // SAFETY: the module has this entry point, and the layout has its bindings: tests/shaders.rs compares them.
        let made = unsafe { device.create_compute_pipelines(vk::PipelineCache::null(), &[info], None) };
        let compiled = match made {
            Err((_, error)) => Err(format!("pipeline: {error}")),
            Ok(pipelines) => {
                let compiled = self.read(pipelines[0], assembly).map_err(failed("statistics"));
                // SAFETY: nothing uses it any more.
                unsafe { device.destroy_pipeline(pipelines[0], None) };
                compiled
            }
        };
        // SAFETY: the pipeline that was made of them is gone.
        unsafe {
            device.destroy_pipeline_layout(layout, None);
            sets.into_iter().for_each(|set| device.destroy_descriptor_set_layout(set, None));
            device.destroy_shader_module(module, None);
        }
        compiled
    }

    fn read(&self, pipeline: vk::Pipeline, assembly: bool) -> Result<Compiled, vk::Result> {
        use vk::PipelineExecutableStatisticFormatKHR as Format;
        let info = vk::PipelineInfoKHR::default().pipeline(pipeline);
        // SAFETY: the pipeline is alive and was made to be asked.
        let count = unsafe { self.executables.get_pipeline_executable_properties(&info) }?.len();
        assert_eq!(count, 1, "executables of a compute pipeline");
        let info = vk::PipelineExecutableInfoKHR::default().pipeline(pipeline).executable_index(0);
        // SAFETY: the pipeline has an executable of this number.
        let found = unsafe { self.executables.get_pipeline_executable_statistics(&info) }?;
        let statistics = found.iter().map(|one| {
            // SAFETY: the format says which field of the union is set.
            let value = unsafe {
                match one.format {
                    Format::BOOL32 => u64::from(one.value.b32),
                    Format::INT64 => one.value.i64.unsigned_abs(),
                    Format::UINT64 => one.value.u64,
                    _ => one.value.f64 as u64,
                }
            };
            (text(&one.name), value)
        });
        let statistics = statistics.collect();
        let assembly = if assembly { self.assembly(&info)? } else { None };
        Ok(Compiled { statistics, assembly })
    }

    /// The last of the forms that a shader takes on its way through the compiler, if that is machine code.
    fn assembly(&self, info: &vk::PipelineExecutableInfoKHR) -> Result<Option<String>, vk::Result> {
        let get = self.executables.fp().get_pipeline_executable_internal_representations_khr;
        let device = self.executables.device();
        let mut count = 0;
        // SAFETY: without an array the call only counts.
        unsafe { get(device, info, &mut count, std::ptr::null_mut()) }.result()?;
        let mut forms = vec![vk::PipelineExecutableInternalRepresentationKHR::default(); count as usize];
        // SAFETY: the array has `count` elements; without memory for their texts it gets their lengths.
        unsafe { get(device, info, &mut count, forms.as_mut_ptr()) }.result()?;
        let mut texts: Vec<Vec<u8>> = forms.iter().map(|form| vec![0; form.data_size]).collect();
        for (form, text) in forms.iter_mut().zip(&mut texts) {
            form.p_data = text.as_mut_ptr().cast();
        }
        // SAFETY: each text has the length that was asked for.
        unsafe { get(device, info, &mut count, forms.as_mut_ptr()) }.result()?;
        let named = forms.iter().zip(texts).rev();
        let mut named = named.map(|(form, bytes)| (text(&form.name).to_lowercase(), bytes));
        let machine = named.find(|(name, _)| name.contains("assembly") || name.contains("shader binary"));
        Ok(machine.map(|(_, bytes)| String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned()))
    }
}

impl Drop for Compiler {
    fn drop(&mut self) {
        // SAFETY: all that was made of them is gone.
        unsafe {
            self.device.destroy_device(None);
            self.instance.destroy_instance(None);
        }
    }
}
