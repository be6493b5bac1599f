use std::{
    borrow::Cow,
    fmt,
    io::{self, Write},
};

use clap::ValueEnum;
use serde::Serialize;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For programs: one JSON document.
    Json,
}

/// Prints results on standard output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    format: Format,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Self { format }
    }

    /// Whether a program reads the result.
    pub(crate) fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// Prints a value for programs, or a text about it for people.
    pub(crate) fn show<T: Serialize>(self, value: &T, text: impl FnOnce() -> String) -> io::Result<()> {
        match self.format {
            Format::Json => self.json(value),
            Format::Table => self.line(visible(text().trim_end())),
        }
    }

    /// Prints JSON, in both formats.
    pub(crate) fn json<T: Serialize>(self, value: &T) -> io::Result<()> {
        self.line(visible_in_json(&serde_json::to_string_pretty(value)?))
    }

    /// Prints a line as it is, in both formats.
    pub(crate) fn line(self, text: impl fmt::Display) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")
    }

    /// Prints a remark for people on standard error, so that results stay clean.
    pub(crate) fn remark(self, text: impl fmt::Display) {
        eprintln!("{}", visible(&text.to_string()));
    }
}

/// JSON for a program, on whose way a terminal may stand: the same value, with escapes of its own.
pub(crate) fn visible_in_json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_deceptive) {
        return Cow::Borrowed(json);
    }
    let mut shown = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_deceptive(c) {
            shown.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// A text that does not leave its line: what somebody chose as a name must not look like what this program says.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if text.contains(['\n', '\t']) { text.replace('\n', "\\n").replace('\t', "\\t").into() } else { text.into() }
}

/// A text whose further lines are set in, for the same reason.
pub(crate) fn set_in(text: &str, by: usize) -> String {
    text.replace('\n', &format!("\n{:by$}", ""))
}

/// A text for a terminal. Much of what is printed was written by parties that nobody needs to trust, so what a terminal
/// would obey or hide (escape sequences, changes of direction, invisible characters) becomes visible instead.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_deceptive) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_deceptive(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

fn is_deceptive(c: char) -> bool {
    let invisible = matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    invisible || (c.is_control() && !matches!(c, '\n' | '\t'))
}

/// Columns of text, each as wide as its widest cell. Only the last one may have cells of several lines.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with a headline.
    pub(crate) fn new<const N: usize>(head: [&str; N]) -> Self {
        Self { rows: vec![head.into_iter().map(str::to_owned).collect()] }
    }

    /// Names and values, without a headline.
    pub(crate) fn pairs() -> Self {
        Self { rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.push(cells.into());
    }

    /// Adds a name with its value.
    pub(crate) fn pair(&mut self, name: &str, value: impl fmt::Display) {
        self.push(vec![format!("{name}:"), value.to_string()]);
    }

    fn push(&mut self, mut cells: Vec<String>) {
        let others = cells.len().saturating_sub(1);
        for cell in cells.iter_mut().take(others) {
            *cell = one_line(cell).into_owned();
        }
        self.rows.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |column| self.rows.iter().filter_map(|row| row.get(column)).map(|cell: &String| cell.chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        let before_last: usize = widths.iter().rev().skip(1).map(|width| width + 2).sum();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            writeln!(f, "{}", set_in(cells.collect::<Vec<_>>().join("  ").trim_end(), before_last))?;
        }
        Ok(())
    }
}

/// The beginning of a long id, enough for people; commands take it back.
pub(crate) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// A time as `YYYY-MM-DD`.
pub(crate) fn date(seconds: i64) -> String {
    let date = time::OffsetDateTime::from_unix_timestamp(seconds).map(time::OffsetDateTime::date);
    date.map_or_else(|_| seconds.to_string(), |date| date.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_without_blanks() {
        let mut table = Table::new(["ID", "STATE"]);
        table.row(["größer".into(), String::new()]);
        table.row(["x".into(), "Open".into()]);
        assert_eq!(table.to_string(), "ID      STATE\ngrößer\nx       Open\n");
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert!(matches!(visible("größe\n\tx"), Cow::Borrowed(_)));
        assert_eq!(visible("a\u{1b}[2Kb\r\u{202e}c\u{9b}"), "a\\u{1b}[2Kb\\u{d}\\u{202e}c\\u{9b}");
    }

    #[test]
    fn what_hides_or_breaks_lines_is_shown() {
        for c in ['\u{2028}', '\u{2029}', '\u{3164}', '\u{e0100}', '\u{200b}', '\u{85}'] {
            assert!(visible(&c.to_string()).starts_with("\\u{"), "{c:?}");
        }
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({"a\u{202e}": "ö\u{1b}[2K\u{9b}\u{e0041}\n"});
        let text = serde_json::to_string_pretty(&value).unwrap();
        let shown = visible_in_json(&text);
        assert!(!shown.contains(is_deceptive), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        assert!(matches!(visible_in_json("{\"ö\": 1}"), Cow::Borrowed(_)));
    }

    #[test]
    fn no_cell_looks_like_a_row() {
        let mut table = Table::new(["NAME", "STATE"]);
        table.row(["ada\nbirch  Active".into(), "x\nbirch  Active".into()]);
        table.pair("state", "Open\nstate:  Accepted");
        for line in table.to_string().lines() {
            assert!(!line.starts_with("birch") && !line.starts_with("state:  Accepted"), "{table}");
        }
    }

    #[test]
    fn ids_and_dates_are_short() {
        assert_eq!((short("0123456789abcdef"), short("ab")), ("0123456789ab", "ab"));
        assert_eq!(date(1_700_000_000), "2023-11-14");
    }
}
