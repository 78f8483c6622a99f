//! Rust sources as tokens, and their modules.

use std::fs;
use std::path::{Path, PathBuf};

/// The names of a file's modules from the root down: `data/idx.rs` is `data`, `idx`.
pub fn modules(file: &Path) -> Vec<String> {
    let stem = file.with_extension("");
    let mut names: Vec<String> = stem.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if names.last().is_some_and(|last| last == "mod") {
        names.pop();
    }
    names
}

/// A word or a punctuation mark.
pub struct Token<'a> {
    pub line: usize,
    pub text: &'a str,
}

/// Words, `::`, and every other mark on its own, without comments and string literals.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
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
    // Anything other than a character, such as the 'a of `&'a str`, is a lifetime.
    let character = body[1..end].chars().count() == 1 || body[1..].starts_with('\\');
    (quote == '"' || character).then_some(start + end + 1)
}

/// The tokens that do not belong to a `#[cfg(test)]` item.
pub fn without_tests(tokens: Vec<Token<'_>>) -> Vec<Token<'_>> {
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
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    entries
        .flat_map(|entry| {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() { files(&path) } else { vec![path] }
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}
