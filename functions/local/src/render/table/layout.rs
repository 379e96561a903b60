//! Determines the widths of a table's columns.

use std::borrow::Cow;

use textwrap::core::display_width;

use super::Column;

/// Width up to which text is always shown.
const TEXT: usize = 12;
/// Width up to which a heading is always shown.
const HEADING: usize = 8;
/// Characters of a line for each column besides its text, and for the end of the line.
const PER_COLUMN: usize = 3;
const END: usize = 1;
/// Width of the column that stands for missing ones.
const MORE: usize = 1 + PER_COLUMN;

/// The widths of the columns that are shown.
pub struct Layout {
    /// Width of each column.
    pub widths: Vec<usize>,
    /// Whether columns are missing because the table would be too wide.
    pub has_more: bool,
    /// Whether text is cut because the table would be too wide.
    pub is_cut: bool,
}

/// The widths that a column may have.
struct Range {
    /// Width at which every value is shown, and as much of other text as helps.
    least: usize,
    /// Width at which everything is shown.
    most: usize,
}

impl Layout {
    /// Gives each column its full width if the table fits. Otherwise the widest texts are cut. If the
    /// table is still too wide, the last columns are left out.
    pub fn of(columns: &[Column], rows: &[Vec<Cow<'_, str>>], width: usize) -> Self {
        let mut ranges: Vec<Range> = columns.iter().enumerate().map(|(n, c)| Range::of(c, n, rows)).collect();
        let sum = |ranges: &[Range]| ranges.iter().map(|range| range.least + PER_COLUMN).sum::<usize>() + END;
        let has_more = sum(&ranges) > width && ranges.len() > 1;
        if has_more {
            while ranges.len() > 1 && sum(&ranges) + MORE > width {
                ranges.pop();
            }
        }
        let space = width.saturating_sub(if has_more { MORE } else { 0 } + END + PER_COLUMN * ranges.len());
        if let [only] = ranges.as_mut_slice() {
            only.least = only.least.min(space.max(1));
            only.most = only.most.min(space.max(1));
        }
        let widths =
            |longest: usize| ranges.iter().map(move |range| range.most.min(longest.max(range.least)));
        // The longest text that fits, by bisection.
        let (mut fits, mut above) = (0, ranges.iter().map(|range| range.most).max().unwrap_or(0) + 1);
        while above - fits > 1 {
            let middle = (fits + above) / 2;
            if widths(middle).sum::<usize>() <= space {
                fits = middle;
            } else {
                above = middle;
            }
        }
        let is_cut = has_more || widths(fits).zip(&ranges).any(|(width, range)| width < range.most);
        Layout { widths: widths(fits).collect(), has_more, is_cut }
    }

    /// Returns the width of the table.
    pub fn total(&self) -> usize {
        let columns = self.widths.iter().map(|width| width + PER_COLUMN).sum::<usize>();
        columns + END + if self.has_more { MORE } else { 0 }
    }
}

impl Range {
    fn of(column: &Column, position: usize, rows: &[Vec<Cow<'_, str>>]) -> Self {
        let cells = rows.iter().filter_map(|row| row.get(position));
        let widest = cells.map(|cell| display_width(cell)).max().unwrap_or_default();
        let heading = display_width(&super::one_line(&column.name));
        let least = if column.is_whole { widest } else { widest.min(TEXT) };
        Range {
            least: least.max(heading.min(HEADING)),
            most: widest.max(heading),
        }
    }
}
