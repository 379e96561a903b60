//! stream: lands market prices that arrive between two runs. Needs only the stage: load copies the
//! landed files into the warehouse later, many at once.

pub mod event;
pub mod file;
pub mod session;
pub mod tick;

use file::PackedTicks;
use serde::Serialize;

/// Numbers of landed records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Landing files.
    pub files: u64,
    /// Accepted ticks.
    pub ticks: u64,
    /// Records that are quarantined.
    pub quarantined: u64,
    /// Ticks that arrived more than two minutes after their exchange time.
    pub late: u64,
    /// Recorded gaps.
    pub gaps: u64,
}

impl Counts {
    /// The numbers of a file.
    pub fn of(packed: &PackedTicks) -> Self {
        let file = &packed.file;
        Counts {
            files: 1,
            ticks: file.rows - file.quarantined - packed.gaps,
            quarantined: file.quarantined,
            late: packed.late,
            gaps: packed.gaps,
        }
    }

    /// Adds other numbers.
    pub fn add(&mut self, other: &Counts) {
        self.files += other.files;
        self.ticks += other.ticks;
        self.quarantined += other.quarantined;
        self.late += other.late;
        self.gaps += other.gaps;
    }
}
