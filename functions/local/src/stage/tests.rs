//! Writers that race, errors of the file system, and what is synced when.

use super::*;

#[test]
fn errors_that_need_the_user_are_not_retried() {
    let failure = |number| failure(Path::new("landing"), &io::Error::from_raw_os_error(number));
    for (number, fix) in [
        (libc::ENOSPC, "free some space"),
        (libc::EDQUOT, "free some space"),
        (libc::EACCES, "make it writable"),
        (libc::EROFS, "make it writable"),
        (libc::ENOMEM, "free some memory"),
        (libc::EMFILE, "ulimit -n"),
        (libc::ENFILE, "ulimit -n"),
        (libc::EIO, "check the disk"),
    ] {
        let error = failure(number);
        assert!(matches!(&error, Error::Resource(reason) if reason.contains(fix)), "{error:?}");
    }
    assert!(matches!(failure(libc::ETIMEDOUT), Error::Retry { .. }));
}

/// What all tests have synced: a path, with a file's size, or with the names and sizes in a folder.
#[cfg(target_os = "linux")]
static SYNCED: std::sync::Mutex<Vec<(PathBuf, String)>> = std::sync::Mutex::new(Vec::new());

/// Notes what a sync makes safe.
#[cfg(target_os = "linux")]
pub(super) fn note_sync(file: &File) {
    use std::os::fd::AsRawFd;

    let path = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap();
    let mut content = Vec::new();
    if path.is_dir() {
        for entry in fs::read_dir(&path).unwrap().map(Result::unwrap) {
            let size = entry.metadata().ok().filter(fs::Metadata::is_file).map(|file| file.len());
            let size = size.map_or(String::new(), |size| format!(" ({size})"));
            content.push(format!("{}{size}", entry.file_name().to_string_lossy()));
        }
        content.sort();
    } else {
        content.push(format!("{} bytes", file.metadata().unwrap().len()));
    }
    SYNCED.lock().unwrap().push((path, content.join(", ")));
}

#[cfg(not(target_os = "linux"))]
pub(super) fn note_sync(_: &File) {}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn files_and_folders_are_synced_before_a_write_counts() {
    let folder = tempfile::tempdir().unwrap();
    let stage = DirectoryStage::open(folder.path()).unwrap();
    // The syncs since the last call, without the random names of temporary files.
    let synced = || {
        let mut all = SYNCED.lock().unwrap();
        let (own, others) = all.drain(..).partition(|(path, _)| path.starts_with(stage.root()));
        *all = others;
        let own: Vec<(PathBuf, String)> = own;
        own.into_iter()
            .map(|(path, content)| {
                let path = path.strip_prefix(stage.root()).unwrap();
                let path = if path.starts_with(UNFINISHED) {
                    Path::new(UNFINISHED)
                } else {
                    path
                };
                format!("{}: {content}", path.display())
            })
            .collect::<Vec<_>>()
    };
    assert!(stage.put_if_absent("runs/r/plan.json", "1".into()).await.unwrap());
    let new = [": .unfinished, runs", "runs: r", ".unfinished: 1 bytes", "runs/r: plan.json (1)"];
    assert_eq!(synced(), new);
    let tag = stage.get("runs/r/plan.json").await.unwrap().unwrap().etag;
    assert!(stage.put_if_match("runs/r/plan.json", "22".into(), &tag).await.unwrap());
    assert_eq!(synced(), [".unfinished: 2 bytes", "runs/r: plan.json (2)"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_writers_wins_and_readers_see_only_complete_files() {
    let folder = tempfile::tempdir().unwrap();
    let stage = DirectoryStage::open(folder.path()).unwrap();
    let race = (0..16u8).map(|i| {
        let stage = stage.clone();
        tokio::spawn(async move {
            stage.put_if_absent("runs/r/staged.json", vec![i; 100_000].into()).await.unwrap()
        })
    });
    let won = futures::future::join_all(race).await.into_iter().filter(|r| *r.as_ref().unwrap()).count();
    assert_eq!(won, 1);
    let object = stage.get("runs/r/staged.json").await.unwrap().unwrap();
    assert!(object.body.len() == 100_000 && object.body.iter().all(|b| *b == object.body[0]));
    assert_eq!(stage.list("runs/r/").await.unwrap(), ["runs/r/staged.json"]);
    assert!(
        stage.list("runs/other/").await.unwrap().is_empty()
            && stage.list("runs/r/x").await.unwrap().is_empty()
    );
    assert_eq!(stage.list("runs/r/st").await.unwrap(), ["runs/r/staged.json"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn replacing_requires_the_current_tag() {
    let folder = tempfile::tempdir().unwrap();
    let stage = DirectoryStage::open(folder.path()).unwrap();
    assert!(!stage.put_if_match("state/x.json", "1".into(), "none").await.unwrap());
    assert!(stage.put_if_absent("state/x.json", "1".into()).await.unwrap());
    let tag = stage.get("state/x.json").await.unwrap().unwrap().etag;
    assert!(stage.put_if_match("state/x.json", "2".into(), &tag).await.unwrap());
    assert!(!stage.put_if_match("state/x.json", "3".into(), &tag).await.unwrap());
    assert_eq!(stage.get("state/x.json").await.unwrap().unwrap().body, "2");
    assert!(stage.get("../x").await.is_err() && stage.get(".lock").await.is_err());
}
