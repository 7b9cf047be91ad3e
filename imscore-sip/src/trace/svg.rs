//! A ladder as SVG, without fonts or scripts from elsewhere.

use std::fmt::{self, Write};

use super::ladder::{Ladder, Rung};

const MARGIN: usize = 20;
const BETWEEN: usize = 220;
/// What a note of the last column takes beyond it.
const NOTE: usize = 60;
const HEAD: usize = 50;
const STEP: usize = 28;

const STYLE: &str = "text{font:12px monospace;fill:#222}\
    .name{font-weight:bold;text-anchor:middle}.time{fill:#888}.label{text-anchor:middle}\
    .life{stroke:#bbb}.arrow{stroke:#06c;stroke-width:1.5;marker-end:url(#head)}.note{fill:#b50}";

impl Ladder {
    /// The picture, as one `svg` element that can stand alone or in a page.
    pub fn to_svg(&self) -> String {
        let mut out = String::new();
        // Writing to a String does not fail.
        let _ = self.write_svg(&mut out);
        out
    }

    fn write_svg(&self, out: &mut String) -> fmt::Result {
        let width = MARGIN + BETWEEN * self.columns.len() + NOTE;
        let height = HEAD + STEP * (self.rungs.len() + 1);
        writeln!(out, "<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}'>")?;
        writeln!(out, "<style>{STYLE}</style>")?;
        writeln!(
            out,
            "<defs><marker id='head' viewBox='0 0 8 8' refX='8' refY='4' markerWidth='7' markerHeight='7' \
             orient='auto'><path d='M0 0 8 4 0 8z' fill='#06c'/></marker></defs>\
             <rect width='100%' height='100%' fill='#fff'/>"
        )?;
        for (at, name) in self.columns.iter().enumerate() {
            let (x, foot) = (x(at), height - 10);
            writeln!(out, "<text class='name' x='{x}' y='24'>{}</text>", Escaped(name))?;
            writeln!(out, "<line class='life' x1='{x}' y1='32' x2='{x}' y2='{foot}'/>")?;
        }
        self.rungs.iter().enumerate().try_for_each(|(at, rung)| rung.write_svg(HEAD + STEP * (at + 1) - 8, out))?;
        out.write_str("</svg>\n")
    }
}

impl Rung {
    fn write_svg(&self, y: usize, out: &mut String) -> fmt::Result {
        let (from, to, label) = (x(self.from), x(self.to), Escaped(&self.label));
        writeln!(out, "<text class='time' x='8' y='{y}'>{}.{:03}</text>", self.at / 1_000, self.at % 1_000)?;
        if from == to {
            return writeln!(out, "<text class='note' x='{}' y='{y}'>{label}</text>", from + 8);
        }
        let (middle, above) = (from.midpoint(to), y - 5);
        writeln!(out, "<text class='label' x='{middle}' y='{above}'>{label}</text>")?;
        writeln!(out, "<line class='arrow' x1='{from}' y1='{y}' x2='{to}' y2='{y}'/>")
    }
}

fn x(column: usize) -> usize {
    MARGIN + BETWEEN / 2 + BETWEEN * column
}

/// Text that no mark-up gets out of.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '\'' => f.write_str("&#39;"),
            '"' => f.write_str("&quot;"),
            other => f.write_char(other),
        })
    }
}
