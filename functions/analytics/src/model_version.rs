//! Compares the models that computed the published figures with the models of this build.

use std::collections::BTreeMap;

use findata_domain::{Error, Result, schema_version, sql::literal};
use findata_models::{
    Models,
    hashes::{ALL_COMPANIES_ARE_DUE, hashes, known, record},
};
use findata_pipeline::ports::warehouse::{Warehouse, in_transaction};

/// Marks all companies for recomputation if other models computed the published figures.
///
/// # Errors
/// `Config` if the tables belong to another version of findata; the warehouse's errors.
pub(crate) async fn check_models(models: &Models, warehouse: &mut impl Warehouse) -> Result<()> {
    let recorded = warehouse.query(schema_version::RECORDED).await?;
    schema_version::require_current(&recorded)?;
    let known = known(recorded);
    let tables = hashes(&models.tables);
    if let Some((file, _)) = tables.iter().find(|(file, hash)| known.get(*file) != Some(*hash)) {
        return Err(Error::Config(format!(
            "the warehouse's tables belong to another build of findata ({file}): run `findata upgrade`; \
             the next run then recomputes all figures"
        )));
    }
    let models = hashes(&models.models);
    // An older version may have named a model's file differently, so every recorded file that does
    // not belong to a table counts as a model.
    let recorded = known
        .into_iter()
        .filter(|(file, _)| !tables.contains_key(file))
        .collect::<BTreeMap<_, _>>();
    if recorded == models {
        return Ok(());
    }
    let mut statements = Vec::new();
    if !recorded.is_empty() {
        let names: Vec<String> = recorded.keys().map(|file| literal(file)).collect();
        statements.push(format!("delete from ops.models where file in ({})", names.join(", ")));
        tracing::warn!("the models or the metrics file have changed: this run recomputes all figures");
        statements.push(ALL_COMPANIES_ARE_DUE.to_owned());
    }
    statements.extend(record(&models));
    in_transaction(warehouse, &statements).await
}
