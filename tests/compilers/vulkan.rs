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
    /// The device's name.
    pub name: String,
    /// The driver's name.
    pub driver: String,
    /// The driver's version.
    pub version: String,
}

/// The version that wgpu chooses for devices of Vulkan 1.3.
const SPIRV_VERSION: (u8, u8) = (1, 6);

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
    /// The first device of the driver that the environment names, or why there is none that can be asked.
    ///
    /// # Panics
    /// If there is one, and it fails.
    pub fn open() -> Result<Compiler, String> {
        // SAFETY: the system's loader of Vulkan has no other preconditions than that of any library.
        let entry = unsafe { ash::Entry::load() }.map_err(|error| format!("no loader of Vulkan: {error}"))?;
        // SAFETY: the loader is loaded.
        let version = unsafe { entry.try_enumerate_instance_version() }.expect("the loader's version");
        // `None` stands for 1.0, whose instances lack functions that are called below.
        if version.is_none_or(|version| version < vk::API_VERSION_1_1) {
            return Err("the loader of Vulkan is of version 1.0".into());
        }
        let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
        let instance_info = vk::InstanceCreateInfo::default().application_info(&application);
        // SAFETY: both structures live until the call returns. So it is with all that follow.
        let instance = match unsafe { entry.create_instance(&instance_info, None) } {
            Err(vk::Result::ERROR_INCOMPATIBLE_DRIVER) => return Err("no driver".into()),
            made => made.expect("an instance"),
        };
        // SAFETY: the instance is alive.
        let devices = match unsafe { instance.enumerate_physical_devices() } {
            // What the loader says where no driver could be started.
            Err(vk::Result::ERROR_INITIALIZATION_FAILED) => return Err("no driver that starts".into()),
            found => found.expect("a list of devices"),
        };
        let physical = *devices.first().ok_or("no device")?;

        // SAFETY: the physical device is of this instance, here and below.
        let version = unsafe { instance.get_physical_device_properties(physical) }.api_version;
        if version < vk::API_VERSION_1_3 {
            return Err("its driver is older than Vulkan 1.3".into());
        }
        let mut driver = vk::PhysicalDeviceDriverProperties::default();
        let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut driver);
        // SAFETY: devices of 1.2 and later know the structure in the chain.
        unsafe { instance.get_physical_device_properties2(physical, &mut properties) };
        let properties = properties.properties;
        // SAFETY: as above.
        let extensions = unsafe { instance.enumerate_device_extension_properties(physical) }
            .expect("a list of extensions");
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
        // SAFETY: the chain holds structures that the device knows: by its version, 1.3 or later, or by an extension that it has.
        unsafe { instance.get_physical_device_features2(physical, &mut features) };

        let priorities = [1.0];
        let queues =
            [vk::DeviceQueueCreateInfo::default().queue_family_index(0).queue_priorities(&priorities)];
        let info = vk::DeviceCreateInfo::default()
            .queue_create_infos(&queues)
            .enabled_extension_names(&names)
            .push_next(&mut features);
        // SAFETY: each feature and each extension was offered, and every device has a first family of queues.
        let device = unsafe { instance.create_device(physical, &info, None) }.expect("a device");
        let executables = khr::pipeline_executable_properties::Device::new(&instance, &device);
        Ok(Compiler {
            executables,
            name: text(&properties.device_name),
            driver: text(&driver.driver_name),
            version: text(&driver.driver_info),
            _entry: entry,
            instance,
            device,
        })
    }

    /// Makes a pipeline and reads what the compiler says of it.
    pub fn compile(&self, shader: &Shader) -> Result<Compiled, String> {
        let words = translate::to_spirv_words(shader, SPIRV_VERSION, false)?;
        let device = &self.device;
        let failed = |what: &'static str| move |error: vk::Result| format!("{what}: {error}");
        let mut made = Made { device, module: <_>::default(), sets: Vec::new(), layout: <_>::default() };
        let module_info = vk::ShaderModuleCreateInfo::default().code(&words);
        // SAFETY: naga wrote the words of a module that it had validated, in a version that devices of Vulkan 1.3 take. wgpu relies
        // on the same. Kernels are asked of a device that has their features, and it was opened with all that it has.
        made.module = unsafe { device.create_shader_module(&module_info, None) }.map_err(failed("module"))?;
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
        for bindings in groups.values() {
            let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(bindings);
            // SAFETY: each binding has a number of its own.
            let set = unsafe { device.create_descriptor_set_layout(&info, None) }.map_err(failed("set"))?;
            made.sets.push(set);
        }
        let layout_info = vk::PipelineLayoutCreateInfo::default().set_layouts(&made.sets);
        // SAFETY: the sets are alive.
        made.layout =
            unsafe { device.create_pipeline_layout(&layout_info, None) }.map_err(failed("layout"))?;
        let entry = CString::new(shader.kernel.entry).expect("a name without zeros");
        let stage = vk::PipelineShaderStageCreateInfo::default()
            .stage(vk::ShaderStageFlags::COMPUTE)
            .module(made.module)
            .name(&entry)
            .flags(vk::PipelineShaderStageCreateFlags::ALLOW_VARYING_SUBGROUP_SIZE);
        let flags = vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR
            | vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR;
        let info = vk::ComputePipelineCreateInfo::default().flags(flags).stage(stage).layout(made.layout);
        // SAFETY: the module has this entry point, and the layout has its bindings: tests/shaders.rs compares them.
        let pipelines = unsafe { device.create_compute_pipelines(vk::PipelineCache::null(), &[info], None) }
            .map_err(|(_, error)| format!("pipeline: {error}"))?;
        let compiled = self.read(pipelines[0]).map_err(failed("statistics"));
        // SAFETY: nothing uses it any more.
        unsafe { device.destroy_pipeline(pipelines[0], None) };
        compiled
    }

    fn read(&self, pipeline: vk::Pipeline) -> Result<Compiled, vk::Result> {
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
        Ok(Compiled { statistics, assembly: self.assembly(&info)? })
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

/// What a pipeline is made of.
struct Made<'a> {
    device: &'a ash::Device,
    module: vk::ShaderModule,
    sets: Vec<vk::DescriptorSetLayout>,
    layout: vk::PipelineLayout,
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        // SAFETY: `compile` has destroyed the pipeline that was made of them, if one was. What was not made is null, which may be
        // destroyed.
        unsafe {
            self.device.destroy_pipeline_layout(self.layout, None);
            self.sets.iter().for_each(|set| self.device.destroy_descriptor_set_layout(*set, None));
            self.device.destroy_shader_module(self.module, None);
        }
    }
}

impl Drop for Compiler {
    fn drop(&mut self) {
        // SAFETY: `compile`, which alone makes something of the device, has destroyed it, on every way out.
        unsafe {
            self.device.destroy_device(None);
            self.instance.destroy_instance(None);
        }
    }
}
