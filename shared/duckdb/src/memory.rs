//! DuckDB's memory limit. When a statement needs more memory, DuckDB spills data to disk.
//!
//! A run starts with a low limit, because a higher limit uses more memory without being faster: 505
//! symbols with five years of prices took 60 CPU seconds and 486 MB with a limit of 256 MB, and 60
//! CPU seconds and 986 MB with a limit of 768 MB (debug build). Some operators cannot spill. A
//! statement that runs out of memory is therefore repeated with twice the limit, up to the full
//! limit, a share of the machine's memory.

use std::{fmt, str::FromStr};

use findata_domain::{Error, Result};
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// Divisor for the default limit: DuckDB may use half of the machine's memory. The other half is
/// for answers in flight, the allocator and other programs.
const DEFAULT_SHARE: u64 = 2;
/// The smallest limit in bytes, with which a run starts. With 80 MB, the models of 16 companies failed, because some
/// operators allocate 32 MB at once and cannot spill it.
const MINIMUM: u64 = 256 << 20;

/// The memory in bytes that is assumed for a system that does not report its memory.
const UNKNOWN_MACHINE: u64 = 2 << 30;

/// A memory limit in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemoryLimit(u64);

impl MemoryLimit {
    /// Returns half of the memory that this process may use: the machine's memory, or the limit of
    /// the process's control group if that is lower.
    pub fn of_machine() -> Self {
        let ram = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
        let available = System::new_with_specifics(ram).map_or(UNKNOWN_MACHINE, |system| {
            let group = system.cgroup_limits().map_or(u64::MAX, |limits| limits.total_memory);
            system.total_memory().min(group)
        });
        MemoryLimit((available / DEFAULT_SHARE).max(MINIMUM))
    }

    /// Returns the limit with which a run starts: the lower of this limit and 256 MiB.
    pub(crate) fn initial(self) -> Self {
        MemoryLimit(self.0.min(MINIMUM))
    }

    /// Returns twice this limit, but at most `full`.
    pub(crate) fn doubled(self, full: MemoryLimit) -> Self {
        MemoryLimit(self.0.saturating_mul(2).min(full.0))
    }

    /// Creates a limit for tests of spilling. It may be below the minimum that the command line
    /// accepts.
    pub const fn bytes(bytes: u64) -> Self {
        MemoryLimit(bytes)
    }
}

impl FromStr for MemoryLimit {
    type Err = Error;

    /// Parses a size such as `800MB` or `4GB`. Units are powers of 1,000.
    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            let least = MINIMUM.div_ceil(1_000_000);
            Error::Reject(format!(
                "{text:?} is not a memory limit: use a size of at least {least}MB, such as 800MB or 4GB"
            ))
        };
        let upper = text.trim().to_ascii_uppercase();
        let digits = upper.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = match upper[digits.len()..].trim_start() {
            "MB" | "M" => 1_000_000,
            "GB" | "G" => 1_000_000_000,
            _ => return Err(invalid()),
        };
        let bytes = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)).ok_or_else(invalid)?;
        if bytes < MINIMUM { Err(invalid()) } else { Ok(MemoryLimit(bytes)) }
    }
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}B", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit_and_a_minimum() {
        assert_eq!("800MB".parse(), Ok(MemoryLimit(800_000_000)));
        assert_eq!(" 2 gb ".parse(), Ok(MemoryLimit(2_000_000_000)));
        for wrong in [
            "",
            "2",
            "GB",
            "1MB",
            "2TB",
            "-1GB",
            "1.5GB",
            "99999999999999999999GB",
            "18446744073709GB1",
        ] {
            assert!(wrong.parse::<MemoryLimit>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_doubled_limit_is_at_most_the_full_limit() {
        let doubled = |limit, full| MemoryLimit(limit).doubled(MemoryLimit(full));
        assert_eq!(doubled(300, 1_000), MemoryLimit(600));
        assert_eq!(doubled(600, 1_000), MemoryLimit(1_000));
        assert_eq!(doubled(u64::MAX, u64::MAX), MemoryLimit(u64::MAX));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_default_is_half_of_the_memory_of_the_machine_or_its_control_group() {
        let report = std::fs::read_to_string("/proc/meminfo").unwrap();
        let total =
            report.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
        let machine = total.unwrap().parse::<u64>().unwrap() << 10;
        // Without a limit, the file of version 2 says "max".
        let group = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
            .iter()
            .filter_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok())
            .min();
        let available = machine.min(group.unwrap_or(u64::MAX));
        assert_eq!(MemoryLimit::of_machine(), MemoryLimit((available / 2).max(MINIMUM)));
    }
}
