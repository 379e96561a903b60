//! Formats what an upgrade changes.

use std::{fmt::Write, path::Path};

use findata_models::schema::Upgrade;

use super::table::fill;

/// How far an upgrade is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpgradeState {
    /// Nothing has changed.
    Planned,
    /// The tables have the version of this build.
    Applied,
    /// Another process keeps the upgraded file from being published.
    NotPublished,
    /// The owner of the tables must run a script.
    ForOwner,
}

/// Formats an upgrade. `previous` is the file from before it.
pub fn upgrade(
    warehouse: &str,
    upgrade: &Upgrade,
    state: UpgradeState,
    previous: Option<&Path>,
    width: usize,
) -> String {
    let version = match upgrade.stored_version {
        Some(stored) if stored == upgrade.version => format!("{stored}"),
        Some(stored) => format!("{stored} -> {}", upgrade.version),
        None => format!("none -> {}", upgrade.version),
    };
    let mut text = format!("warehouse  {warehouse}\nversion    {version}\n");
    if upgrade.is_done() {
        text.push_str("           the tables are those of this build\n");
    }
    let mut action = "";
    for change in &upgrade.changes {
        // The action stands on the first line of its changes.
        let shown = if change.action.text() == action { "" } else { change.action.text() };
        action = change.action.text();
        let _ = writeln!(text, "  {shown:<15} {}", change.object);
    }
    if upgrade.recomputes_figures {
        text.push_str("  computes all figures again from staging; nothing is fetched\n");
    }
    match state {
        UpgradeState::Planned if upgrade.is_done() => {}
        UpgradeState::Planned => {
            text.push_str("nothing has changed yet: `findata upgrade` makes these changes\n")
        }
        UpgradeState::Applied => text.push_str("done\n"),
        UpgradeState::NotPublished => text.push_str("computed, but the file is still the earlier one\n"),
        UpgradeState::ForOwner => {}
    }
    if let Some(previous) = previous {
        let size = std::fs::metadata(previous).map_or(0, |file| file.len());
        let kept = format!(
            "the file from before is {} ({}): `findata upgrade --rollback` goes back to it; delete it when you no longer \
             need it",
            previous.display(),
            super::bytes(size)
        );
        let _ = writeln!(text, "{}", fill(&kept, width));
    }
    text
}
