//! Looks for what the feature `mpi` needs, so that a build without it ends with what to install. Everything else builds without this.

use std::env;
use std::fs;
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
    // It may lie elsewhere, so this is no error.
    if cfg!(target_os = "linux") && env::var_os("LIBCLANG_PATH").is_none() && !has_libclang() {
        println!(
            "cargo::warning=libclang was not found in the usual places: if `mpi-sys` does not build, {INSTALL}"
        );
    }
}

/// Whether libclang lies where distributions put it.
fn has_libclang() -> bool {
    let below = |folder: &str| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_libclang = |path: &PathBuf| {
        path.file_name().is_some_and(|name| {
            name.to_string_lossy().starts_with("libclang") && name.to_string_lossy().contains(".so")
        })
    };
    let roots = ["/usr/lib", "/usr/lib64", "/usr/local/lib"];
    let folders = roots.iter().flat_map(|root| below(root)).filter(|path| path.is_dir());
    let folders = folders.flat_map(|folder| [folder.join("lib"), folder]);
    let folders: Vec<PathBuf> = folders.chain(roots.iter().map(PathBuf::from)).collect();
    folders.iter().any(|folder| below(&folder.to_string_lossy()).any(|path| is_libclang(&path)))
}
