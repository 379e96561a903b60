//! An explanation as a tree of inputs.

use std::fmt::Write;

use findata_explain::{Explanation, Figure, Source};

/// Columns that a line should keep within.
const WIDTH: usize = 100;

/// An explanation as a person reads it.
pub fn explanation(explained: &Explanation) -> String {
    let mut out = String::new();
    let figure = &explained.figure;
    let mut files = Files::default();
    let company = explained.company.as_deref().map(|name| format!(" ({})", one_line(name))).unwrap_or_default();
    let as_of = explained.as_of.as_deref().map(|day| format!(", as of {day}")).unwrap_or_default();
    let known = figure.known_on.as_deref().map(|day| format!(", known on {day}")).unwrap_or_default();
    let _ = writeln!(out, "{}{company}  {}  {}{known}{as_of}", explained.symbol, explained.metric, figure.when());
    if let (Some(table), Some(column)) = (&figure.table, &figure.column) {
        let _ = writeln!(out, "{table}.{column}");
    }
    out.push('\n');
    let _ = writeln!(out, "{} = {}", figure.label, value(figure));
    about(&mut out, figure, "", &mut files);
    if !figure.inputs.is_empty() {
        out.push('\n');
    }
    children(&mut out, figure, "", &mut files);
    files.list(&mut out);
    out
}

/// Files named so far: a tree has one figure a line or two, and many of them came in the same file.
#[derive(Default)]
struct Files(Vec<Source>);

impl Files {
    fn number(&mut self, source: &Source) -> usize {
        let known = self.0.iter().position(|s| s.file == source.file && s.observed_at == source.observed_at);
        known.unwrap_or_else(|| {
            self.0.push(source.clone());
            self.0.len() - 1
        }) + 1
    }

    fn list(&self, out: &mut String) {
        for (n, source) in self.0.iter().enumerate() {
            let mark = format!("[{}]", n + 1);
            let _ = writeln!(out, "{}{mark} {}", if n == 0 { "\n" } else { "" }, source.file);
            let indent = " ".repeat(mark.len() + 1);
            if let Some(sha256) = &source.sha256 {
                let _ = writeln!(out, "{indent}sha256 {sha256}");
            }
            let _ = writeln!(out, "{indent}run {}, fetched {} UTC", source.run_id, source.observed_at);
        }
    }
}

/// Everything about a figure below its own line, but for its inputs.
fn about(out: &mut String, figure: &Figure, indent: &str, files: &mut Files) {
    let inner = format!("{indent}  ");
    let carried = figure.inputs.len() == 1 && figure.expression.as_deref() == Some(figure.inputs[0].name.as_str());
    if let Some(formula) = figure.formula.as_deref().filter(|_| !carried) {
        wrapped(out, &format!("= {formula}"), &inner);
    }
    if !figure.only_when.is_empty() {
        wrapped(out, &format!("only when {}", figure.only_when.join(", and ")), &inner);
    }
    if let Some(reason) = &figure.reason {
        let meaning = if reason.meaning.is_empty() { String::new() } else { format!(". {}", reason.meaning) };
        wrapped(out, &format!("NULL: {}{meaning}", reason.word), &inner);
    }
    for note in &figure.notes {
        wrapped(out, note, &inner);
    }
    if let Some(source) = &figure.source {
        from(out, source, &inner, files);
    }
}

fn children(out: &mut String, figure: &Figure, indent: &str, files: &mut Files) {
    let last = figure.inputs.len().saturating_sub(1);
    for (n, input) in figure.inputs.iter().enumerate() {
        let input = &without_repetition(input, figure);
        let (branch, below) = if n == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let dates = [
            input.filing_date.as_ref().map(|day| format!("filed {day}")),
            input.known_on.as_ref().map(|day| format!("known on {day}")),
        ];
        let dates = dates.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let when = [input.when(), dates].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ");
        let _ = writeln!(out, "{indent}{branch}{} = {}", input.label, value(input));
        let deeper = format!("{indent}{below}");
        let place = match (&input.table, &input.column) {
            (Some(table), Some(column)) => format!("{}.{column}", table.trim_start_matches("analytics.")),
            _ => String::new(),
        };
        let line = [place, when].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("  ");
        if !line.is_empty() {
            wrapped(out, &line, &format!("{deeper}  "));
        }
        about(out, input, &deeper, files);
        children(out, input, &deeper, files);
    }
}

/// An input without what the figure above it said already.
fn without_repetition(input: &Figure, above: &Figure) -> Figure {
    let mut input = input.clone();
    input.notes.retain(|note| !above.notes.contains(note));
    if let (Some(reason), Some(known)) = (&mut input.reason, &above.reason)
        && reason.word == known.word
    {
        reason.meaning.clear();
    }
    input
}

fn from(out: &mut String, source: &Source, indent: &str, files: &mut Files) {
    let sent = source.sent.as_deref().map_or("did not send it".into(), |sent| format!("sent {}", one_line(sent)));
    wrapped(out, &format!("FMP {} {} {sent}", source.endpoint, source.field), indent);
    let row = source.row.map(|n| n.to_string()).unwrap_or_default();
    let _ = writeln!(out, "{indent}row {row} of [{}], hash {}", files.number(source), source.row_hash);
}

/// A text in lines that keep within the width, the later ones set in.
fn wrapped(out: &mut String, text: &str, indent: &str) {
    let room = WIDTH.saturating_sub(indent.chars().count()).max(30);
    let mut line = String::new();
    let mut first = true;
    let mut flush = |line: &mut String, first: &mut bool| {
        let _ = writeln!(out, "{indent}{}{line}", if *first { "" } else { "  " });
        *first = false;
        line.clear();
    };
    for word in one_line(text).split(' ').filter(|word| !word.is_empty()) {
        let more = if first { 0 } else { 2 };
        if !line.is_empty() && line.chars().count() + word.chars().count() + 1 + more > room {
            flush(&mut line, &mut first);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    flush(&mut line, &mut first);
}

/// A text of others on one line and without what steers a terminal: a company's name may hold anything.
fn one_line(text: &str) -> String {
    let steers = |c: char| {
        c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) { ' ' } else { c }).collect()
}

fn value(figure: &Figure) -> String {
    let Some(value) = figure.value else { return "NULL".into() };
    let unit = match figure.unit.as_deref() {
        Some("ratio") | None => String::new(),
        Some(unit) => format!(" {unit}"),
    };
    format!("{}{unit}", number(value))
}

/// A number with thousands apart and as many digits as it needs.
fn number(value: f64) -> String {
    let text = match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 1e-4 => return format!("{value:.4e}"),
        small if small < 1000.0 => format!("{:.6}", value.abs()),
        large => format!("{large:.2}"),
    };
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    let (whole, rest) = text.split_once('.').map_or((text, String::new()), |(w, r)| (w, format!(".{r}")));
    let digits: Vec<char> = whole.chars().collect();
    let mut out = String::new();
    for (n, digit) in digits.iter().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(*digit);
    }
    format!("{}{out}{rest}", if value < 0.0 { "-" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        for (value, text) in [
            (0.0, "0"),
            (0.268_012_34, "0.268012"),
            (-1234.5, "-1,234.5"),
            (394_328_000_000.0, "394,328,000,000"),
            (0.000_012, "1.2000e-5"),
            (100.0, "100"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn long_texts_are_wrapped_and_stay_on_their_lines() {
        let mut out = String::new();
        wrapped(&mut out, &"word ".repeat(60), "    ");
        assert!(out.lines().count() > 2 && out.lines().all(|line| line.chars().count() <= WIDTH), "{out}");
        assert_eq!(one_line("a\nb\u{1b}[1m\u{202e}c"), "a b [1m c");
    }
}
