use std::collections::BTreeSet;
use std::thread;

use super::*;

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn numbers_go_up_and_are_not_given_twice() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    let create = || create_numbered(&runs, "mnist", "mlp").unwrap();
    assert_eq!(create(), runs.join("mnist-mlp-1"));
    assert_eq!(create(), runs.join("mnist-mlp-2"));
    fs::remove_dir(runs.join("mnist-mlp-1")).unwrap();
    fs::create_dir(runs.join("mnist-mlp-notes")).unwrap();
    assert_eq!(create(), runs.join("mnist-mlp-3"));
}

#[test]
fn programs_that_start_at_once_get_folders_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let roots: BTreeSet<PathBuf> = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| create_numbered(folder.path(), "mnist", "mlp").unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(roots.len(), 8);
}

#[test]
fn a_name_from_outside_stays_within_the_folder_of_runs() {
    let folder = tempfile::tempdir().unwrap();
    let root = create_numbered(folder.path(), "../../etc/ä b", "mlp").unwrap();
    assert_eq!(root, folder.path().join("..-..-etc---b-mlp-1"));
}

#[test]
fn a_folder_that_holds_a_run_is_refused_without_force() {
    for held in FILES {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(held), "x").unwrap();
        let error = RunDir::create(Some(folder.path()), "mnist", "mlp", false).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(held), "{error}");
        assert!(error.to_string().contains("`run.force`"), "{error}");
    }
}

#[test]
fn a_file_in_place_of_the_folder_is_refused_even_with_force() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = RunDir::create(Some(file.path()), "mnist", "mlp", true).unwrap_err();
    assert!(matches!(error, Error::Usage(_)), "{error}");
    assert!(file.path().is_file());
}

#[test]
fn force_deletes_what_a_run_made_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let (run, lock) = RunDir::create(Some(root), "mnist", "mlp", false).unwrap();
    fs::write(run.config(), "x").unwrap();
    let refusal = RunDir::create(Some(root), "mnist", "mlp", true).unwrap_err();
    assert!(refusal.to_string().contains("is in use"), "{refusal}");
    drop(lock);
    let made = [run.config(), run.model(), run.checkpoint(), run.metrics(), run.curves()];
    let pictures = [run.sample(1), run.sample(12_345), run.reconstruction(1)];
    let kept = ["notes.md", "config.toml.bak", "samples/epoch-1.png", "samples/mine.png", "epoch-0001.png"];
    let crashed = root.join(".vae-gpu-Ab12.tmp");
    for path in made.iter().chain(&pictures).chain([&crashed]) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    for name in kept {
        fs::write(root.join(name), "x").unwrap();
    }

    RunDir::create(Some(root), "mnist", "mlp", true).unwrap();
    assert!(made.iter().chain(&pictures).chain([&crashed]).all(|path| !path.exists()));
    assert!(kept.iter().all(|name| root.join(name).exists()), "{:?}", names(root));
}

#[cfg(unix)]
#[test]
fn force_does_not_reach_through_a_symbolic_link() {
    let folder = tempfile::tempdir().unwrap();
    let (other, root) = (folder.path().join("other"), folder.path().join("run"));
    fs::create_dir_all(&other).unwrap();
    fs::create_dir_all(&root).unwrap();
    fs::write(other.join("epoch-0001.png"), "x").unwrap();
    fs::write(root.join(CONFIG), "x").unwrap();
    std::os::unix::fs::symlink(&other, root.join(SAMPLES)).unwrap();
    RunDir::create(Some(&root), "mnist", "mlp", true).unwrap();
    assert!(other.join("epoch-0001.png").exists());
}

#[test]
fn a_folder_with_other_things_in_it_is_welcome() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("notes.md"), "x").unwrap();
    RunDir::create(Some(folder.path()), "mnist", "mlp", false).unwrap();
    assert_eq!(names(folder.path()), [LOCK, "notes.md"].map(String::from).into());
}

#[test]
fn a_path_that_is_not_a_run_is_refused_with_a_suggestion() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("mnist-mlp-1");
    RunDir::create(Some(&run), "mnist", "mlp", false).unwrap();
    fs::write(run.join(CONFIG), "x").unwrap();
    assert_eq!(RunDir::open(&run).unwrap().root(), run);

    let refusal = |path: &Path| RunDir::open(path).unwrap_err().to_string();
    assert!(refusal(folder.path()).contains("it has no config.toml"));
    assert!(refusal(&run.join(CONFIG)).contains("but a file"));
    assert!(refusal(&folder.path().join("mnist-mlp-2")).contains("no such run"));
    assert!(refusal(&folder.path().join("mnist-mlp-2")).contains("such as"));
    assert!(refusal(folder.path()).contains("mnist-mlp-1"));
}

#[test]
fn pictures_sort_by_epoch() {
    let run = RunDir { root: "run".into() };
    assert_eq!(run.sample(7), Path::new("run/samples/epoch-0007.png"));
    assert_eq!(run.reconstruction(12_345), Path::new("run/reconstructions/epoch-12345.png"));
}
