//! Finds the FMP row that contained a figure.

use findata_domain::sql::literal;
use findata_domain::{Result, catalog::Dataset};

use super::{facts::Facts, figure::Source, rows::Row};

impl Facts<'_> {
    /// Returns the origin of a value in a `staging` row: file, row, hashes, and the value as FMP
    /// sent it.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn source(&self, dataset: &Dataset, staged: &Row, column: &str) -> Result<Option<Source>> {
        let text = |name: &str| staged.get(name).cloned().unwrap_or_default();
        let field = dataset.columns.iter().find(|c| c.name == column).map(|c| c.field).unwrap_or_default();
        let (hash, file) = (text("row_hash"), text("source_file"));
        let row: Option<u64> = staged.get("source_row").and_then(|n| n.parse().ok());
        let key = (file.clone(), row.unwrap_or_default(), field.to_owned());
        if let Some(known) = self.sources.borrow().get(&key) {
            return Ok(Some(known.clone()));
        }
        let raw = self.first(&format!(
            "select payload from raw.{} \
             where symbol = {{symbol}} and row_hash = {} and source_file = {} and source_row = {}",
            dataset.name,
            literal(&hash),
            literal(&file),
            row.unwrap_or_default()
        ))?;
        let sha256 =
            self.first(&format!("select sha256 from ops.files where source_file = {}", literal(&file)))?;
        let sent = raw.and_then(|raw| as_sent(raw.get("payload")?, field));
        let source = Source {
            dataset: dataset.name.to_owned(),
            endpoint: dataset.endpoint.to_owned(),
            field: field.to_owned(),
            sent,
            file,
            row,
            row_hash: hash,
            sha256: sha256.and_then(|row| row.get("sha256").cloned()),
            run_id: text("run_id"),
            observed_at: text("observed_at"),
        };
        self.sources.borrow_mut().insert(key, source.clone());
        Ok(Some(source))
    }
}

/// Returns a field of a payload exactly as written, including quotes. A JSON null is returned as
/// the text `null`.
fn as_sent(payload: &str, field: &str) -> Option<String> {
    let all: std::collections::BTreeMap<String, Box<serde_json::value::RawValue>> =
        serde_json::from_str(payload).ok()?;
    all.get(field).map(|value| value.get().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::fields;

    #[test]
    fn a_figure_is_returned_exactly_as_sent() {
        let payload = r#"{"revenue": 1.50e3, "eps": "2.10", "cost": null}"#;
        assert_eq!(as_sent(payload, "revenue").as_deref(), Some("1.50e3"));
        assert_eq!(as_sent(payload, "eps").as_deref(), Some("\"2.10\""));
        assert_eq!(as_sent(payload, "cost").as_deref(), Some("null"));
        assert_eq!(as_sent(payload, "other"), None);
        assert_eq!(fields(payload).get("eps").map(String::as_str), Some("2.10"));
    }
}
