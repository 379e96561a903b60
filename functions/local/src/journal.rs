//! Stores journals as files in the stage's folder. There is one file per batch, to which answers
//! are appended.
//!
//! An answer survives the end of the process once it is written to the operating system, so a
//! killed process loses no answer. A power cut may lose the last answers; their calls are then
//! repeated.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use findata_domain::{Error, Result};
use findata_extract::journal::Journal;
use findata_fmp::Answer;
use findata_pipeline::{plan::Task, run::RunId};
use serde::{Deserialize, Serialize};

/// Folder of the journals in the stage's folder. It cannot collide with a key, because no part of a
/// key starts with a dot.
const FOLDER: &str = ".journal";

/// The journals of all runs.
#[derive(Debug, Clone)]
pub struct Journals {
    folder: PathBuf,
}

/// The first line of a journal.
#[derive(Serialize, Deserialize)]
struct Header {
    fetched_at: DateTime<Utc>,
}

/// The line that precedes the body of each answer in a journal.
#[derive(Serialize, Deserialize)]
struct Line {
    task: Task,
    calls: u32,
    bytes: u64,
    /// Length of the body in bytes; `None` for an answer without rows.
    length: Option<usize>,
}

/// The content of a journal.
#[derive(Debug)]
pub struct Kept {
    /// When the batch began.
    pub fetched_at: DateTime<Utc>,
    /// The answers.
    pub answers: Vec<(Task, Answer)>,
}

impl Journals {
    /// Returns the journals of the stage in the folder `stage`.
    pub fn beside(stage: &Path) -> Self {
        Journals { folder: stage.join(FOLDER) }
    }

    /// Opens a batch's journal for appending.
    ///
    /// # Errors
    /// `Resource` if the file cannot be created.
    pub fn open(&self, run: &RunId, batch: &str, fetched_at: DateTime<Utc>) -> Result<BatchJournal> {
        let path = self.path(run, batch);
        let opened = || -> io::Result<File> {
            fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
            let mut file = File::options().create(true).append(true).open(&path)?;
            if file.metadata()?.len() == 0 {
                write_line(&mut file, &Header { fetched_at })?;
            }
            Ok(file)
        };
        let file = opened().map_err(|e| Error::Resource(format!("cannot write {}: {e}", path.display())))?;
        Ok(BatchJournal { path, file: Mutex::new(Some(file)) })
    }

    /// Reads a batch's journal, up to the first answer that was not written completely.
    ///
    /// # Errors
    /// `Resource` if the file exists but cannot be read.
    pub fn read(&self, run: &RunId, batch: &str) -> Result<Option<Kept>> {
        let path = self.path(run, batch);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::Resource(format!("cannot read {}: {e}", path.display()))),
        };
        let mut reader = BufReader::new(file);
        let Some(Header { fetched_at }) = read_line(&mut reader) else {
            return Ok(None);
        };
        let mut answers = Vec::new();
        while let Some((task, answer)) = read_answer(&mut reader) {
            answers.push((task, answer));
        }
        Ok(Some(Kept { fetched_at, answers }))
    }

    /// Removes the journals of a run. Errors are ignored, because journals of recorded batches are
    /// not read again.
    pub fn remove(&self, run: &RunId) {
        let _ = fs::remove_dir_all(self.folder.join(run.as_str()));
    }

    /// Removes the journals of all runs except these.
    pub fn retain(&self, runs: &BTreeSet<RunId>) {
        let Ok(folders) = fs::read_dir(&self.folder) else { return };
        for folder in folders.flatten() {
            if !runs.iter().any(|run| folder.file_name().to_str() == Some(run.as_str())) {
                let _ = fs::remove_dir_all(folder.path());
            }
        }
    }

    fn path(&self, run: &RunId, batch: &str) -> PathBuf {
        self.folder.join(run.as_str()).join(batch)
    }
}

fn read_answer(reader: &mut impl BufRead) -> Option<(Task, Answer)> {
    let Line { task, calls, bytes, length } = read_line(reader)?;
    let body = match length {
        None => None,
        Some(length) => {
            // The length may be damaged, so memory is allocated only for bytes that exist.
            let mut body = Vec::new();
            reader.take(length as u64).read_to_end(&mut body).ok()?;
            let mut end = [0];
            reader.read_exact(&mut end).ok()?;
            if body.len() != length || end != *b"\n" {
                return None;
            }
            Some(Bytes::from(body))
        }
    };
    Some((task, Answer { body: Ok(body), calls, bytes }))
}

fn read_line<T: for<'de> Deserialize<'de>>(reader: &mut impl BufRead) -> Option<T> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).ok()?;
    serde_json::from_slice(line.strip_suffix(b"\n")?).ok()
}

fn write_line(file: &mut File, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    file.write_all(&line)
}

/// The journal of one batch.
#[derive(Debug)]
pub struct BatchJournal {
    path: PathBuf,
    /// The open file; `None` after a failed write that could not be undone. Then nothing more is
    /// appended.
    file: Mutex<Option<File>>,
}

impl BatchJournal {
    /// Removes the file. The caller does this once the answers are on the stage.
    pub fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Journal for BatchJournal {
    fn keep(&self, task: &Task, answer: &Answer) {
        // A failed call is repeated anyway, so only answers are kept.
        let Ok(body) = &answer.body else { return };
        let length = body.as_ref().map(Bytes::len);
        let line = Line {
            task: task.clone(),
            calls: answer.calls,
            bytes: answer.bytes,
            length,
        };
        let mut slot = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = slot.as_mut() else { return };
        let complete = file.metadata().map(|metadata| metadata.len());
        let written = write_line(file, &line).and_then(|()| match body {
            Some(body) => file.write_all(body).and_then(|()| file.write_all(b"\n")),
            None => Ok(()),
        });
        if let Err(error) = written {
            tracing::warn!(%error, key = %self.path.display(), "cannot write answers to the journal: if the process is killed, their calls are repeated");
            // Answers after an incomplete one could not be read, so the incomplete one is cut off.
            // If that fails too, no more answers are appended.
            if complete.and_then(|length| file.set_len(length)).is_err() {
                *slot = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use findata_domain::catalog;
    use findata_pipeline::plan::Window;

    use super::*;

    fn task(symbol: &str) -> Task {
        Task::new(catalog::PROFILE, Some(symbol.parse().unwrap()), Window::All)
    }

    fn answer(body: Result<Option<&'static str>>) -> Answer {
        Answer {
            body: body.map(|body| body.map(Bytes::from)),
            calls: 2,
            bytes: 10,
        }
    }

    #[test]
    fn only_complete_answers_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let (journals, run) = (Journals::beside(folder.path()), "r1".parse::<RunId>().unwrap());
        assert!(journals.read(&run, "b1").unwrap().is_none());
        let begun = "2026-11-20T21:00:00Z".parse().unwrap();
        let journal = journals.open(&run, "b1", begun).unwrap();
        journal.keep(&task("A"), &answer(Ok(Some("[{\"x\":\n1}]"))));
        journal.keep(&task("B"), &answer(Err(Error::retry("lost"))));
        journal.keep(&task("C"), &answer(Ok(None)));
        // A second attempt at the batch appends to the same file.
        let journal = journals.open(&run, "b1", DateTime::default()).unwrap();
        journal.keep(&task("D"), &answer(Ok(Some("[{\"long\":\"answer\"}]"))));
        let path = journals.path(&run, "b1");
        let kept = journals.read(&run, "b1").unwrap().unwrap();
        assert_eq!(kept.fetched_at, begun);
        let symbols = |kept: &Kept| kept.answers.iter().map(|(task, _)| task.subject()).collect::<Vec<_>>();
        assert_eq!(symbols(&kept), ["A", "C", "D"]);
        assert_eq!(kept.answers[0].1.body, Ok(Some(Bytes::from("[{\"x\":\n1}]"))));
        assert!(kept.answers[1].1.body == Ok(None) && kept.answers[1].1.calls == 2);
        let length = fs::metadata(&path).unwrap().len();
        for cut in 1..40 {
            File::options().write(true).open(&path).unwrap().set_len(length - cut).unwrap();
            assert_eq!(symbols(&journals.read(&run, "b1").unwrap().unwrap()), ["A", "C"], "{cut} bytes less");
        }
        journals.retain(&BTreeSet::from(["r2".parse().unwrap()]));
        assert!(journals.read(&run, "b1").unwrap().is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_journal_ends_if_an_incomplete_answer_cannot_be_cut_off() {
        // Every write to this device fails, and it cannot be shortened.
        let full = File::options().write(true).open("/dev/full").unwrap();
        let journal = BatchJournal { path: "/dev/full".into(), file: Mutex::new(Some(full)) };
        journal.keep(&task("A"), &answer(Ok(Some("[1]"))));
        assert!(journal.file.lock().unwrap().is_none());
        journal.keep(&task("B"), &answer(Ok(Some("[1]"))));
    }
}
