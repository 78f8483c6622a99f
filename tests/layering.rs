//! The crate's modules import in one direction, wgpu stays within the gpu module, and only the command prints.
//!
//! Reads the sources as text: a small lexer drops comments, literals and `#[cfg(test)]` items; the rest is searched for
//! paths from the crate's root and for names that only some modules may use.

#[path = "common/circles.rs"]
mod circles;
#[path = "common/lexer.rs"]
mod lexer;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use circles::circles;
use lexer::{Token, files, modules, tokens, without_tests};

/// The modules of ours that each module may import, besides itself.
const IMPORTS: &[(&str, &[&str])] = &[
    ("plan", &[]),
    ("error", &[]),
    ("guide", &[]),
    ("settings", &["error"]),
    ("kernels", &["plan", "settings", "error"]),
    ("gpu", &["plan", "error"]),
    ("ranks", &["error"]),
    ("model", &["kernels", "plan", "settings", "error"]),
    ("data", &["settings", "error"]),
    ("run", &["data", "error"]),
    ("train", &["evaluate", "ranks", "model", "data", "gpu", "plan", "kernels", "run", "settings", "error"]),
    ("evaluate", &["ranks", "model", "data", "gpu", "plan", "kernels", "run", "settings", "error"]),
    ("vae", &["train", "evaluate", "export", "model", "gpu", "run", "error"]),
    ("export", &["model", "data", "kernels", "plan", "error"]),
    ("tune", &["bench", "check", "gpu", "kernels", "run", "plan", "error"]),
    ("check", &["gpu", "kernels", "plan", "error"]),
    ("bench", &["model", "kernels", "gpu", "plan", "check", "train", "evaluate", "data", "error"]),
    ("explore", &["train", "evaluate", "run", "model", "data", "gpu", "kernels", "plan", "error"]),
    (
        "cli",
        &[
            "vae", "explore", "tune", "bench", "check", "train", "evaluate", "ranks", "export", "run",
            "model", "data", "gpu", "kernels", "plan", "settings", "error",
        ],
    ),
];

/// The roots of library and command, which may name every module.
const ROOTS: &[&str] = &["lib", "main"];

/// Names that only some modules may use: a token, or a token with the next one.
const NAMES: &[(&str, &[&str])] = &[
    ("wgpu", &["gpu"]),
    ("clap", &["cli", "settings"]),
    ("print!", PRINTERS),
    ("println!", PRINTERS),
    ("eprint!", PRINTERS),
    ("eprintln!", PRINTERS),
    ("dbg!", &[]),
    ("unsafe", &["gpu", "main"]),
    ("stdout(", PRINTERS),
    ("stderr(", PRINTERS),
];
const PRINTERS: &[&str] = &["cli", "main"];

#[test]
fn modules_import_in_one_direction() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = BTreeSet::new();
    let mut broken = Vec::new();
    for path in files(&src) {
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let file = path.strip_prefix(&src).expect("below src");
        seen.insert(modules(file)[0].clone());
        broken.extend(check(file, &text));
    }
    assert!(seen.contains("plan") && seen.contains("gpu"), "src/ was not read: {seen:?}");
    assert!(broken.is_empty(), "{} rules broken\n{}", broken.len(), broken.join("\n"));
}

/// Files import downwards: no circle of files, of any length. A re-export alone does not count.
#[test]
fn files_import_in_one_direction() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources = files(&src).into_iter().map(|path| {
        let file = path.strip_prefix(&src).expect("below src").display().to_string().replace('\\', "/");
        (file, fs::read_to_string(&path).expect("a readable file"))
    });
    let sources: Vec<(String, String)> = sources.collect();
    let found = circles(&sources);
    let found: Vec<String> = found.iter().map(|circle| circle.to_string()).collect();
    assert!(found.is_empty(), "{} circles\n{}", found.len(), found.join("\n"));
}

#[test]
fn the_circles_of_files_are_found() {
    let find = |sources: &[(&str, &str)]| {
        let sources: Vec<_> =
            sources.iter().map(|(file, text)| (file.to_string(), text.to_string())).collect();
        circles(&sources).into_iter().map(|circle| circle.files.join(" ")).collect::<Vec<_>>()
    };
    let mods = ("a/mod.rs", "pub mod b; mod c; mod d;");
    let nothing: [&str; 0] = [];
    assert_eq!(find(&[mods, ("a/b.rs", "use super::c::C;"), ("a/c.rs", "use super::d::D;")]), nothing);
    // Of two, in every spelling.
    for (b, c) in [
        ("use super::c::C;", "use super::b::B;"),
        ("use super::{c::C, d};", "use crate::a::{d::D, b::{self, B}}; fn f() {}"),
        ("fn f() -> super::c::C {}", "use super::b; fn f() { b::f() }"),
        ("use crate::a::c as other; fn f() { other::f() }", "type B = crate::a::b::B;"),
        ("use super::c::*;", "use super::super::a::b::B;"),
    ] {
        assert_eq!(find(&[mods, ("a/b.rs", b), ("a/c.rs", c)]), ["a/b.rs a/c.rs"], "{b} {c}");
    }
    // Declaring a module does not use it; neither do tests, comments and strings.
    for c in [
        "use super::b; fn f() {}",
        "#[cfg(test)] mod tests { use super::super::b::B; }",
        "// super::b::B\nconst A: &str = \"super::b::B\";",
        "use super::d::b; fn f() { b::g() }",
    ] {
        assert_eq!(find(&[mods, ("a/b.rs", "use super::c::C;"), ("a/c.rs", c)]), nothing, "{c}");
    }
    // Of three, and across folders.
    let three =
        [("a/b.rs", "use super::c::C;"), ("a/c.rs", "use super::d::D;"), ("a/d.rs", "use super::b::B;")];
    assert_eq!(find(&[&[mods][..], &three].concat()), ["a/b.rs a/c.rs a/d.rs"]);
    let folders = [("e/f.rs", "use crate::a::b::B;"), ("e.rs", "mod f;"), ("a/b.rs", "use crate::e::f::F;")];
    assert_eq!(find(&[&[mods][..], &folders].concat()), ["a/b.rs e/f.rs"]);

    // A module that declares and re-exports its children does not depend on them; one that uses them does.
    let child = ("a/b.rs", "use super::A; pub struct B;");
    for (parent, expected) in [
        ("mod b; pub use b::B; pub struct A;", None),
        ("mod b; pub(crate) use b::{B, f as g}; pub struct A;", None),
        ("mod b; pub use b::run; pub struct A; impl A { fn run(&self) { self.run() } }", None),
        ("mod b; use b::B; pub struct A;", Some("a/b.rs a/mod.rs")),
        ("mod b; pub struct A; fn f() { b::f() }", Some("a/b.rs a/mod.rs")),
        ("mod b; pub struct A; fn f() { self::b::f() }", Some("a/b.rs a/mod.rs")),
        ("mod b; pub use b::B; pub struct A(B);", Some("a/b.rs a/mod.rs")),
    ] {
        assert_eq!(find(&[("a/mod.rs", parent), child]), Vec::from_iter(expected), "{parent}");
    }
    // A name belongs to the file that defines it, not to those that re-export it.
    let through = ("a/mod.rs", "mod b; mod c; pub use b::B; pub use c::C;");
    assert_eq!(find(&[through, ("a/b.rs", "use super::C;"), ("a/c.rs", "")]), nothing);
    assert_eq!(
        find(&[through, ("a/b.rs", "use super::C;"), ("a/c.rs", "use crate::a::B;")]),
        ["a/b.rs a/c.rs"]
    );
}

#[test]
fn every_unsafe_block_has_its_proof_on_the_page() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut blocks: Vec<String> = Vec::new();
    for path in files(&src) {
        let text = fs::read_to_string(&path).unwrap();
        let count = without_tests(tokens(&text)).iter().filter(|token| token.text == "unsafe").count();
        let file = path.strip_prefix(&src).unwrap().display().to_string().replace('\\', "/");
        blocks.extend(vec![format!("src/{file}"); count]);
    }
    let page = fs::read_to_string(src.join("soundness.md")).unwrap();
    let proved = page.lines().filter_map(|line| line.strip_prefix("## `")?.split_once('`'));
    assert_eq!(proved.map(|(file, _)| file).collect::<Vec<_>>(), blocks);
}

#[test]
fn the_checker_finds_what_it_looks_for() {
    let finds = |file: &str, text: &str, expected: &[&str]| {
        let found = check(Path::new(file), text);
        assert_eq!(found.len(), expected.len(), "{text}\n{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found} is not {expected}");
        }
    };
    finds("plan.rs", "use std::fmt;\nuse crate::gpu::Gpu;", &["src/plan.rs:2: plan imports gpu"]);
    finds("plan.rs", "use super::gpu::Gpu;", &["src/plan.rs:1: plan imports gpu"]);
    finds("plan.rs", "fn f() {\n crate::model::new() }", &["src/plan.rs:2: plan imports model"]);
    finds("data/idx.rs", "use super::super::run;", &["src/data/idx.rs:1: data imports run"]);
    finds(
        "model/layers.rs",
        "use crate::{\n    plan::{Plan, gpu},\n    train,\n};\nuse crate::*;",
        &["src/model/layers.rs:3: model imports train", "src/model/layers.rs:5: model imports *"],
    );
    finds("train/mod.rs", "type T = wgpu::Device;", &["src/train/mod.rs:1: train uses wgpu"]);
    finds(
        "run/mod.rs",
        "println!(\"{}\", 'a');\n dbg!(1);",
        &["src/run/mod.rs:1: run uses println!", "src/run/mod.rs:2"],
    );
    finds(
        "lib.rs",
        "use crate::gpu;\nfn f() { std::io::stderr().flush() }",
        &["src/lib.rs:2: lib uses stderr("],
    );
    finds("extra.rs", "", &["src/extra.rs:1: extra is in no rule"]);

    finds(
        "plan.rs",
        "// crate::gpu\n/* wgpu::X */ const A: &str = \"crate::gpu \\\" wgpu\"; const B: &str = r#\"wgpu\"#;",
        &[],
    );
    finds(
        "plan.rs",
        "#[cfg(test)]\nmod tests { use crate::gpu; fn f(a: [u8; 2]) {} }\nuse crate::plan::Plan;",
        &[],
    );
    finds("data/idx/tests.rs", "use crate::gpu;", &[]);
    finds(
        "kernels/likelihood/bernoulli.rs",
        "use super::{super::adam, Pass};\nuse crate::plan::{self, gpu};",
        &[],
    );
    finds("gpu/device.rs", "fn f<'a>(x: &'a str) -> char { '\\'' } use wgpu::{self, Device};", &[]);
    finds("main.rs", "use vae_gpu::{cli, gpu};\nfn main() { println!(); self.print(); }", &[]);
}

/// The rules that a file below `src` breaks, as `file:line: what`.
fn check(file: &Path, text: &str) -> Vec<String> {
    let modules = modules(file);
    let module = modules[0].as_str();
    let at = |line: usize| format!("src/{}:{line}", file.display().to_string().replace('\\', "/"));
    // The body of a test module: its `#[cfg(test)] mod tests;` is in its parent.
    if modules.last().is_some_and(|last| last == "tests") {
        return Vec::new();
    }
    let tokens = without_tests(tokens(text));
    let mut broken = Vec::new();
    match IMPORTS.iter().find(|(name, _)| *name == module) {
        Some((_, allowed)) => {
            for (line, import) in imports(&tokens, modules.len()) {
                if import != module && !allowed.contains(&import) {
                    broken
                        .push(format!("{}: {module} imports {import}, and may import {allowed:?}", at(line)));
                }
            }
        }
        None if ROOTS.contains(&module) => {}
        None => broken.push(format!("{}: {module} is in no rule of {}", at(1), file!())),
    }
    for (i, token) in tokens.iter().enumerate() {
        let next = tokens.get(i + 1).map_or("", |next| next.text);
        let with_next = format!("{}{next}", token.text);
        let rule = NAMES.iter().find(|(name, _)| *name == token.text || *name == with_next);
        if let Some((name, owners)) = rule.filter(|(_, owners)| !owners.contains(&module)) {
            broken.push(format!("{}: {module} uses {name}, which belongs to {owners:?}", at(token.line)));
        }
    }
    broken
}

/// The first names of paths that start at the crate's root: `crate::a`, `crate::{a, b}`, and `super::a` in a
/// file whose module is `depth` levels below the root.
fn imports<'a>(tokens: &[Token<'a>], depth: usize) -> Vec<(usize, &'a str)> {
    let text = |i: usize| tokens.get(i).map_or("", |token| token.text);
    let mut found = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let mut supers = 0;
        while text(i + 2 * supers) == "super" && text(i + 2 * supers + 1) == "::" {
            supers += 1;
        }
        let from_root = text(i) == "crate" && text(i + 1) == "::";
        i += 2 * supers + usize::from(supers == 0);
        if supers >= depth {
            found.extend(heads(&tokens[i..]));
        } else if from_root {
            found.extend(heads(&tokens[i + 1..]));
        }
    }
    found
}

/// The first name of a path, or of each path in braces.
fn heads<'a>(tokens: &[Token<'a>]) -> Vec<(usize, &'a str)> {
    let mut open = 0;
    let mut names = Vec::new();
    let mut at_head = true;
    for token in tokens {
        match token.text {
            "{" => open += 1,
            "}" => open -= 1,
            "," => at_head = open == 1,
            name if at_head => {
                names.push((token.line, name));
                at_head = false;
            }
            _ => {}
        }
        if open == 0 {
            break;
        }
    }
    names
}
