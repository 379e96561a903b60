//! Compares the models that computed the stored figures with those of this build.

use findata_domain::{Error, Result};
use findata_models::{
    MODELS, TABLES,
    hashes::{ALL_COMPANIES_ARE_DUE, hashes, known, note},
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
    let mut statements = Vec::new();
    if models.iter().all(|(file, hash)| known.get(file) == Some(hash)) {
        return Ok(());
    }
    if models.keys().any(|file| known.contains_key(file)) {
        tracing::warn!("the figures were made by another version of findata: this run computes all of them anew");
        statements.push(ALL_COMPANIES_ARE_DUE.to_owned());
    }
    statements.extend(note(&models));
    in_transaction(warehouse, &statements).await
}
