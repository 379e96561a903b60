//! The commands that the READMEs show. Each `sh` block runs as a script in an empty folder against
//! the FMP simulator. Blocks after the line `<!-- needs an account -->` do not run.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use findata_tests::{Simulator, today};

const NEEDS_AN_ACCOUNT: &str = "<!-- needs an account -->";

/// A script that takes the place of `./dev` and `cargo run`, because a README's block must not
/// build or test the project again. It rejects commands that the real `./dev` does not have.
const DEV: &str = r#"#!/usr/bin/env bash
grep -q "^  $1)" "$REAL_DEV" || { echo "./dev has no command $1" >&2; exit 2; }
"#;

struct Block {
    line: usize,
    script: String,
    runs: bool,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn readmes() -> Vec<PathBuf> {
    let listed = Command::new("git").args(["ls-files", "*.md"]).current_dir(root()).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let found: Vec<PathBuf> = listed.lines().map(|file| root().join(file)).collect();
    assert!(!found.is_empty(), "git lists no README");
    found
}

/// The `sh` blocks of a page, including indented blocks in lists.
fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut runs = true;
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line.trim() == "```sh" {
            let inside: Vec<&str> =
                lines.by_ref().map(|(_, line)| line.trim()).take_while(|line| *line != "```").collect();
            found.push(Block { line: number + 1, script: inside.join("\n"), runs });
        }
        if !line.trim().is_empty() {
            runs = line.trim() != NEEDS_AN_ACCOUNT;
        }
    }
    found
}

#[test]
fn every_command_of_a_readme_runs() {
    let server = Simulator::with_symbols(60);
    let binary = findata_tests::binary();
    for readme in readmes() {
        let name = readme.strip_prefix(root()).unwrap().display().to_string();
        let folder = tempfile::tempdir().unwrap();
        let dev = folder.path().join("dev");
        fs::write(&dev, DEV).unwrap();
        fs::set_permissions(&dev, fs::Permissions::from_mode(0o755)).unwrap();
        for block in blocks(&fs::read_to_string(&readme).unwrap()).iter().filter(|block| block.runs) {
            let path = format!("{}:{}", binary.parent().unwrap().display(), "/usr/local/bin:/usr/bin:/bin");
            let cargo = "cargo() { [ \"$1 $2 $3\" = 'run --release --' ] && shift 3 && findata \"$@\"; }";
            let output = Command::new("bash")
                .args([
                    "-euc",
                    &format!("{cargo}\n{}", block.script.replace("FMP_API_KEY=...", "FMP_API_KEY=demo")),
                ])
                .current_dir(folder.path())
                .env_clear()
                .env("PATH", path)
                .env("REAL_DEV", root().join("dev"))
                .env("FMP_API_KEY", "demo")
                .env("FINDATA_FMP_URL", server.url())
                .env("FINDATA_TODAY", today().to_string())
                .output()
                .unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success(),
                "{name}:{}\n{}\n{}\n{stderr}",
                block.line,
                block.script,
                output.status
            );
        }
    }
}

#[test]
fn every_link_of_a_readme_has_a_target() {
    for readme in readmes() {
        let page = fs::read_to_string(&readme).unwrap();
        let links = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = readme.parent().unwrap().join(link.split('#').next().unwrap());
            assert!(file.exists(), "{}: {link} does not exist", readme.display());
        }
    }
}
