//! The HTML file: a template, the style and the script from `page/`, and the content. No name in the data can become markup or
//! script.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::pack::base64;
use crate::run::report::escaped;

const TEMPLATE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");

/// The modules of the script, each after those that it imports.
const SCRIPTS: &[&str] = &[
    include_str!("page/engine.js"),
    include_str!("page/model.js"),
    include_str!("page/pictures.js"),
    include_str!("page/elements.js"),
    include_str!("page/space.js"),
    include_str!("page/map.js"),
    include_str!("page/panels.js"),
    include_str!("page/training.js"),
    include_str!("page/main.js"),
];

/// A picture for browsers without WebGPU.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What it shows.
    pub title: String,
    /// The PNG file.
    pub png: Vec<u8>,
}

/// A page before it is written.
pub struct Page<'a, C> {
    /// The title.
    pub name: &'a str,
    /// A line below it.
    pub summary: &'a str,
    /// What the script reads.
    pub content: &'a C,
    /// Elements of text that the script unpacks: name, and base64.
    pub blobs: &'a [(&'static str, String)],
    /// What is shown without WebGPU.
    pub figures: &'a [Figure],
}

impl<C: Serialize> Page<'_, C> {
    /// The file.
    ///
    /// # Panics
    /// If the content is no JSON.
    pub fn to_html(&self) -> String {
        let script = script();
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; base-uri 'none'; \
             form-action 'none'",
            hash(&script),
            hash(STYLE)
        );
        let json = serde_json::to_string(self.content).expect("a content has only plain values");
        // In a script element no markup is read but that which ends it.
        let json = json.replace('<', "\\u003c");
        let blob = |(name, text): &(&str, String)| {
            format!("<script type=\"text/plain\" id=\"{name}\">{text}</script>\n")
        };
        let figure = |Figure { title, png }: &Figure| {
            let title = escaped(title);
            format!(
                "<figure><img alt=\"{title}\" src=\"data:image/png;base64,{}\"><figcaption>{title}</figcaption></figure>\n",
                base64(png)
            )
        };
        let figures: String = self.figures.iter().map(figure).collect();
        let figures = match figures.is_empty() {
            true => figures,
            false => format!("<p>Here are pictures of it.</p>\n<div class=\"figures\">\n{figures}</div>\n"),
        };
        fill(
            TEMPLATE,
            &[
                ("policy", policy),
                ("style", STYLE.to_owned()),
                ("script", script),
                ("name", escaped(self.name)),
                ("summary", escaped(self.summary)),
                ("version", env!("CARGO_PKG_VERSION").to_owned()),
                ("figures", figures),
                ("content", json),
                ("blobs", self.blobs.iter().map(blob).collect()),
            ],
        )
    }
}

/// The modules as one, without imports and exports.
fn script() -> String {
    let mut all = String::new();
    for line in SCRIPTS.iter().flat_map(|text| text.lines()).filter(|line| !line.starts_with("import ")) {
        all.push_str(line.strip_prefix("export ").unwrap_or(line));
        all.push('\n');
    }
    all
}

/// The base64 of SHA-256 by which a policy names a script or style.
fn hash(text: &str) -> String {
    base64(&Sha256::digest(text.as_bytes()))
}

/// The template with a value for each `{{name}}`; what stands in a value is left as it is.
fn fill(template: &str, values: &[(&str, String)]) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").expect("the template closes its braces");
        let (_, value) =
            values.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no value for {name}"));
        out.push_str(before);
        out.push_str(value);
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of the script, comments and empty ones included: it is to be read in an hour or two.
    const MOST_LINES: usize = 1561;

    #[test]
    fn no_name_becomes_markup_and_the_policy_names_what_runs() {
        let evil = "</script><script>alert('1')</script>\" onload=\"x {{script}}";
        let content = serde_json::json!({ "name": evil });
        let blobs = [("weights", "AAAA".to_owned())];
        let figures = [Figure { title: evil.into(), png: vec![1, 2, 3] }];
        let page = Page { name: evil, summary: evil, content: &content, blobs: &blobs, figures: &figures };
        let html = page.to_html();
        let scripts: Vec<&str> =
            html.match_indices("<script").map(|(at, _)| html[at..].split('>').next().unwrap()).collect();
        let plain = |id: &str, kind: &str| format!("<script type=\"{kind}\" id=\"{id}\"");
        let expected = [
            plain("content", "application/json"),
            plain("weights", "text/plain"),
            "<script type=\"module\"".to_owned(),
        ];
        assert_eq!(scripts, expected);
        // In the content it is a string of JSON.
        let (markup, _) = html.split_once("<script").unwrap();
        assert!(!markup.contains("alert('1')") && !markup.contains("\" onload"), "{markup}");
        assert_eq!(html.matches("</script").count(), 3);
        let between = |from: &str, to: &str| html.split_once(from).unwrap().1.split_once(to).unwrap().0;
        assert!(html.contains(&format!(
            "script-src 'sha256-{}'",
            hash(between("<script type=\"module\">", "</script>"))
        )));
        assert!(html.contains(&format!("style-src 'sha256-{}'", hash(between("<style>", "</style>")))));
        assert!(html.contains("default-src 'none'"));
        for inline in [" style=", " onclick=", "javascript:", "http://", "https://"] {
            assert!(!TEMPLATE.contains(inline) && !script().contains(inline), "{inline}");
        }
    }

    #[test]
    fn the_script_is_short_and_imports_downwards() {
        let lines = SCRIPTS.iter().flat_map(|text| text.lines()).count();
        assert!(lines <= MOST_LINES, "{lines} lines of script");
        let mut exported: Vec<String> = Vec::new();
        for text in SCRIPTS {
            for import in text.lines().filter(|line| line.starts_with("import ")) {
                let names = import.split_once('{').unwrap().1.split_once('}').unwrap().0;
                for name in names.split(',').map(str::trim) {
                    assert!(
                        exported.iter().any(|known| known == name),
                        "{import}: {name} is not exported before"
                    );
                }
            }
            for line in text.lines().filter_map(|line| line.strip_prefix("export ")) {
                let name = line.split(['(', ' ', '=']).filter(|word| !word.is_empty());
                let mut words =
                    name.skip_while(|word| ["async", "function", "class", "const", "let"].contains(word));
                exported.push(words.next().unwrap().to_owned());
            }
        }
        // Private names share one scope, too.
        let names = script();
        let mut declared: Vec<&str> = names
            .lines()
            .filter_map(|line| {
                let line = line.strip_prefix("async ").unwrap_or(line);
                let rest = ["function ", "class ", "const ", "let "]
                    .iter()
                    .find_map(|word| line.strip_prefix(word))?;
                rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().filter(|name| !name.is_empty())
            })
            .collect();
        declared.sort_unstable();
        assert!(declared.windows(2).all(|pair| pair[0] != pair[1]), "{declared:?}");
    }
}
