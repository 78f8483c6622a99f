//! `report.html`: a run on one page, without other files, network access or scripts.

use std::fmt::Write;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::time;

/// A line of a table: label and value.
pub type Line = (&'static str, String);

/// A picture with its caption.
pub struct Figure {
    /// The heading.
    pub title: &'static str,
    /// A sentence below the picture.
    pub caption: String,
    /// The PNG file.
    pub png: Vec<u8>,
    /// Whether it takes the page's full width; otherwise two stand side by side if there is room.
    pub wide: bool,
}

/// The content of the page.
pub struct RunReport {
    /// The run's name.
    pub name: String,
    /// Model and data, in one line.
    pub summary: String,
    /// The most important figures.
    pub tiles: Vec<Line>,
    /// The pictures, in order.
    pub figures: Vec<Figure>,
    /// Further figures.
    pub table: Vec<Line>,
    /// The configuration: TOML.
    pub config: String,
}

/// Where a link to a page of `vae-gpu explore` goes.
const LINK: &str = "<!-- explore -->";

/// Nothing may be loaded or run, whatever a name in the data contains.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

const STYLE: &str = "
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #1c2330; --soft: #5d6779; --line: #e2e6ec;
  --accent: #1f5faf; }
@media (prefers-color-scheme: dark) { :root { --page: #12151b; --card: #1b2029; --ink: #e6e9ef; --soft: #9aa5b8;
  --line: #2c3340; --accent: #7db1f2; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto,
  'Helvetica Neue', Arial, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { margin: 0; font-size: 30px; line-height: 1.2; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { margin: 0 0 12px; font-size: 17px; }
.summary { margin: 8px 0 28px; color: var(--soft); overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 16px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(440px, 100%), 1fr)); gap: 16px;
  margin-top: 16px; align-items: start; }
.tile, section { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 18px 20px; }
section { min-width: 0; }
.wide { grid-column: 1 / -1; }
.tile .what { color: var(--soft); font-size: 13px; }
.tile .value { font-size: 25px; font-weight: 600; color: var(--accent); font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere; }
img { display: block; max-width: 100%; height: auto; margin: 0 auto; border-radius: 6px; background: #fff; }
p.caption { margin: 12px 0 0; color: var(--soft); font-size: 14px; }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
th, td { padding: 7px 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; font-weight: 400; }
tr:last-child > * { border-bottom: 0; }
th { color: var(--soft); padding-right: 16px; white-space: nowrap; }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
pre { margin: 0; font: 13px/1.5 ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; }
footer { margin-top: 24px; color: var(--soft); font-size: 13px; }
";

impl RunReport {
    /// The page. Everything that does not come from this file is escaped.
    pub fn to_html(&self) -> String {
        let mut html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{name}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{name}</h1>\n\
             <p class=\"summary\">{}</p>\n",
            escaped(&self.summary),
            name = escaped(&self.name),
        );
        let tile = |(what, value): &Line| {
            let (what, value) = (escaped(what), escaped(value));
            format!(
                "<div class=\"tile\"><div class=\"what\">{what}</div><div class=\"value\">{value}</div></div>\n"
            )
        };
        let tiles: String = self.tiles.iter().map(tile).collect();
        let figures: String = self.figures.iter().map(Figure::to_html).collect();
        let line = |(what, value): &Line| {
            format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escaped(what), escaped(value))
        };
        let table: String = self.table.iter().map(line).collect();
        let _ = write!(
            html,
            "<div class=\"tiles\">\n{tiles}</div>\n<div class=\"cards\">\n{figures}\
             <section><h2>Figures</h2>\n<table>\n{table}</table></section>\n\
             <section><h2>Configuration</h2>\n<pre>{}</pre></section>\n</div>\n\
             {LINK}\n<footer>vae-gpu {}, {} UTC</footer>\n</main>\n</body>\n</html>\n",
            escaped(&self.config),
            env!("CARGO_PKG_VERSION"),
            time::to_minute(SystemTime::now()),
        );
        html
    }
}

impl Figure {
    fn to_html(&self) -> String {
        let class = if self.wide { " class=\"wide\"" } else { "" };
        let (width, height) = super::picture::png_size(&self.png);
        format!(
            "<section{class}><h2>{title}</h2>\n<img alt=\"{title}\" width=\"{width}\" height=\"{height}\" \
             src=\"data:image/png;base64,{}\">\n<p class=\"caption\">{}</p></section>\n",
            STANDARD.encode(&self.png),
            escaped(&self.caption),
            title = escaped(self.title),
        )
    }
}

/// The page with a link to `page`, a file beside it; none if it has one, or is of an earlier version.
pub fn linked(html: &str, page: &str) -> Option<String> {
    let anchor = format!("<a href=\"./{}\">", escaped(&encoded(page)));
    let text = format!("Explore this model in the browser: {}", escaped(page));
    let link = format!("<p class=\"caption\">{anchor}{text}</a></p>\n{LINK}");
    let has_one = html.contains(&anchor);
    (!has_one && html.contains(LINK)).then(|| html.replacen(LINK, &link, 1))
}

/// A file's name as a part of an address.
fn encoded(name: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    let spelt = |byte: u8| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    name.bytes().map(spelt).collect()
}

/// Text escaped for HTML, between tags and in quotes.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::picture::grid_png;

    #[test]
    fn a_page_beside_it_is_named_once() {
        let html = format!("<main>{LINK}\n</main>");
        let linked = super::linked(&html, "a b\"<.html").unwrap();
        assert!(linked.contains("href=\"./a%20b%22%3C.html\"") && linked.contains(LINK), "{linked}");
        assert_eq!(super::linked(&linked, "a b\"<.html"), None);
        let both = super::linked(&linked, "other.html").unwrap();
        assert!(both.contains("browser: a b&quot;&lt;.html</a>") && both.contains("browser: other.html</a>"));
        assert_eq!((super::linked(&both, "a b\"<.html"), super::linked(&both, "other.html")), (None, None));
        assert_eq!(super::linked("<main></main>", "a.html"), None);
    }

    #[test]
    fn no_text_of_the_data_becomes_markup() {
        let evil = "</pre><script>alert('1')</script>\" onload=\"x & y".to_owned();
        let shape = crate::data::Shape { width: 1, height: 1, channels: 1 };
        let png = grid_png(&[1.0], shape, 1).unwrap();
        let figure = Figure { title: "Samples", caption: evil.clone(), png, wide: false };
        let report = RunReport {
            name: evil.clone(),
            summary: evil.clone(),
            tiles: vec![("best", evil.clone())],
            figures: vec![figure],
            table: vec![("adapter", evil.clone())],
            config: evil.clone(),
        };
        let html = report.to_html();
        assert!(!html.contains("<script") && !html.contains("alert('1')") && !html.contains("\" onload"));
        assert_eq!(html.matches(&escaped(&evil)).count(), 7);
        assert!(html.contains("x &amp; y") && html.contains("width=\"6\" height=\"6\""));
        assert!(!html.contains("http://") && !html.contains("https://"), "it loads nothing");
    }
}
