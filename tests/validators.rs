//! Other programs' verdicts on naga's translations: `spirv-val` on the SPIR-V, `glslangValidator` on the GLSL ES and,
//! by its HLSL front end, on the HLSL. Debian's packages are spirv-tools and glslang-tools.

#[path = "common/shader.rs"]
mod shader;
#[path = "common/skip.rs"]
mod skip;
#[path = "common/translate.rs"]
mod translate;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::slice;
use std::sync::Mutex;
use std::thread;

use shader::{SHADERS, Shader};
use translate::{BACKENDS, is_excused};

/// A program that validates translations.
struct Tool {
    /// Its name in the table of exceptions.
    name: &'static str,
    program: &'static str,
    /// Its name in the list of required programs.
    required: &'static str,
    /// The backend whose translations it reads.
    backend: &'static str,
    args: &'static [&'static str],
    /// The flag for the entry point's name, if the program needs it.
    entry: Option<&'static str>,
    /// The extension of its files.
    extension: &'static str,
    /// Files per call.
    batch: usize,
}

const SPIRV_VAL: Tool = Tool {
    name: "spirv-val",
    program: "spirv-val",
    required: "spirv-val",
    backend: "SPIR-V 1.3",
    args: &["--target-env", "vulkan1.1"],
    entry: None,
    extension: "spv",
    batch: 1,
};

/// The error of a `spirv-val` that is older than cooperative matrices and cannot judge them.
const UNKNOWN: &str = "Invalid capability operand: 6022";

const GLSLANG: Tool = Tool {
    name: "glslangValidator",
    program: "glslangValidator",
    required: "glslang",
    backend: "GLSL ES 3.1",
    args: &["-S", "comp"],
    entry: None,
    extension: "comp",
    batch: 50,
};

const GLSLANG_HLSL: Tool = Tool {
    name: "glslangValidator -D",
    program: "glslangValidator",
    required: "glslang",
    backend: "HLSL 6.0",
    args: &["-D", "-V", "-S", "comp", "-o", "/dev/null"],
    entry: Some("-e"),
    extension: "hlsl",
    batch: 1,
};

#[test]
fn spirv_passes_spirv_val() {
    SPIRV_VAL.check();
}

#[test]
fn glsl_passes_glslang() {
    GLSLANG.check();
}

#[test]
fn hlsl_passes_glslang() {
    GLSLANG_HLSL.check();
}

/// SPIR-V without the strides of arrays in workgroup memory: naga writes them, drivers ignore them, and newer versions
/// of `spirv-val` reject them there.
fn without_workgroup_strides(code: &[u8]) -> Vec<u8> {
    const HEADER: usize = 5;
    const TYPE_POINTER: u32 = 32;
    const DECORATE: u32 = 71;
    const WORKGROUP: u32 = 4;
    const ARRAY_STRIDE: u32 = 6;
    let words: Vec<u32> = code.chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect();
    let (mut rest, mut instructions) = (&words[HEADER..], Vec::new());
    while let Some(first) = rest.first() {
        let (instruction, after) = rest.split_at((first >> 16) as usize);
        instructions.push(instruction);
        rest = after;
    }
    let in_workgroup: BTreeSet<u32> = instructions
        .iter()
        .filter(|i| i[0] & 0xffff == TYPE_POINTER && i[2] == WORKGROUP)
        .map(|i| i[3])
        .collect();
    let is_stride =
        |i: &[u32]| i[0] & 0xffff == DECORATE && i[2] == ARRAY_STRIDE && in_workgroup.contains(&i[1]);
    let kept = instructions.into_iter().filter(|i| !is_stride(i)).flatten();
    words[..HEADER].iter().chain(kept).flat_map(|word| word.to_le_bytes()).collect()
}

/// One shader on its way through a tool.
struct Subject {
    title: String,
    excused: bool,
    file: PathBuf,
    entry: String,
}

impl Tool {
    /// Passes every translation of every shader to the tool, and fails with all complaints, each printed once.
    fn check(&self) {
        if Command::new(self.program).arg("--version").stdout(Stdio::null()).status().is_err() {
            let remedy = "install Debian's spirv-tools and glslang-tools";
            return skip::skip(self.required, &format!("there is no {}: {remedy}", self.program));
        }
        let folder = tempfile::tempdir().unwrap();
        let subjects = self.write(folder.path());
        assert!(subjects.len() > 100, "{} shaders", subjects.len());
        let complaints = self.run_all(&subjects);
        let show = |(what, titles): (&String, &Vec<String>)| {
            format!("{}: {what}\n  and so {} in all", titles[0], titles.len())
        };
        let shown: Vec<String> = complaints.iter().map(show).collect();
        assert!(complaints.is_empty(), "{}\n{}", self.name, shown.join("\n"));
    }

    /// Each const set of each kernel; with run-time checks, and for excused kernels, only the first.
    fn write(&self, folder: &Path) -> Vec<Subject> {
        let named = BACKENDS.iter().find(|(name, _)| *name == self.backend);
        let (_, translate) = named.expect("a backend of the table");
        let (mut subjects, mut seen) = (Vec::new(), BTreeSet::new());
        for (title, shader) in SHADERS.iter() {
            let Ok(shader) = shader.as_ref().map_err(Clone::clone).and_then(Shader::one_entry) else {
                continue;
            };
            let is_first = seen.insert(shader.kernel.label());
            let excused = is_excused(shader.kernel, self.name);
            if excused && !is_first {
                continue;
            }
            for checks in [false, true].into_iter().take(1 + usize::from(is_first)) {
                let Ok(translated) = translate(&shader, checks) else { continue };
                let file = folder.join(format!("{}.{}", subjects.len(), self.extension));
                let code = if self.name == SPIRV_VAL.name {
                    without_workgroup_strides(&translated.code)
                } else {
                    translated.code
                };
                fs::write(&file, code).unwrap();
                let title = format!("{title}{}", if checks { ", with run-time checks" } else { "" });
                subjects.push(Subject { title, excused, file, entry: translated.entry });
            }
        }
        subjects
    }

    /// Complaints with the shaders they concern.
    fn run_all(&self, subjects: &[Subject]) -> BTreeMap<String, Vec<String>> {
        let threads = thread::available_parallelism().map_or(1, |n| n.get());
        let next = Mutex::new(subjects.chunks(self.batch));
        let complaints: Mutex<BTreeMap<String, Vec<String>>> = Mutex::default();
        let work = || {
            loop {
                let Some(batch) = next.lock().unwrap().next() else { break };
                // If one of several is rejected, each is validated separately.
                if batch.iter().all(|subject| !subject.excused) && self.run(batch).is_ok() {
                    continue;
                }
                for subject in batch {
                    let complaint = match (self.run(slice::from_ref(subject)), subject.excused) {
                        (Err(complaint), false) => complaint,
                        (Ok(()), true) => "passes, and needs no exception".to_owned(),
                        _ => continue,
                    };
                    complaints.lock().unwrap().entry(complaint).or_default().push(subject.title.clone());
                }
            }
        };
        thread::scope(|scope| {
            (0..threads).for_each(|_| drop(scope.spawn(work)));
        });
        complaints.into_inner().unwrap()
    }

    fn run(&self, subjects: &[Subject]) -> Result<(), String> {
        let mut command = Command::new(self.program);
        command.args(self.args);
        if let Some(flag) = self.entry {
            command.args([flag, &subjects[0].entry]);
        }
        command.args(subjects.iter().map(|subject| &subject.file));
        let output = command.output().map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        let text = [output.stdout, output.stderr].concat();
        let path = subjects[0].file.display().to_string();
        let text = String::from_utf8_lossy(&text).replace(&path, "");
        if text.contains(UNKNOWN) {
            return Ok(());
        }
        // The first lines are enough; the rest are consequences.
        Err(text.lines().filter(|line| !line.trim().is_empty()).take(3).collect::<Vec<_>>().join("\n"))
    }
}
