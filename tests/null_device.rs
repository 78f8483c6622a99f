//! A driver that compiles everything and computes nothing, as RADV's null device does, is refused before a run is made.

#[path = "common/skip.rs"]
mod skip;

use std::process::{Command, Output};

use skip::skip;

const DRIVER: &str = "/usr/share/vulkan/icd.d/radeon_icd.x86_64.json";

/// The program, as on a machine with a card of AMD's.
fn vae_gpu(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vae-gpu"))
        .args(arguments)
        .envs([
            ("RADV_FORCE_FAMILY", "NAVI21"),
            ("VK_DRIVER_FILES", DRIVER),
            ("VK_ICD_FILENAMES", DRIVER),
            ("VAE_GPU_BACKENDS", "vulkan"),
            ("VAE_GPU_DEVICE", "auto"),
        ])
        .output()
        .unwrap_or_else(|e| panic!("vae-gpu: {e}"))
}

#[test]
fn a_device_that_computes_nothing_is_refused() {
    let devices = vae_gpu(&["devices"]);
    if !String::from_utf8_lossy(&devices.stdout).contains("Null hardware") {
        return skip("radv", "no null device of RADV");
    }
    let folder = std::env::temp_dir().join(format!("vae-gpu-null-{}", std::process::id()));
    let run = folder.to_str().expect("a path of text");
    let trained = vae_gpu(&["train", "--epochs", "1", "--out", run]);
    let said = String::from_utf8_lossy(&trained.stderr);
    assert_eq!(trained.status.code(), Some(1), "{said}");
    assert!(said.contains("Null hardware") && said.contains("--device"), "{said}");
    assert!(!folder.exists(), "a run was made");
}
