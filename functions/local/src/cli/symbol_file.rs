//! Parses symbols, and reads files of symbols for `--universe`.

use std::{fs::File, io::Read, path::Path};

use findata_domain::{Error, Symbol};

use super::Failure;

/// Maximum size of a file of symbols. A file of all listed companies with their names needs a tenth
/// of this size.
const MAX_BYTES: u64 = 16 << 20;

/// Parses symbols, skipping empty texts.
pub(crate) fn parse<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Vec<Symbol>, Failure> {
    let texts = texts.filter(|text| !text.trim().is_empty());
    texts
        .map(str::parse)
        .collect::<Result<_, Error>>()
        .map_err(|e| Failure::Usage(e.to_string()))
}

/// Names of the column of symbols in the first line of a CSV.
const HEADERS: [&str; 2] = ["symbol", "ticker"];

/// Reads symbols from a file: one per line, or a column of a CSV. `#` begins a comment.
pub(crate) fn read(path: &Path) -> Result<Vec<Symbol>, Failure> {
    let invalid = |what: String| Failure::Usage(format!("--universe {}: {what}", path.display()));
    let text = decode(bytes(path).map_err(invalid)?).map_err(invalid)?;
    let symbols = parse(column(&text).into_iter()).map_err(|e| invalid(e.text()))?;
    if symbols.is_empty() {
        return Err(invalid("the file has no symbols".into()));
    }
    Ok(symbols)
}

/// Returns the content of a regular file. A device or a pipe is refused before it is opened,
/// because opening it could block for ever.
fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |e: std::io::Error| format!("{e}; use sp500, nasdaq, dowjones or a file of symbols");
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err("it is a folder, a device or a pipe: use a regular file".into());
    }
    let mut content = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut content))
        .map_err(unreadable)?;
    if content.len() as u64 > MAX_BYTES {
        return Err(format!("it has more than {} MiB: use a file with symbols only", MAX_BYTES >> 20));
    }
    Ok(content)
}

/// Decodes UTF-8 text. Removes the byte order mark that spreadsheet programs write.
fn decode(content: Vec<u8>) -> Result<String, String> {
    if content.starts_with(&[0xff, 0xfe]) || content.starts_with(&[0xfe, 0xff]) {
        return Err("it is UTF-16 text: save it as UTF-8".into());
    }
    let text = String::from_utf8(content).map_err(|_| "it is not UTF-8 text: save it as UTF-8".to_owned())?;
    if text.contains('\0') {
        return Err("it is not text, or it is UTF-16 text: save it as UTF-8".into());
    }
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Returns the column that the first line names `symbol` or `ticker`, else the first column.
fn column(text: &str) -> Vec<&str> {
    let lines = text.split(['\n', '\r']).map(|line| line.split('#').next().unwrap_or_default());
    let mut lines = lines.filter(|line| !line.trim().is_empty()).peekable();
    let is_header = |cell: &&str| HEADERS.iter().any(|name| cell.eq_ignore_ascii_case(name));
    let named = lines.peek().and_then(|line| cells(line).iter().position(is_header));
    if named.is_some() {
        lines.next();
    }
    let column = named.unwrap_or_default();
    lines
        .filter_map(|line| cells(line).get(column).copied())
        .filter(|cell| !cell.is_empty())
        .collect()
}

/// Splits a line at commas, semicolons and tabs outside quotes.
fn cells(line: &str) -> Vec<&str> {
    let mut is_quoted = false;
    let cells = line.split(|c| {
        is_quoted ^= c == '"';
        !is_quoted && [',', ';', '\t'].contains(&c)
    });
    cells.map(|cell| cell.trim().trim_matches('"').trim()).collect()
}

#[cfg(test)]
mod tests {
    use super::column;

    #[test]
    fn the_first_line_can_name_the_column() {
        for text in [
            "AAPL\n\nKO # a comment\n",
            "# my list\nsymbol,name\nAAPL,\"Apple, Inc.\"\nKO,Coke\n",
            "Ticker;Name\r\nAAPL;Apple\r\nKO;\r\n",
            "name,\"Symbol\"\n\"Apple, Inc.\",AAPL\nCoke,\"KO\"\nno symbol\n",
            "AAPL,KO\nKO,AAPL",
        ] {
            assert_eq!(column(text), ["AAPL", "KO"], "{text}");
        }
    }
}
