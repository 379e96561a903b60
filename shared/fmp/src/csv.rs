//! Parses CSV chunk by chunk. Only one record is in memory, whatever the size of the file.

use csv_core::{ReadRecordResult, Reader};

use findata_domain::{Error, Result};

/// Longest accepted record in bytes. The longest record seen in FMP's files, a profile with a
/// description, has less than 8 KB.
const MAX_RECORD: usize = 1 << 20;
/// Maximum accepted number of cells in a record.
const MAX_CELLS: usize = 1 << 10;

/// One record of a file: its cells in file order, with the names of the header.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    header: &'a [String],
    text: &'a [u8],
    ends: &'a [usize],
}

impl<'a> Record<'a> {
    /// Returns the pairs of a name and its cell. Invalid UTF-8 is replaced by U+FFFD.
    pub fn cells(self) -> impl Iterator<Item = (&'a str, std::borrow::Cow<'a, str>)> {
        (0..self.header.len()).map(move |i| (self.header[i].as_str(), String::from_utf8_lossy(self.cell(i))))
    }

    /// The cell with this name, or `None` if the record has no such cell or the cell is not UTF-8.
    pub fn get(self, name: &str) -> Option<&'a str> {
        let i = self.header.iter().position(|n| n == name)?;
        std::str::from_utf8(self.cell(i)).ok()
    }

    fn cell(self, i: usize) -> &'a [u8] {
        let start = i.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[i]]
    }
}

/// Parses a file chunk by chunk.
pub(super) struct Parser {
    reader: Reader,
    /// The names of the cells, from the first record; `None` until the first record has been read.
    header: Option<Vec<String>>,
    text: Vec<u8>,
    ends: Vec<usize>,
    /// The number of elements in use in `text` and in `ends`.
    filled: (usize, usize),
    records: u64,
    last: Option<u8>,
}

impl Default for Parser {
    fn default() -> Self {
        Parser {
            reader: Reader::new(),
            header: None,
            text: vec![0; 8 << 10],
            ends: vec![0; 128],
            filled: (0, 0),
            records: 0,
            last: None,
        }
    }
}

impl Parser {
    /// Parses the next chunk. Calls `each` with every record that the chunk completes.
    ///
    /// # Errors
    /// `Retry` if the text is not a CSV file of FMP; the callback's errors.
    pub(super) fn feed(
        &mut self,
        chunk: &[u8],
        each: &mut impl FnMut(Record<'_>) -> Result<()>,
    ) -> Result<()> {
        self.last = chunk.last().copied().or(self.last);
        let mut rest = chunk;
        while !rest.is_empty() {
            let read = self.step(rest, each)?;
            rest = &rest[read..];
        }
        Ok(())
    }

    /// Ends the file and returns its number of records. A file without a newline at the end counts
    /// as truncated.
    ///
    /// # Errors
    /// `Retry` if the file is truncated; the callback's errors.
    pub(super) fn finish(mut self, each: &mut impl FnMut(Record<'_>) -> Result<()>) -> Result<u64> {
        if self.last.is_some_and(|last| last != b'\n') {
            return Err(Error::retry("the file is truncated in the middle of a line"));
        }
        // Completes a record whose quoted cell has no closing quote. It has too few cells and is
        // rejected.
        self.step(&[], each)?;
        Ok(self.records)
    }

    fn step(&mut self, input: &[u8], each: &mut impl FnMut(Record<'_>) -> Result<()>) -> Result<usize> {
        let (text, ends) = (&mut self.text[self.filled.0..], &mut self.ends[self.filled.1..]);
        let (result, read, wrote, ended) = self.reader.read_record(input, text, ends);
        self.filled = (self.filled.0 + wrote, self.filled.1 + ended);
        let too_long = |what| Err(Error::retry(format!("not an FMP CSV file: a record has {what}")));
        match result {
            ReadRecordResult::InputEmpty | ReadRecordResult::End => {}
            ReadRecordResult::OutputFull if self.text.len() < MAX_RECORD => {
                self.text.resize(self.text.len() * 2, 0)
            }
            ReadRecordResult::OutputFull => return too_long("more than 1 MB"),
            ReadRecordResult::OutputEndsFull if self.ends.len() < MAX_CELLS => {
                self.ends.resize(self.ends.len() * 2, 0)
            }
            ReadRecordResult::OutputEndsFull => return too_long("more than 1,024 cells"),
            ReadRecordResult::Record => {
                self.record(each)?;
                self.filled = (0, 0);
            }
        }
        Ok(read)
    }

    fn record(&mut self, each: &mut impl FnMut(Record<'_>) -> Result<()>) -> Result<()> {
        let (text, ends) = (&self.text[..self.filled.0], &self.ends[..self.filled.1]);
        let Some(header) = &self.header else {
            let names_record = Record { header: &[], text, ends };
            // The parser does not recognize a quote after a byte order mark, so both are trimmed
            // here.
            let name = |i| {
                String::from_utf8_lossy(names_record.cell(i))
                    .trim()
                    .trim_matches(['\u{feff}', '"'])
                    .to_owned()
            };
            let names: Vec<String> = (0..ends.len()).map(name).collect();
            if !names.iter().any(|name| name == "symbol") {
                let head: String =
                    String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).take(60).collect();
                return Err(Error::retry(format!("not an FMP CSV file: it begins with {head:?}")));
            }
            self.header = Some(names);
            return Ok(());
        };
        // Records of FMP may have additional empty cells. A record with fewer cells is incomplete.
        let surplus = ends.len().checked_sub(header.len());
        if surplus.is_none_or(|_| ends.last() != ends.get(header.len() - 1)) {
            let (has, wanted) = (ends.len(), header.len());
            return Err(Error::retry(format!(
                "the file is truncated or damaged: a record has {has} cells, but the header has {wanted} names"
            )));
        }
        self.records += 1;
        each(Record { header, text, ends })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The records of a text fed in chunks of `size` bytes, each as `name=cell` joined by `|`.
    fn read(text: &str, size: usize) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let mut each = |record: Record<'_>| {
            found.push(
                record.cells().map(|(name, cell)| format!("{name}={cell}")).collect::<Vec<_>>().join("|"),
            );
            Ok(())
        };
        let mut parser = Parser::default();
        for chunk in text.as_bytes().chunks(size) {
            parser.feed(chunk, &mut each)?;
        }
        let records = parser.finish(&mut each)?;
        assert_eq!(records, found.len() as u64);
        Ok(found)
    }

    #[test]
    fn the_records_do_not_depend_on_the_chunk_size() {
        let text = "\u{feff}\"date\", symbol,price,new\r\n\"2026-01-02\",\"A\",6.34e-10,\"a \"\"b\"\",\nc\"\r\n,B,,\r\n";
        let long = format!("symbol,about\nA,{}\nB,x\n", "y".repeat(100_000));
        for size in [1, 2, 3, 7, 64, 10_000] {
            assert_eq!(
                read(text, size).unwrap(),
                ["date=2026-01-02|symbol=A|price=6.34e-10|new=a \"b\",\nc", "date=|symbol=B|price=|new="],
                "{size}"
            );
            assert_eq!(read(&long, size).unwrap().len(), 2);
        }
    }

    #[test]
    fn a_truncated_file_is_an_error() {
        let text = "symbol,name,price\nA,\"x\ny\",1\nB,z,2\n";
        assert_eq!(read(text, 5).unwrap().len(), 2);
        for end in 1..text.len() {
            let ends_at_line = [18, 28].contains(&end);
            let read = read(&text[..end], 4);
            assert!(
                ends_at_line && read.is_ok() || matches!(read, Err(Error::Retry { .. })),
                "{end}: {read:?}"
            );
        }
        assert!(read("", 1).unwrap().is_empty());
        assert_eq!(read("symbol,name\nA,x,\n", 2).unwrap(), ["symbol=A|name=x"]);
        assert!(matches!(read("symbol,name\nA,x,y\n", 2), Err(Error::Retry { .. })));
    }

    #[test]
    fn other_content_is_rejected() {
        for text in ["<html>\n<body>\n", "Service is being updated\n", "a,b\n1,2\n"] {
            assert!(matches!(read(text, 3), Err(Error::Retry { .. })), "{text}");
        }
        assert!(matches!(
            read(&format!("symbol\n{}\n", "y".repeat(2 << 20)), 9_999),
            Err(Error::Retry { .. })
        ));
        assert!(matches!(
            read(&format!("symbol\n{}\n", ",".repeat(5_000)), 9_999),
            Err(Error::Retry { .. })
        ));
    }
}
