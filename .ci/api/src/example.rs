//! The code of an example: which blocks of a documentation are compiled, and what they name.

use std::collections::{BTreeMap, BTreeSet};

/// What examples name, by full paths.
#[derive(Debug, Default)]
pub(crate) struct Example {
    imported: BTreeSet<String>,
    used: BTreeSet<String>,
}

impl Example {
    /// Takes in what a block names. Lines that rustdoc hides bring names in, but show nothing.
    pub(crate) fn add(&mut self, block: &Block) {
        let mut scope = Scope::default();
        for tree in uses(&tokens(&block.compiled)).0 {
            scope.bring_in(&tree);
        }
        let (trees, rest) = uses(&tokens(&block.shown));
        for tree in &trees {
            let mut visible = Scope::default();
            visible.bring_in(tree);
            self.imported.extend(visible.names.into_values());
        }
        for path in paths(&rest) {
            for full in scope.resolve(&path) {
                // A variant or an associated function stands for its type.
                let ends = full.match_indices("::").map(|(at, _)| at).chain([full.len()]);
                self.used.extend(ends.map(|end| full[..end].to_owned()));
            }
        }
    }

    /// Whether code uses this path.
    pub(crate) fn uses(&self, path: &str) -> bool {
        self.used.contains(path)
    }

    /// Whether code that one sees imports this path.
    pub(crate) fn imports(&self, path: &str) -> bool {
        self.imported.contains(path)
    }
}

/// A compiled block: all its code, and what of it the reader sees.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    compiled: String,
    shown: String,
}

/// The blocks of a documentation that rustdoc compiles as examples that work.
pub(crate) fn blocks(docs: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<(bool, Block)> = None;
    for line in docs.lines() {
        let text = line.trim_start();
        if let Some(fence) = text.strip_prefix("```") {
            match open.take() {
                Some((true, block)) => blocks.push(block),
                Some((false, _)) => {}
                None => open = Some((is_compiled(fence), Block::default())),
            }
        } else if let Some((_, block)) = &mut open {
            let hidden = if text == "#" { Some("") } else { text.strip_prefix("# ") };
            block.compiled.push_str(hidden.unwrap_or(line));
            block.compiled.push('\n');
            if hidden.is_none() {
                block.shown.push_str(line);
                block.shown.push('\n');
            }
        }
    }
    blocks
}

fn is_compiled(fence: &str) -> bool {
    fence
        .split([',', ' '])
        .filter(|word| !word.is_empty())
        .all(|word| matches!(word, "rust" | "no_run" | "should_panic") || word.starts_with("edition"))
}

/// The words and signs of code, without comments and literals.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = if first.is_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            match (&rest[..end], raw_string(&rest[end..])) {
                ("r" | "br" | "cr", Some(length)) => end + length,
                ("b" | "c", _) if rest[end..].starts_with('"') => end,
                (word, _) => {
                    tokens.push(word);
                    end
                }
            }
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if first == '"' {
            1 + end_of_literal(&rest[1..], '"')
        } else if first == '\'' {
            // A lifetime has no second quote behind its first letter.
            let is_char = rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'');
            if is_char { 1 + end_of_literal(&rest[1..], '\'') } else { 1 }
        } else if first.is_ascii_digit() {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            tokens.push("::");
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(&rest[..first.len_utf8()]);
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// The length of a raw string behind its `r`.
fn raw_string(text: &str) -> Option<usize> {
    let hashes = text.len() - text.trim_start_matches('#').len();
    let body = text[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", &text[..hashes]);
    let close = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(hashes + 1 + close)
}

/// Where a literal ends, behind its closing quote.
fn end_of_literal(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (escaped, c) {
            (true, _) => escaped = false,
            (false, '\\') => escaped = true,
            (false, c) if c == quote => return at + c.len_utf8(),
            (false, _) => {}
        }
    }
    text.len()
}

/// The trees of the `use` declarations, and the tokens that are not in them.
fn uses<'a>(tokens: &[&'a str]) -> (Vec<Vec<&'a str>>, Vec<&'a str>) {
    let (mut trees, mut rest) = (Vec::new(), Vec::new());
    let mut tokens = tokens.iter().copied();
    while let Some(token) = tokens.next() {
        if token == "use" {
            trees.push(tokens.by_ref().take_while(|token| *token != ";").collect());
        } else {
            rest.push(token);
        }
    }
    (trees, rest)
}

/// The paths of code: names joined by `::`.
fn paths<'a>(tokens: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut paths: Vec<Vec<&str>> = Vec::new();
    let (mut joined, mut field) = (false, false);
    for token in tokens {
        match *token {
            "::" => joined = true,
            name if name.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                match paths.last_mut() {
                    Some(path) if joined => path.push(name),
                    _ if field => {}
                    _ => paths.push(vec![name]),
                }
                (joined, field) = (false, false);
            }
            sign => (joined, field) = (false, sign == "."),
        }
    }
    paths
}

/// Which full paths the names of a block stand for.
#[derive(Debug, Default)]
struct Scope {
    names: BTreeMap<String, String>,
    globs: BTreeSet<String>,
}

impl Scope {
    fn bring_in(&mut self, tree: &[&str]) {
        let mut tokens = tree.iter().copied().peekable();
        self.bring_in_at("", &mut tokens);
    }

    /// One tree below `prefix`: ends before the comma or the brace that ends it.
    fn bring_in_at<'a>(&mut self, prefix: &str, tokens: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) {
        let mut path = prefix.to_owned();
        let mut name = None;
        while let Some(token) = tokens.next_if(|token| !matches!(*token, "," | "}")) {
            match token {
                "::" => {}
                "*" => {
                    self.globs.insert(path.clone());
                    return;
                }
                "{" => loop {
                    self.bring_in_at(&path, tokens);
                    if tokens.next() != Some(",") {
                        return;
                    }
                },
                "as" => name = tokens.next().map(str::to_owned),
                "self" => {}
                word => path = if path.is_empty() { word.to_owned() } else { format!("{path}::{word}") },
            }
        }
        let name = name.or_else(|| path.rsplit("::").next().map(str::to_owned));
        self.names.extend(name.map(|name| (name, path)));
    }

    fn resolve(&self, path: &[&str]) -> Vec<String> {
        let Some((first, others)) = path.split_first() else { return Vec::new() };
        let with = |start: &str| {
            let mut full = start.to_owned();
            for name in others {
                full.push_str("::");
                full.push_str(name);
            }
            full
        };
        match self.names.get(*first) {
            Some(start) => vec![with(start)],
            None => {
                let globs = self.globs.iter().map(|glob| with(&format!("{glob}::{first}")));
                globs.chain([with(first)]).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(docs: &str) -> Example {
        let mut example = Example::default();
        for block in blocks(docs) {
            example.add(&block);
        }
        example
    }

    #[test]
    fn only_what_is_compiled_counts() {
        for (fence, compiled) in
            [("", true), ("no_run", true), ("text", false), ("ignore", false), ("compile_fail", false)]
        {
            let docs = format!("Words.\n```{fence}\nlet a = sip::Via::new();\n```\nMore `sip::To`.");
            assert_eq!(named(&docs).uses("sip::Via"), compiled, "{fence}");
            assert!(!named(&docs).uses("sip::To"));
        }
    }

    #[test]
    fn names_stand_for_what_was_imported() {
        let example = named(
            "```\nuse sip::ua::{self, Agent, event::Event as Said};\n# use sip::header::*;\n\
             let a: Agent = f::<Said>(ua::Config::new(), Via);\n```",
        );
        for path in ["sip::ua", "sip::ua::Agent", "sip::ua::event::Event", "sip::ua::Config", "sip::header::Via"] {
            assert!(example.uses(path), "{path}");
        }
        assert!(!example.uses("sip::transport::Agent"));
    }

    #[test]
    fn text_comments_fields_and_hidden_lines_show_nothing() {
        let example = named(
            "```\nuse sip::{A, B, C, D, E};\n// A is good\nlet c = ('B', \"a \\\" B\", r#\"B \" B\"#);\n# let d = C;\n\
             c.D();\nlet e: &'static E;\n```",
        );
        for path in ["sip::A", "sip::B", "sip::C", "sip::D"] {
            assert!(!example.uses(path), "{path}");
            assert!(example.imports(path), "{path}");
        }
        assert!(example.uses("sip::E"));
    }
}
