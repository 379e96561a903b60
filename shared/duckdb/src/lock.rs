//! Finds the process that holds a lock on a file.

use std::path::Path;

/// Returns the process that holds a lock on the file, from Linux's list of locks in `/proc/locks`.
#[cfg(target_os = "linux")]
pub fn holder(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;

    let inode = std::fs::metadata(path).ok()?.ino();
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let pids = locks.lines().filter_map(|line| holder_in(line, inode));
    pids.into_iter().find(|pid| *pid != std::process::id())
}

/// Returns `None`: only Linux has a list of locks.
#[cfg(not(target_os = "linux"))]
pub fn holder(_: &Path) -> Option<u32> {
    None
}

/// Returns the process in a line of `/proc/locks`, such as `1: POSIX ADVISORY WRITE 7920 fe:00:464
/// 0 EOF`, if the line is about this inode. A waiting process has `->` after the line number, so
/// its line never matches. The device is not compared, because overlay file systems report a
/// different device.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
fn holder_in(line: &str, inode: u64) -> Option<u32> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, _, _, _, pid, file, ..] = fields.as_slice() else {
        return None;
    };
    let found: u64 = file.rsplit(':').next()?.parse().ok()?;
    pid.parse().ok().filter(|pid| found == inode && *pid > 0)
}
