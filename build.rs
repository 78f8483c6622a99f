//! Looks for what the feature `mpi` needs, so that a build without it ends with what to install. Everything else builds without this.

use std::env;
use std::path::PathBuf;
use std::process::exit;

/// Variables by which the crate `mpi-sys` finds an MPI other than by `mpicc` on the path.
const NAMED: [&str; 3] = ["MPICC", "MPI_PKG_CONFIG", "CRAY_MPICH_DIR"];

const INSTALL: &str = "install an MPI with its compiler, and libclang: `apt install openmpi-bin libopenmpi-dev libclang-dev` on Debian and \
                       Ubuntu, `dnf install openmpi-devel clang-devel` on Fedora and then `module load mpi`, `brew install open-mpi \
                       llvm` on macOS; on a cluster, load its module; or build without `--features mpi`";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    NAMED.iter().for_each(|name| println!("cargo::rerun-if-env-changed={name}"));
    if env::var_os("CARGO_FEATURE_MPI").is_none() {
        return;
    }
    println!("cargo::rerun-if-env-changed=PATH");
    let is_named = NAMED.iter().any(|name| env::var_os(name).is_some());
    let folders: Vec<PathBuf> =
        env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    let is_there =
        folders.iter().any(|folder| folder.join("mpicc").is_file() || folder.join("mpicc.exe").is_file());
    if !is_named && !is_there && !cfg!(windows) {
        println!("cargo::error=there is no `mpicc` on the path, which the feature `mpi` needs: {INSTALL}");
        exit(1);
    }
}
