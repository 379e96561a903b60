//! Compares the models that computed the stored figures with those of this build.

use std::collections::BTreeMap;

use findata_domain::{Error, Result};
use findata_models::{
    MODELS, TABLES,
    hashes::{ALL_COMPANIES_ARE_DUE, hashes, known, note},
    literal,
};
use findata_pipeline::ports::warehouse::{Warehouse, in_transaction};

/// Makes all companies due where other models made the figures.
///
/// # Errors
/// `Config` where the tables are of another version; the warehouse's own.
pub(crate) async fn match_models(warehouse: &mut impl Warehouse) -> Result<()> {
    let known = known(warehouse.query("select file, sha256 from ops.models").await?);
    let tables = hashes(TABLES);
    if let Some((file, _)) = tables.iter().find(|(file, hash)| known.get(*file) != Some(*hash)) {
        return Err(Error::Config(format!(
            "the warehouse's tables are of another version of findata ({file}): apply what \
             `findata setup-sql --replace-figures` prints, then the next run computes all figures anew"
        )));
    }
    let models = hashes(MODELS);
    // A model of an older version may have had another file name: any file that is not a table's counts.
    let older = known.into_iter().filter(|(file, _)| !tables.contains_key(file)).collect::<BTreeMap<_, _>>();
    if older == models {
        return Ok(());
    }
    let mut statements = Vec::new();
    if !older.is_empty() {
        let names: Vec<String> = older.keys().map(|file| literal(file)).collect();
        statements.push(format!("delete from ops.models where file in ({})", names.join(", ")));
        tracing::warn!("the figures were made by another version of findata: this run computes all of them anew");
        statements.push(ALL_COMPANIES_ARE_DUE.to_owned());
    }
    statements.extend(note(&models));
    in_transaction(warehouse, &statements).await
}
