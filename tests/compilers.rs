//! The compilers of real cards, without the cards: every pipeline that a plan may ask for compiles, and none that is chosen
//! there spills registers. Nothing runs, so these are no measurements.
//!
//! `cargo test` asks RADV with its null device. `make test-compilers` asks more, and says what is missing: tests/compilers.sh.
//! A table of registers, waves and loads lies in tests/compilers for each version of Mesa that it was made with: to accept
//! another one, `INSTA_UPDATE=always cargo test --test compilers`, and read the difference.

#[path = "compilers/figures.rs"]
mod figures;
#[path = "common/shader.rs"]
mod shader;
#[path = "common/skip.rs"]
mod skip;
#[path = "common/translate.rs"]
mod translate;
#[path = "compilers/vulkan.rs"]
mod vulkan;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use figures::{Answer, Card, Entry};
use serde_json::json;
use shader::{Resource, SHADERS, Shader, is_f16, title};
use translate::{BACKENDS, is_excused};
use vae_gpu::gpu::shader::compose;
use vae_gpu::gpu::{self, AdapterReport};
use vae_gpu::kernels;
use vae_gpu::kernels::conv;
use vae_gpu::kernels::matmul::{Layout, VARIANTS, Variant, choose, single_product};
use vae_gpu::plan::{Const, Form, Kernel, Needs, Target};
use vulkan::Compiler;

/// Where `compile_for_the_device_at_hand` leaves its answer.
const ANSWER: &str = "VAE_GPU_COMPILERS_ANSWER";
/// Where `write_shaders` leaves the shaders.
const FOLDER: &str = "VAE_GPU_COMPILERS_SHADERS";

/// AMD's families that Mesa 22's null device stands in for.
const FAMILIES: [&str; 4] = ["polaris10", "vega10", "navi10", "navi21"];

/// The cards of tests/shim.sh that are asked, from old to new: also the list of tests/compilers/program.sh.
const SHIMS: &str = include_str!("compilers/cards");

#[test]
fn radv_compiles_every_pipeline() {
    let folder = Path::new("/usr/share/vulkan/icd.d");
    let drivers = ["radeon_icd.x86_64.json", "radeon_icd.json"].map(|name| folder.join(name));
    let Some(driver) = drivers.into_iter().find(|path| path.exists()) else {
        return skip::skip("radv", "there is no driver of AMD's cards");
    };
    let asked = ask_all(&FAMILIES, |family| {
        let mut command = Command::new(env::current_exe().unwrap());
        command.env("RADV_FORCE_FAMILY", family.to_uppercase()).env("MESA_SHADER_CACHE_DISABLE", "true");
        command.envs(["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].map(|name| (name, driver.clone())));
        command.env("VAE_GPU_BACKENDS", "vulkan");
        command
    });
    match asked {
        Err(why) => skip::skip("radv", &why),
        Ok(cards) => judge("radv", &cards),
    }
}

#[test]
#[ignore = "needs tests/shim.sh --install, and root: make test-compilers"]
fn every_card_compiles_every_pipeline() {
    let shim = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shim.sh");
    let cards = ask_all(&SHIMS.lines().collect::<Vec<_>>(), |card| {
        let mut command = Command::new(&shim);
        command.arg(card).arg(env::current_exe().unwrap());
        command
    });
    judge("shims", &cards.unwrap_or_else(|why| panic!("{why}")));
}

fn answer_of(card: &str) -> PathBuf {
    let file = format!("vae-gpu-compilers-{}-{}.json", std::process::id(), card.replace(':', "-"));
    env::temp_dir().join(file)
}

/// What each card's compiler says, or why a driver or its device is missing: a process each, since a driver reads the environment
/// once.
///
/// # Panics
/// If a process ends without an answer, as where a compiler crashes, or if a card is missing where others answer.
fn ask_all(cards: &[&str], command: impl Fn(&str) -> Command + Sync) -> Result<Vec<Card>, String> {
    let threads = thread::available_parallelism().map_or(1, |n| n.get());
    let next = Mutex::new(cards.iter().enumerate());
    let answers: Mutex<BTreeMap<usize, Result<Card, String>>> = Mutex::default();
    let work = || {
        loop {
            let Some((number, card)) = next.lock().unwrap().next() else { break };
            let file = answer_of(card);
            let mut command = command(card);
            command.env(ANSWER, &file).args(["--ignored", "--exact", "compile_for_the_device_at_hand"]);
            let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            let answer = fs::read_to_string(&file);
            let _ = fs::remove_file(&file);
            assert!(output.status.success(), "{card}: its process ended with {}: {said}", output.status);
            let answer = answer.unwrap_or_else(|error| panic!("{card} gave no answer: {error}: {said}"));
            let answer = match serde_json::from_str(&answer).unwrap_or_else(|e| panic!("{card}: {e}")) {
                Answer::Card(found) => Ok(Card { name: (*card).into(), ..found }),
                Answer::Unable(why) => Err(format!("{card}: {why}")),
            };
            answers.lock().unwrap().insert(number, answer);
        }
    };
    thread::scope(|scope| {
        (0..threads).for_each(|_| drop(scope.spawn(work)));
    });
    let answers: Vec<_> = answers.into_inner().unwrap().into_values().collect();
    if answers.iter().all(Result::is_err) {
        return answers.into_iter().collect();
    }
    // A driver that knows one card and not another is no driver that is missing.
    Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(|why| panic!("{why}"))).collect())
}

/// Fails where a pipeline does not compile, where one that is chosen spills, and where the table of figures is another one.
fn judge(name: &str, cards: &[Card]) {
    let complaints: Vec<String> = cards.iter().flat_map(Card::complaints).collect();
    for card in cards {
        println!(
            "{}: {} ({} {}), {} pipelines",
            card.name,
            card.device,
            card.driver,
            card.version,
            card.entries.len()
        );
        assert!(card.entries.len() > 100, "{} was asked little", card.name);
        assert!(card.entries.iter().any(|entry| entry.chosen && entry.group.starts_with("tiled-")));
    }
    let version = cards[0].mesa();
    let table = format!("{name}-{version}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compilers");
    let update = env::var("INSTA_UPDATE").is_ok_and(|how| how == "always");
    if update || folder.join(format!("{table}.snap")).exists() {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(&folder);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(table, figures::table(cards)));
    } else {
        println!("no table of Mesa {version} is in tests/compilers: the figures are compared with none");
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
#[ignore = "the tests above start it, each time for another device"]
fn compile_for_the_device_at_hand() {
    let file =
        env::var(ANSWER).unwrap_or_else(|_| panic!("{ANSWER} names no file: other tests start this one"));
    let answer = match compile() {
        Ok(card) => Answer::Card(card),
        Err(why) => Answer::Unable(why),
    };
    fs::write(file, serde_json::to_string(&answer).unwrap()).unwrap();
}

/// What the compiler of the device at hand says, or why there is no such driver or device.
fn compile() -> Result<Card, String> {
    let compiler = Compiler::open()?;
    let (reports, _) = gpu::adapters().unwrap();
    let report = reports.first().expect("wgpu sees the device that Vulkan shows");
    assert_eq!(report.name, compiler.name, "Vulkan and wgpu see the same device");
    let (names, chosen, tiles) = (variant_names(), chosen_on(report), tiles_chosen_on(report));
    let mut entries = Vec::new();
    for (kernel, consts) in
        kernels::all().into_iter().flat_map(|k| (k.variants)().into_iter().map(move |c| (k, c)))
    {
        if !can_be_asked_for(kernel, &consts, report) {
            continue;
        }
        let (title, sizes) = (title(kernel, &consts), sizes(&consts));
        let variant = names.get(&(kernel.name, sizes.clone()));
        let (group, chosen) = match variant {
            Some(name) => {
                let layout = Layout::from_u32(constant(&consts, "LAYOUT").expect("a product"));
                (format!("{name} {layout:?}"), chosen.contains(&(*name, layout as u32)))
            }
            None => {
                let size = |names: &[&str]| names.iter().find_map(|name| constant(&consts, name));
                let tile = (kernel.name, size(&["WORKGROUP", "LANES", "SIDE"]), size(&["CHANNELS", "ROWS"]));
                let chosen = !kernel.name.starts_with("conv/") || tiles.contains(&tile);
                (format!("{} {sizes}", kernel.label()).trim().to_owned(), chosen)
            }
        };
        let shader = Shader::parse(kernel, consts).and_then(|shader| shader.one_entry());
        let shader = shader.unwrap_or_else(|error| panic!("{title}: {error}"));
        let compiled = compiler.compile(&shader);
        entries.push(Entry::new(title, group, chosen, compiled));
    }
    let Compiler { name: device, driver, version, .. } = &compiler;
    let [device, driver, version] = [device, driver, version].map(Clone::clone);
    Ok(Card { name: String::new(), device, driver, version, entries })
}

fn constant(consts: &[Const], wanted: &str) -> Option<u32> {
    consts.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value)
}

/// The constants that make a variant, without those that say what it is used for.
fn sizes(consts: &[Const]) -> String {
    let uses = ["LAYOUT", "EPILOGUE", "ACTIVATION"];
    let sizes = consts.iter().filter(|(name, _)| !uses.contains(name));
    sizes.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// The names of the variants of products, by kernel and sizes.
fn variant_names() -> BTreeMap<(&'static str, String), &'static str> {
    let name = |variant: &&'static Variant| {
        let product = single_product(variant, Layout::NT, [4, 4, 4]);
        let dispatch = &product.plan.dispatches()[0];
        ((dispatch.kernel.name, sizes(&dispatch.consts)), variant.name)
    };
    VARIANTS.iter().map(name).collect()
}

/// What plans are made for on this adapter: with 32 bits and, where training gains by them, with 16.
fn targets_of(report: &AdapterReport) -> impl Iterator<Item = Target> {
    let f16 = report.gains_by_f16().then(|| report.target_f16());
    [Some(report.target()), f16].into_iter().flatten()
}

/// The variants, and the numbers of the layouts, that products get on this adapter where nothing was measured.
fn chosen_on(report: &AdapterReport) -> BTreeSet<(&'static str, u32)> {
    // A prime and a few powers of two.
    let lengths = [3, 16, 128, 512, 1024, 8192];
    let mut chosen = BTreeSet::new();
    for target in targets_of(report) {
        for layout in Layout::ALL {
            for (m, n) in lengths.into_iter().flat_map(|m| lengths.map(|n| (m, n))) {
                chosen.extend(lengths.map(|k| (choose(&target, layout, [m, k, n]).name, layout as u32)));
            }
        }
    }
    chosen
}

/// The shaders of convolutions, with the blocks and the channels of a tile, that are chosen on this adapter.
fn tiles_chosen_on(report: &AdapterReport) -> BTreeSet<(&'static str, Option<u32>, Option<u32>)> {
    let chosen = |(table, target)| {
        let tiles = [3, 8, 16, 32, 1000].map(|channels| conv::choose(table, &target, channels));
        tiles.map(|variant| (variant.kernel.name, Some(variant.blocks), Some(variant.channels)))
    };
    let tables = |target| [(conv::DATA, target), (conv::WEIGHTS, target)];
    targets_of(report).flat_map(tables).flat_map(chosen).collect()
}

/// Whether a plan for this adapter can have it, tuned or not.
fn can_be_asked_for(kernel: &Kernel, consts: &[Const], report: &AdapterReport) -> bool {
    let target = report.target();
    let has = match kernel.needs {
        Needs::Nothing => true,
        Needs::Lanes => target.subgroup.is_some() && constant(consts, "LANES") == target.subgroup,
        Needs::Cooperative(size) => report.cooperative == Some(size),
    };
    let images = kernel.slots.iter().any(|slot| slot.form == Form::Image);
    has && (!images || target.images) && (!is_f16(kernel) || report.f16)
}

#[test]
#[ignore = "writes files for the compilers that tests/compilers.sh starts"]
fn write_shaders() {
    let folder =
        env::var(FOLDER).unwrap_or_else(|_| panic!("{FOLDER} names no folder: tests/compilers.sh does"));
    let folder = Path::new(&folder);
    let (_, to_hlsl) = BACKENDS.iter().find(|(name, _)| name.starts_with("HLSL")).expect("it is a backend");
    let mut index = Vec::new();
    for (number, (title, shader)) in SHADERS.iter().enumerate() {
        let shader = shader.as_ref().unwrap_or_else(|error| panic!("{title}: {error}"));
        let write = |extension: &str, text: &[u8]| {
            fs::write(folder.join(format!("{number:04}.{extension}")), text).unwrap();
        };
        let kernel = shader.kernel;
        write("wgsl", compose(kernel.source, &shader.consts).unwrap().as_bytes());
        let mut hlsl = None;
        if !is_excused(kernel, "HLSL 6.0") {
            let translated = to_hlsl(&shader.one_entry().unwrap(), false).unwrap();
            write("hlsl", &translated.code);
            hlsl = Some(translated.entry);
        }
        let bindings = shader.layout().into_iter().map(|(at, resource)| {
            let kind = match resource {
                Resource::Uniform => "uniform",
                Resource::Storage { writable: true } => "storage",
                Resource::Storage { writable: false } => "read-only-storage",
                Resource::Image => "image",
            };
            json!([at.group, at.binding, kind])
        });
        index.push(json!({
            "title": title,
            "file": format!("{number:04}"),
            "entry": kernel.entry,
            "hlsl_entry": hlsl,
            "f16": is_f16(kernel),
            "subgroups": kernel.needs != Needs::Nothing,
            "matrices": matches!(kernel.needs, Needs::Cooperative(_)),
            "bindings": bindings.collect::<Vec<_>>(),
        }));
    }
    fs::write(folder.join("index.json"), serde_json::to_string(&index).unwrap()).unwrap();
    println!("{} shaders in {}", index.len(), folder.display());
}
