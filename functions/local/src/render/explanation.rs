//! Formats an explanation as a tree of inputs.

use std::fmt::Write;

use findata_explain::{Contradiction, Explanation, Figure, Source};
use findata_models::metrics::Expr;
use textwrap::{WordSeparator, WordSplitter};

use super::{count, escape::one_line, table::fill};

/// Longest line in characters, also on a wider terminal.
const MAX_WIDTH: usize = 100;

/// Formats the figure, its formula and its inputs, followed by the files that contain the inputs.
pub fn explanation(explanation: &Explanation, width: usize) -> String {
    let mut out = String::new();
    let figure = &explanation.figure;
    let mut page = Page { files: Vec::new(), width: width.min(MAX_WIDTH) };
    let company = explanation
        .company
        .as_deref()
        .map(|name| format!(" ({})", one_line(name)))
        .unwrap_or_default();
    let as_of = explanation.as_of.as_deref().map(|day| format!(", as of {day}")).unwrap_or_default();
    let known = figure.known_on.as_deref().map(|day| format!(", known on {day}")).unwrap_or_default();
    let title =
        format!("{}{company}  {}  {}{known}{as_of}", explanation.symbol, explanation.metric, figure.when());
    let _ = writeln!(out, "{}", fill(&title, width));
    if let (Some(table), Some(column)) = (&figure.table, &figure.column) {
        let _ = writeln!(out, "{table}.{column}");
    }
    out.push('\n');
    wrapped(&mut out, &format!("{} = {}", figure.label, value(figure)), "", "    ", page.width);
    details(&mut out, figure, "", &mut page);
    if !figure.inputs.is_empty() {
        out.push('\n');
    }
    children(&mut out, figure, "", &mut page);
    page.list(&mut out);
    out
}

/// The width of lines, and the files referenced so far. Figures refer to files by number, because many come from the
/// same file.
struct Page {
    width: usize,
    files: Vec<Source>,
}

impl Page {
    fn number(&mut self, source: &Source) -> usize {
        let is_same = |s: &Source| s.file == source.file && s.observed_at == source.observed_at;
        let known = self.files.iter().position(is_same);
        known.unwrap_or_else(|| {
            self.files.push(source.clone());
            self.files.len() - 1
        }) + 1
    }

    fn list(&self, out: &mut String) {
        for (n, source) in self.files.iter().enumerate() {
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

/// Writes the details below a figure's line: everything except its inputs.
fn details(out: &mut String, figure: &Figure, indent: &str, page: &mut Page) {
    let (inner, further) = (format!("{indent}  "), format!("{indent}    "));
    let copied = figure.inputs.len() == 1 && matches!(figure.expression, Some(Expr::Input(_)));
    if let Some(formula) = figure.formula.as_deref().filter(|_| !copied) {
        wrapped(out, &format!("= {formula}"), &inner, &further, page.width);
    }
    if !figure.only_when.is_empty() {
        wrapped(
            out,
            &format!("only when {}", figure.only_when.join(", and ")),
            &inner,
            &further,
            page.width,
        );
    }
    if let Some(reason) = &figure.reason {
        let meaning = if reason.meaning.is_empty() {
            String::new()
        } else {
            format!(". {}", reason.meaning)
        };
        wrapped(out, &format!("NULL: {}{meaning}", reason.word), &inner, &further, page.width);
    }
    if let Some(mismatch) = &figure.mismatch {
        let again = mismatch.recomputed.map_or("NULL".into(), number);
        wrapped(
            out,
            &format!("MISMATCH: the inputs give {again}, not the stored value"),
            &inner,
            &further,
            page.width,
        );
    }
    for found in &figure.contradictions {
        wrapped(out, &contradiction(found), &inner, &further, page.width);
    }
    for note in &figure.notes {
        wrapped(out, note, &inner, &further, page.width);
    }
    if let Some(source) = &figure.source {
        origin(out, source, &inner, page);
    }
}

fn children(out: &mut String, figure: &Figure, indent: &str, page: &mut Page) {
    let last = figure.inputs.len().saturating_sub(1);
    for (n, input) in figure.inputs.iter().enumerate() {
        let input = &without_repetition(input, figure);
        let (branch, below) = if n == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let dates = [
            input.filing_date.as_ref().map(|day| format!("filed {day}")),
            input.known_on.as_ref().map(|day| format!("known on {day}")),
        ];
        let dates = dates.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let when = [input.when(), dates]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join(", ");
        let deeper = format!("{indent}{below}");
        let (inner, further) = (format!("{deeper}  "), format!("{deeper}    "));
        let label = format!("{} = {}", input.label, value(input));
        wrapped(out, &label, &format!("{indent}{branch}"), &inner, page.width);
        let place = match (&input.table, &input.column) {
            (Some(table), Some(column)) => format!("{}.{column}", table.trim_start_matches("analytics.")),
            _ => String::new(),
        };
        let line = [place, when].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("  ");
        if !line.is_empty() {
            wrapped(out, &line, &inner, &further, page.width);
        }
        details(out, input, &deeper, page);
        children(out, input, &deeper, page);
    }
}

/// Returns an input without the notes and the meaning of NULL that the figure above already shows.
fn without_repetition(input: &Figure, above: &Figure) -> Figure {
    let mut input = input.clone();
    input.notes.retain(|note| !above.notes.contains(note));
    input.contradictions.retain(|found| !above.contradictions.contains(found));
    if let (Some(reason), Some(known)) = (&mut input.reason, &above.reason)
        && reason.word == known.word
    {
        reason.meaning.clear();
    }
    input
}

fn origin(out: &mut String, source: &Source, indent: &str, page: &mut Page) {
    let sent = source
        .sent
        .as_deref()
        .map_or("did not send it".into(), |sent| format!("sent {}", one_line(sent)));
    let further = format!("{indent}  ");
    let line = format!("FMP {} {} {sent}", source.endpoint, source.field);
    wrapped(out, &line, indent, &further, page.width);
    let row = source.row.map(|n| n.to_string()).unwrap_or_default();
    let line = format!("row {row} of [{}], hash {}", page.number(source), source.row_hash);
    wrapped(out, &line, indent, &further, page.width);
}

fn contradiction(found: &Contradiction) -> String {
    let mut text = format!("SUSPECT: {}. {}", found.code, found.meaning);
    if let (Some(period), Some(ours), Some(theirs)) = (&found.period, found.our_value, found.their_value) {
        let (our, their) = (number(ours), number(theirs));
        let _ = write!(text, " {period}: {} is {our}, {} is {their}", found.ours, found.theirs);
    }
    text
}

/// Writes a text in lines no longer than `width`, with the indentation of the first line and of the others.
fn wrapped(out: &mut String, text: &str, indent: &str, continuation: &str, width: usize) {
    let text = text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let text = one_line(&text);
    // Deep in the tree, lines may exceed the width, because each line gets at least 30 characters
    // after its indentation.
    let options = textwrap::Options::new(width.max(indent.chars().count() + 30))
        .initial_indent(indent)
        .subsequent_indent(continuation)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .break_words(false);
    let _ = writeln!(out, "{}", textwrap::fill(&text, options));
}

fn value(figure: &Figure) -> String {
    let Some(value) = figure.value else {
        return "NULL".into();
    };
    let unit = match figure.unit.as_deref() {
        Some("ratio") | None => String::new(),
        Some(unit) => format!(" {unit}"),
    };
    format!("{}{unit}", number(value))
}

/// Formats a number with grouped thousands and no trailing zeros, with six decimals below 1,000 and
/// two above.
fn number(value: f64) -> String {
    let text = match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 1e-4 => return format!("{value:.4e}"),
        small if small < 1000.0 => format!("{:.6}", value.abs()),
        large => format!("{large:.2}"),
    };
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    let (whole, rest) = text.split_once('.').map_or((text, String::new()), |(w, r)| (w, format!(".{r}")));
    // Numbers above 1.8e19 do not fit into `u64` and stay ungrouped.
    let whole = whole.parse().map_or(whole.to_owned(), count);
    format!("{}{whole}{rest}", if value < 0.0 { "-" } else { "" })
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
    fn long_texts_wrap_and_control_characters_are_escaped() {
        let mut out = String::new();
        wrapped(&mut out, &"word ".repeat(60), "    ", "      ", 80);
        assert!(out.lines().count() > 2 && out.lines().all(|line| line.chars().count() <= 80), "{out}");
        out.clear();
        wrapped(&mut out, "a\nb\u{1b}[1m\u{202e}c", "", "", 80);
        assert_eq!(out, "a b\\u{1b}[1m\\u{202e}c\n");
    }
}
