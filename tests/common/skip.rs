//! Tests that cannot run on every machine report it here, and fail where they are required.
#![allow(dead_code, reason = "each test binary uses a part of it")]

/// A comma-separated list of [`NAMES`]: what this machine has, so that tests of it must not be skipped. Only this file
/// reads it; continuous integration sets it for everything that it installs.
pub const VARIABLE: &str = "VAE_GPU_REQUIRE";

/// What a test may need, by its name in the list.
pub const NAMES: &[(&str, &str)] = &[
    ("bash", "the shell, which reads the completions"),
    ("chromium", "a browser: Debian's chromium"),
    ("disk", "a driver that survives a limit to the size of files"),
    ("fashion", "Fashion-MNIST: Debian's dataset-fashion-mnist, or the variable FASHION_MNIST"),
    ("fish", "the shell, which reads the completions"),
    ("gl", "an OpenGL adapter: Debian's libegl1, libgles2 and libgl1-mesa-dri"),
    ("glslang", "glslangValidator: Debian's glslang-tools"),
    ("memory", "a software adapter that says when there is no memory left"),
    ("mpi", "an MPI, and libclang: Debian's openmpi-bin, libopenmpi-dev and libclang-dev"),
    ("python", "Python with the packages of tests/python/requirements.txt, as `make test-python` has it"),
    ("radv", "RADV with its null device: Mesa 22 to 25 of Debian's mesa-vulkan-drivers"),
    ("spirv-val", "Debian's spirv-tools"),
    ("swiftshader", "SwiftShader, which comes with Debian's chromium"),
    ("tmpfs", "the right to mount a file system"),
    ("zsh", "the shell, which reads the completions"),
];

/// Reports that a test, or a part of one, does not run because `why`.
///
/// # Panics
/// If the machine must have `what`, or the list has an unknown name.
#[track_caller]
pub fn skip(what: &str, why: &str) {
    skip_unless(&required(), what, why);
}

/// The list of this process.
pub fn required() -> String {
    std::env::var(VARIABLE).unwrap_or_default()
}

/// [`skip`] with the list given.
#[track_caller]
pub fn skip_unless(required: &str, what: &str, why: &str) {
    assert!(is_known(what), "{what}: name it in tests/common/skip.rs");
    let list = parse(required).unwrap_or_else(|error| panic!("{error}"));
    assert!(!list.contains(&what), "{VARIABLE} requires {what}, but the test cannot run: {why}");
    // `tests/adapters.sh` counts these lines.
    println!("skipped: {what}: {why}");
}

/// The names in a list.
pub fn parse(list: &str) -> Result<Vec<&str>, String> {
    let names: Vec<&str> = list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    match names.iter().find(|name| !is_known(name)) {
        None => Ok(names),
        Some(unknown) => {
            let known: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            Err(format!("{VARIABLE} names {unknown:?}: use a list of {}", known.join(", ")))
        }
    }
}

fn is_known(what: &str) -> bool {
    NAMES.iter().any(|(name, _)| *name == what)
}
