//! Circular imports between files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use super::lexer::{Token, modules, tokens, without_tests};

/// A path of names.
type Names = Vec<String>;

/// Files that each depend on all the others, directly or not; sorted by name.
pub struct Circle {
    pub files: Vec<String>,
    /// The imports between them: file, the file that it imports from, and a name.
    ties: Vec<(String, String, String)>,
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.files.join(", "))?;
        self.ties.iter().try_for_each(|(from, to, name)| writeln!(f, "    {from} takes {name} from {to}"))
    }
}

/// A name that a file brings into its scope.
struct Use {
    path: Names,
    /// The name in the file; `*` for all.
    alias: String,
    /// Whether it is re-exported.
    public: bool,
}

/// A file's references to other files.
struct File {
    name: String,
    uses: Vec<Use>,
    /// Paths of more than one name, outside `use` items.
    paths: BTreeSet<Names>,
    /// Every word outside `use` items.
    words: BTreeSet<String>,
}

/// The files of a crate, by module path.
type Files = BTreeMap<Names, File>;

/// The circles among these files, each given as its path below `src` and its text.
pub fn circles(sources: &[(String, String)]) -> Vec<Circle> {
    let parsed = sources.iter().map(|(name, text)| (modules(Path::new(name)), parse(name, text)));
    let files: Files =
        parsed.filter(|(module, _)| module.last().is_none_or(|last| last != "tests")).collect();
    let needs: BTreeMap<&Names, BTreeMap<Names, String>> =
        files.keys().map(|module| (module, needs(&files, module))).collect();
    let reached: BTreeMap<&Names, BTreeSet<&Names>> =
        files.keys().map(|module| (module, reach(&needs, module))).collect();
    let mut circles = Vec::new();
    let mut seen = BTreeSet::new();
    for module in files.keys() {
        let both = |other: &&&Names| reached[**other].contains(module);
        let circle: Vec<&Names> = reached[module].iter().filter(both).copied().collect();
        if circle.len() < 2 || !seen.insert(circle.clone()) {
            continue;
        }
        let name = |module: &Names| files[module].name.clone();
        let ties = circle.iter().flat_map(|from| {
            let inside = needs[*from].iter().filter(|(to, _)| circle.contains(to));
            inside.map(|(to, what)| (name(from), name(to), what.clone()))
        });
        let ties = ties.collect();
        let mut files: Vec<String> = circle.iter().map(|module| name(module)).collect();
        files.sort();
        circles.push(Circle { files, ties });
    }
    circles
}

/// The modules that `module` depends on, directly or not.
fn reach<'a>(needs: &'a BTreeMap<&Names, BTreeMap<Names, String>>, module: &Names) -> BTreeSet<&'a Names> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&Names> = needs[module].keys().collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(needs[module].keys());
        }
    }
    reached
}

/// The modules whose files define names used in `module`, each with one such name.
fn needs(files: &Files, module: &Names) -> BTreeMap<Names, String> {
    let file = &files[module];
    // A re-export alone is not a use; if the file uses the name, it also occurs elsewhere.
    let uses = file.uses.iter().filter(|u| !u.public || file.words.contains(&u.alias));
    let paths = uses.map(|u| &u.path).chain(&file.paths);
    let found = paths.filter_map(|path| Some((home(files, module, path, 0)?, path.join("::"))));
    found.filter(|(home, _)| home != module).collect()
}

/// The module whose file defines the target of `path` in `module`; None if the target is a module, or not in the crate.
fn home(files: &Files, module: &Names, path: &[String], depth: usize) -> Option<Names> {
    let full = absolute(files, module, path, depth)?;
    let mut known = 0;
    while known < full.len() && files.contains_key(&full[..known + 1]) {
        known += 1;
    }
    let (home, rest) = (full[..known].to_vec(), &full[known..]);
    let item = rest.first()?;
    let export = files.get(&home)?.uses.iter().find(|u| u.public && u.alias == *item);
    export.filter(|_| depth < 8).and_then(|u| self::home(files, &home, &u.path, depth + 1)).or(Some(home))
}

/// The path from the crate's root.
fn absolute(files: &Files, module: &Names, path: &[String], depth: usize) -> Option<Names> {
    let (first, rest) = path.split_first()?;
    let joined = |start: &[String], rest: &[String]| Some([start, rest].concat());
    match first.as_str() {
        "crate" => joined(&[], rest),
        "self" => joined(module, rest),
        "super" => {
            let supers = path.iter().take_while(|name| *name == "super").count();
            joined(module.get(..module.len().checked_sub(supers)?)?, &path[supers..])
        }
        name => {
            let import = files[module].uses.iter().find(|u| u.alias == name && u.path != [name]);
            if let Some(import) = import.filter(|_| depth < 8) {
                let start = absolute(files, module, &import.path, depth + 1)?;
                return joined(&start, rest);
            }
            let child = joined(module, &[name.to_owned()])?;
            files.contains_key(&child).then(|| [&child, rest].concat())
        }
    }
}

fn parse(name: &str, text: &str) -> File {
    let tokens = without_tests(tokens(text));
    let text = |i: usize| tokens.get(i).map_or("", |token: &Token| token.text);
    let mut file =
        File { name: name.to_owned(), uses: Vec::new(), paths: BTreeSet::new(), words: BTreeSet::new() };
    let mut i = 0;
    while i < tokens.len() {
        match text(i) {
            "use" => {
                let public = ["pub", ")"].contains(&if i > 0 { text(i - 1) } else { "" });
                i = use_tree(&tokens, i + 1, &[], public, &mut file.uses);
            }
            "mod" => i += 2,
            word if is_word(word) => {
                // A method, a field, or a name being defined here.
                let is_own = i > 0 && [".", "fn", "let"].contains(&text(i - 1));
                let mut path = vec![word.to_owned()];
                while text(i + 1) == "::" && is_word(text(i + 2)) {
                    i += 2;
                    path.push(text(i).to_owned());
                }
                if !is_own {
                    file.words.insert(path[0].clone());
                }
                if path.len() > 1 {
                    file.paths.insert(path);
                }
                i += 1;
            }
            _ => i += 1,
        }
    }
    file
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Parses what follows `use`, or one item in its braces, and returns where it ends.
fn use_tree(tokens: &[Token], mut i: usize, before: &[String], public: bool, uses: &mut Vec<Use>) -> usize {
    let text = |i: usize| tokens.get(i).map_or("", |token: &Token| token.text);
    let mut path = before.to_vec();
    loop {
        match text(i) {
            "{" => {
                while text(i) != "}" && i < tokens.len() {
                    i = use_tree(tokens, i + 1, &path, public, uses);
                }
                return i + 1;
            }
            "::" => i += 1,
            "as" => {
                uses.push(Use { path, alias: text(i + 1).to_owned(), public });
                return i + 2;
            }
            "self" if !path.is_empty() => i += 1,
            word if word == "*" || is_word(word) => {
                path.push(word.to_owned());
                i += 1;
            }
            _ => {
                if path.len() > before.len() || text(i.wrapping_sub(1)) == "self" {
                    let alias = path.last().cloned().unwrap_or_default();
                    uses.push(Use { path, alias, public });
                }
                return i;
            }
        }
    }
}
