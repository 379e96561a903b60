//! CPU time and peak memory of a child process, from `/proc`.
//!
//! `getrusage` only returns totals, and only after the child has ended, whereas `/proc` can be read
//! at the end of each stage. On systems without `/proc`, the results have neither value.

use std::{fs, time::Instant};

use super::results::{StageUse, rounded};

/// Clock ticks per second, the unit of times in `/proc/PID/stat`. The value is the same on every
/// Linux platform that DuckDB supports.
const TICKS_PER_SECOND: f64 = 100.0;

/// Measures the stages of a process, one after the other.
pub(super) struct Meter {
    process: u32,
    started: Instant,
    cpu: Option<f64>,
    peak: Option<u64>,
}

impl Meter {
    /// Starts measuring the first stage of a new process.
    pub(super) fn start(process: u32) -> Self {
        Meter { process, started: Instant::now(), cpu: Some(0.0), peak: None }
    }

    /// Reads the peak memory so far. `/proc` no longer has the value once the process has ended, so
    /// this is called repeatedly.
    pub(super) fn poll(&mut self) {
        self.peak = peak_memory(self.process).or(self.peak);
    }

    /// Ends a stage and starts the next one.
    pub(super) fn lap(&mut self) -> StageUse {
        self.poll();
        let (now, cpu) = (Instant::now(), cpu_seconds(self.process));
        let stage = StageUse {
            wall_seconds: rounded(now.duration_since(self.started).as_secs_f64()),
            cpu_seconds: cpu.zip(self.cpu).map(|(now, before)| rounded(now - before)),
            peak_memory_bytes: self.peak,
        };
        // Resets VmHWM, the peak, to the current memory (proc(5), clear_refs).
        let _ = fs::write(format!("/proc/{}/clear_refs", self.process), "5");
        (self.started, self.cpu, self.peak) = (now, cpu, None);
        stage
    }
}

/// Returns the user and system time of all threads. Also works for an ended process until its
/// parent waits for it.
fn cpu_seconds(process: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is the name in parentheses, which may contain spaces. utime and stime are
    // fields 14 and 15.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS_PER_SECOND)
}

fn peak_memory(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    kibibytes.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|n| n * 1_024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn usage_of_a_process_is_read_by_stage() {
        let mut meter = Meter::start(std::process::id());
        let first = vec![1_u8; 64 << 20];
        // At least a few ticks of the clock of CPU time, 0.01 s each, however busy the machine is.
        let sum = (0..4).map(|_| first.iter().map(|byte| u64::from(*byte)).sum::<u64>());
        std::hint::black_box(sum.sum::<u64>());
        let stage = meter.lap();
        assert!(stage.cpu_seconds.unwrap() > 0.0, "{stage:?}");
        assert!(stage.peak_memory_bytes.unwrap() >= 64 << 20, "{stage:?}");
        assert!(stage.wall_seconds > 0.0, "{stage:?}");
    }

    #[test]
    fn a_process_that_does_not_exist_has_no_usage() {
        let stage = Meter::start(u32::MAX).lap();
        assert_eq!((stage.cpu_seconds, stage.peak_memory_bytes), (None, None));
    }
}
