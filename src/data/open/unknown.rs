//! What is said of a source that no reader knows.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::data::known::{BUILT_IN, FORMATS, sources};
use crate::data::origin::Part;
use crate::data::reader::has_extension;
use crate::data::{foreign, natural, part, pictures};
use crate::error::{Error, Result};

/// Most edits between a name and that of a built-in data set for which the error suggests the latter.
const TYPOS: usize = 2;

/// The error of a source that is in no known format.
pub(super) fn unknown(key: &'static str, source: &str) -> Error {
    let path = Path::new(source);
    let given = if path.is_dir() {
        match fs::read_dir(path) {
            Err(error) => return Error::io("read", path, error),
            Ok(_) => format!("this folder holds no known format of data{}", within(key, source)),
        }
    } else if path.exists() {
        let advice = remedy(source).or_else(|| content(path)).map(|advice| format!(" ({advice})"));
        format!("this file is not in a known format{}", advice.unwrap_or_default())
    } else {
        let typed = source.to_lowercase();
        let near = BUILT_IN.iter().find(|name| strsim::damerau_levenshtein(&typed, name) <= TYPOS);
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
        () if of(&["html", "htm"]) => {
            format!("in Python: pd.read_html({name})[0].to_csv(\"x.csv\", index=False)")
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

/// What to do about a file whose name does not say what it is, but whose content does.
fn content(path: &Path) -> Option<String> {
    if !path.is_file() {
        return None;
    }
    match foreign::start(path) {
        Ok(start) => match foreign::stranger(start.trim_ascii_start()) {
            Some((what, next)) => Some(format!("it is {what}; {next}")),
            None if foreign::is_text(&start) => {
                Some("it looks like text: `source.format` = csv reads it as a table".to_owned())
            }
            None => None,
        },
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Some("it cannot be read: permission denied".to_owned())
        }
        Err(_) => None,
    }
}

/// Refuses what names no file here, whatever it ends with: an address, a home folder that no shell has written out, or
/// standard input.
pub(super) fn check_place(key: &'static str, source: &str) -> Result<()> {
    if Path::new(source).exists() {
        return Ok(());
    }
    let problem = if source == "-" {
        "standard input is not read: write it to a file first, such as x.csv, and name that".to_owned()
    } else if let Some(place) = source.strip_prefix("file:") {
        let path = place.strip_prefix("//localhost").or_else(|| place.strip_prefix("//")).unwrap_or(place);
        format!("this is an address; name the path itself: {}", unescaped(path))
    } else if let Some((scheme, _)) = source.split_once("://") {
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        if scheme.is_empty() || !scheme.chars().all(is_scheme) {
            return Ok(());
        }
        "this is an address, not a file: download it first, and name the file".to_owned()
    } else if source == "~" || source.starts_with("~/") {
        let home =
            std::env::home_dir().and_then(|home| Some(home.to_str()?.trim_end_matches('/').to_owned()));
        let path = home.map(|home| format!(": {home}{}", &source[1..])).unwrap_or_default();
        format!("the shell has not put your home folder for the ~; write the path out{path}")
    } else {
        return Ok(());
    };
    Err(Error::setting(key, format!(" `{source}`: {problem}")))
}

/// A path in an address: `%20` there is a blank.
fn unescaped(path: &str) -> String {
    let bytes = path.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let code = path.get(at + 1..at + 3).filter(|_| *byte == b'%');
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        out.push(code.unwrap_or(*byte));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap_or_else(|_| path.to_owned())
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
        // Of text that is no table, no promise that it is read.
        for text in ["<table><tr><td>1</td></tr></table>\n", "{\"a\": 1}\n{\"a\": 2}\n", "PAR1\u{15}\u{4}1"] {
            let said = said("a.xyz", text);
            assert!(said.contains("(it is ") && !said.contains("it looks like text"), "{said}");
        }
        assert!(said("a.html", "<table>1").contains("pd.read_html(\""));
    }

    #[test]
    fn what_is_no_path_is_named_whatever_it_ends_with() {
        let said = |source: &str| check_place("source.test_data", source).unwrap_err().to_string();
        for source in ["https://example.org/x.csv", "s3://b/d.npy", "hf://datasets/a", "https://e.org/"] {
            assert!(said(source).contains("download it first"), "{}", said(source));
        }
        for source in ["file:///a%20b/x.csv", "file://localhost/a%20b/x.csv", "file:/a%20b/x.csv"] {
            assert!(said(source).ends_with("name the path itself: /a b/x.csv"), "{}", said(source));
        }
        assert!(said("~/d.csv").contains("home folder") && said("~/d.csv").contains("/d.csv"));
        assert!(said("-").starts_with("`source.test_data` `-`: standard input is not read"));
        for source in ["x.csv", "mnist", "a~/b.csv", "://x.csv", "%2"] {
            assert!(check_place("data", source).is_ok(), "{source}");
        }
        assert_eq!(unescaped("/100%/%c3%bc%"), "/100%/\u{fc}%");
        let error = unknown("data", "MNIST").to_string();
        assert!(error.contains("did you mean `mnist`?"), "{error}");
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
