//! The commands in a text, as a reader would type them.
#![allow(dead_code, reason = "each user needs a part of it")]

/// Every `vae-gpu ..` in the `sh` blocks of a Markdown text.
pub fn of_markdown(text: &str) -> Vec<String> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        match line.trim() {
            fence if fence.starts_with("```") => inside = fence == "```sh",
            line if inside => found.extend(of_line(line)),
            _ => {}
        }
    }
    found
}

/// Every `vae-gpu ..` below the word Examples in a help text.
pub fn of_help(text: &str) -> Vec<String> {
    let examples = text.lines().skip_while(|line| line.trim() != "Examples:").skip(1);
    examples.take_while(|line| line.starts_with("  ")).flat_map(of_line).collect()
}

/// The commands in a line of shell, without comments, pipes and redirections.
fn of_line(line: &str) -> Vec<String> {
    let line = line.split(" #").next().unwrap_or_default();
    let commands = line.split("&&").filter_map(|command| {
        let words = command.split(['|', '>']).next()?.split_whitespace();
        // Variables may be set before the name.
        let words = words.skip_while(|word| word.contains('=')).collect::<Vec<_>>();
        (words.first() == Some(&"vae-gpu")).then(|| words.join(" "))
    });
    commands.collect()
}

/// The words of a command as a shell reads them: what stands in double quotes is one word.
pub fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for character in command.chars() {
        match character {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().expect("there is a word").push(character),
        }
    }
    assert!(!quoted, "a quote is left open: {command}");
    words
}
