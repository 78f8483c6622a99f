//! What is said of a source that no reader knows.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::data::known::{BUILT_IN, FORMATS, sources};
use crate::data::origin::Part;
use crate::data::reader::has_extension;
use crate::data::{natural, part, pictures};
use crate::error::Error;

/// Most edits between a name and that of a built-in data set for which the error suggests the latter.
const TYPOS: usize = 2;
/// Bytes of a file by which text is known.
const START: usize = 1 << 10;

/// The error of a source that is in no known format.
pub(super) fn unknown(key: &'static str, source: &str) -> Error {
    let path = Path::new(source);
    let given = if path.is_dir() {
        match fs::read_dir(path) {
            Err(error) => return Error::io("read", path, error),
            Ok(_) => format!("this folder holds no known format of data{}", within(key, source)),
        }
    } else if path.exists() {
        let advice = remedy(source).or_else(|| text(path)).map(|advice| format!(" ({advice})"));
        format!("this file is not in a known format{}", advice.unwrap_or_default())
    } else if source.contains("://") {
        "this is an address, not a file: download it first, and name the file".to_owned()
    } else {
        let near = BUILT_IN.iter().find(|name| strsim::damerau_levenshtein(source, name) <= TYPOS);
        let meant = near.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
        format!("no built-in data set has this name, and there is no such path{meant}")
    };
    let legal: String = sources().map(|(name, describe)| format!("\n  {name:<8} {describe}")).collect();
    Error::setting(key, format!(" `{source}`: {given}; it takes{legal}"))
}

/// What a folder without a known format holds, and which of it to name.
fn within(key: &str, folder: &str) -> String {
    let Ok(entries) = fs::read_dir(folder) else { return String::new() };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.path().is_file().then(|| entry.file_name().to_string_lossy().into_owned()))
        .collect();
    names.sort_by(|a, b| natural::compare(a, b));
    let path = |name: &str| format!("{}/{name}", folder.trim_end_matches(['/', std::path::MAIN_SEPARATOR]));
    let is_known = |name: &&String| FORMATS.iter().any(|format| (format.detect)(&path(name)));
    let known: Vec<&String> = names.iter().filter(is_known).collect();
    let of = |wanted: Part| {
        let is = |name: &&&String| {
            let stem = name.split('.').next().unwrap_or_default();
            part::hinted(stem).is_some_and(|(part, _)| part == wanted)
        };
        known.iter().find(is).map(|name| path(name))
    };
    if let (Some(train), Some(test)) = (of(Part::Train), of(Part::Test).or_else(|| of(Part::Valid))) {
        return format!(" (name its files: `data` = {train} `source.test_data` = {test})");
    }
    if let Some(first) = known.first() {
        return format!(" (name one of its files, such as `{key}` = {})", path(first));
    }
    if names.iter().any(|name| name.starts_with("data_batch_") || name == "test_batch") {
        return " (these are pickles: CIFAR's binary version is read, cifar-10-binary.tar.gz, unpacked)"
            .to_owned();
    }
    if let Some(advice) = names.iter().find_map(|name| remedy(&path(name))) {
        return format!(" ({advice})");
    }
    let strangers = pictures::strangers_in(Path::new(folder));
    strangers.map(|(what, advice)| format!(" ({what}; {advice})")).unwrap_or_default()
}

/// What makes data of files that other programs write.
fn remedy(source: &str) -> Option<String> {
    let name = format!("\"{source}\"");
    let frame = |read: &str| format!("in Python: pd.{read}({name}).to_csv(\"x.csv\", index=False)");
    let saved = |read: &str| format!("in Python: np.save(\"x.npy\", {read})");
    let plain = |text: &str| text.to_owned();
    let of = |extensions: &[&str]| has_extension(source, extensions);
    Some(match () {
        () if of(&["zip", "tar", "tgz", "7z", "rar", "gz", "bz2", "xz", "zst"]) => plain("unpack it first"),
        () if of(&["h5", "hdf5"]) => saved(&format!("h5py.File({name})[\"NAME\"][:]")),
        () if of(&["mat"]) => saved(&format!("scipy.io.loadmat({name})[\"NAME\"]")),
        () if of(&["pkl", "pickle"]) => saved(&format!("pd.read_pickle({name})")),
        () if of(&["pt", "pth"]) => saved(&format!("torch.load({name}).numpy()")),
        () if of(&["json"]) => frame("read_json"),
        () if of(&["jsonl", "ndjson"]) => {
            format!("in Python: pd.read_json({name}, lines=True).to_csv(\"x.csv\", index=False)")
        }
        () if of(&["dta"]) => frame("read_stata"),
        () if of(&["sav"]) => frame("read_spss"),
        () if of(&["sas7bdat", "xpt"]) => frame("read_sas"),
        () if of(&["orc"]) => frame("read_orc"),
        () if of(&["feather", "arrow"]) => frame("read_feather"),
        () if of(&["xls", "xlsx", "ods"]) => {
            format!("save it as .csv there, or {}", frame("read_excel"))
        }
        () if of(&["arff"]) => format!(
            "in Python: pd.DataFrame(scipy.io.arff.loadarff({name})[0]).to_csv(\"x.csv\", index=False)"
        ),
        () if of(&["npx"]) => plain("save its array with np.save"),
        () if of(&["heic", "heif", "avif", "jp2", "jxl", "svg"]) => plain("convert it to png or jpeg"),
        () => return None,
    })
}

/// What to do about text with numbers whose name does not say that it is a table.
fn text(path: &Path) -> Option<String> {
    if !path.is_file() {
        return None;
    }
    let mut start = Vec::new();
    match File::open(path).and_then(|file| file.take(START as u64).read_to_end(&mut start)) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Some("it cannot be read: permission denied".to_owned());
        }
        Err(_) => return None,
    }
    let is_plain = |byte: &u8| *byte >= b' ' || byte.is_ascii_whitespace();
    let is_text = start.iter().all(is_plain) && start.iter().any(u8::is_ascii_digit);
    is_text.then(|| "it looks like text: `source.format` = csv reads it as a table".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_programs_write_comes_with_what_converts_it() {
        let folder = tempfile::tempdir().unwrap();
        let said = |name: &str, content: &str| {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            unknown("data", path.to_str().unwrap()).to_string()
        };
        for (name, cure) in [
            ("a.json", "pd.read_json(\""),
            ("a.jsonl", "lines=True).to_csv(\"x.csv\", index=False)"),
            ("a.dta", "a.dta\").to_csv(\"x.csv\", index=False)"),
            ("a.sav", "pd.read_spss"),
            ("a.orc", "pd.read_orc"),
            ("a.arff", "loadarff"),
            ("a.feather", "pd.read_feather"),
            ("a.h5", "np.save(\"x.npy\", h5py.File("),
            ("a.mat", "loadmat"),
            ("a.pkl", "a.pkl\")))"),
            ("a.pt", "torch.load"),
            ("a.xyz", "`source.format` = csv"),
        ] {
            let said = said(name, "1 2 3\n");
            assert!(said.contains(cure), "{said}");
        }
        assert!(!said("b.xyz", "\0\u{1}\u{2}3").contains("csv reads"));
        assert!(unknown("data", "https://example.org/x.csv").to_string().contains("download it first"));
    }

    #[test]
    fn the_files_of_a_folder_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let said = |name: &str| {
            fs::write(folder.path().join(name), "1,2\n").unwrap();
            unknown("data", folder.path().to_str().unwrap()).to_string()
        };
        assert!(said("x.npy").contains("name one of its files, such as `data` = "));
        said("train.csv");
        let both = said("test.csv");
        assert!(both.contains("train.csv `source.test_data` = ") && both.contains("/test.csv)"), "{both}");
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("data_batch_1"), "").unwrap();
        let said = unknown("data", folder.path().to_str().unwrap()).to_string();
        assert!(said.contains("cifar-10-binary.tar.gz"), "{said}");
    }
}
