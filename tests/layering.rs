//! The modules of the crate import in one direction, wgpu stays at home, and only the command prints.
//!
//! Reads the sources as text: a small lexer drops comments, literals and `#[cfg(test)]` items, and what is left
//! is searched for paths from the crate's root and for names that only some modules may use.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may import of ours, besides itself.
const IMPORTS: &[(&str, &[&str])] = &[
    ("plan", &[]),
    ("error", &[]),
    ("settings", &["error"]),
    ("kernels", &["plan", "settings", "error"]),
    ("gpu", &["plan", "error"]),
    ("model", &["kernels", "plan", "settings", "error"]),
    ("data", &["settings", "error"]),
    ("run", &["data", "error"]),
    ("train", &["evaluate", "model", "data", "gpu", "plan", "kernels", "run", "settings", "error"]),
    ("evaluate", &["model", "data", "gpu", "plan", "kernels", "run", "settings", "error"]),
    ("vae", &["train", "evaluate", "model", "gpu", "run", "error"]),
    ("export", &["model", "kernels", "error"]),
    ("tune", &["bench", "check", "gpu", "kernels", "run", "plan", "error"]),
    ("check", &["gpu", "kernels", "plan", "error"]),
    ("bench", &["model", "kernels", "gpu", "plan", "check", "train", "evaluate", "data", "error"]),
    (
        "cli",
        &[
            "tune", "bench", "check", "train", "evaluate", "export", "run", "model", "data", "gpu",
            "kernels", "plan", "settings", "error",
        ],
    ),
];

/// The roots of the library and of the command, which may name every module.
const ROOTS: &[&str] = &["lib", "main"];

/// Names that only some modules may use: a token, or a token with the one behind it.
const NAMES: &[(&str, &[&str])] = &[
    ("wgpu", &["gpu"]),
    ("clap", &["cli", "settings"]),
    ("print!", PRINTERS),
    ("println!", PRINTERS),
    ("eprint!", PRINTERS),
    ("eprintln!", PRINTERS),
    ("dbg!", &[]),
    ("unsafe", &["gpu"]),
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

/// The rules that the text of a file below `src` breaks, as `file:line: what`.
fn check(file: &Path, text: &str) -> Vec<String> {
    let modules = modules(file);
    let module = modules[0].as_str();
    let at = |line: usize| format!("src/{}:{line}", file.display().to_string().replace('\\', "/"));
    // The body of a module of tests: `#[cfg(test)] mod tests;` stands in its parent.
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

/// The names of a file's modules from the root down: `data/idx.rs` is `data`, `idx`.
fn modules(file: &Path) -> Vec<String> {
    let stem = file.with_extension("");
    let mut names: Vec<String> = stem.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if names.last().is_some_and(|last| last == "mod") {
        names.pop();
    }
    names
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

struct Token<'a> {
    line: usize,
    text: &'a str,
}

/// Words, `::`, and every other mark on its own; no comments, no literals of text.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let (len, keep) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), false)
        } else if rest.starts_with("/*") {
            (rest.find("*/").map_or(rest.len(), |end| end + 2), false)
        } else if let Some(len) = literal(rest) {
            (len, false)
        } else if is_word(first) {
            (rest.find(|c| !is_word(c)).unwrap_or(rest.len()), true)
        } else if rest.starts_with("::") {
            (2, true)
        } else {
            (first.len_utf8(), !first.is_whitespace())
        };
        if keep {
            tokens.push(Token { line, text: &rest[..len] });
        }
        line += rest[..len].matches('\n').count();
        rest = &rest[len..];
    }
    tokens
}

/// The length of the string or character literal that `text` starts with.
fn literal(text: &str) -> Option<usize> {
    let body = text.strip_prefix('b').unwrap_or(text);
    let start = text.len() - body.len();
    if let Some(raw) = body.strip_prefix('r') {
        let quote = raw.trim_start_matches('#');
        let hashes = raw.len() - quote.len();
        let end = format!("\"{}", "#".repeat(hashes));
        let inside = quote.strip_prefix('"')?;
        return Some(start + 1 + hashes + 1 + inside.find(&end)? + end.len());
    }
    let quote = body.chars().next().filter(|c| ['"', '\''].contains(c))?;
    let mut escaped = false;
    let end = body.char_indices().skip(1).find(|&(_, c)| {
        let end = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        end
    });
    let (end, _) = end?;
    // What is no character, such as the 'a of `&'a str`, is a lifetime.
    let character = body[1..end].chars().count() == 1 || body[1..].starts_with('\\');
    (quote == '"' || character).then_some(start + end + 1)
}

/// The tokens that do not belong to a `#[cfg(test)]` item.
fn without_tests(tokens: Vec<Token<'_>>) -> Vec<Token<'_>> {
    const CFG_TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        kept.push(token);
        let is_test = kept.iter().rev().map(|t| t.text).take(7).eq(CFG_TEST.into_iter().rev());
        if is_test {
            // An item ends with a semicolon or a closing brace outside all brackets.
            let mut open = 0;
            for token in tokens.by_ref() {
                match token.text {
                    "(" | "[" | "{" => open += 1,
                    ")" | "]" | "}" => open -= 1,
                    _ => {}
                }
                if open == 0 && [";", "}"].contains(&token.text) {
                    break;
                }
            }
        }
    }
    kept
}

/// Every Rust file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    entries
        .flat_map(|entry| {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() { files(&path) } else { vec![path] }
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}
