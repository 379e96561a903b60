//! Binds a stage to one warehouse, so that the fetch log never describes another one.

use serde::{Deserialize, Serialize};

use crate::ports::warehouse::Warehouse;
use crate::{
    ports::stage::{self, Stage},
    run::RunId,
};
use findata_domain::{Error, Result};
use findata_models::literal;

const WAREHOUSE: &str = "state/warehouse.json";

#[derive(Serialize, Deserialize)]
struct Binding {
    warehouse_id: String,
}

/// Binds the stage to the warehouse, or checks that it is bound to this one: data that the fetch
/// log counts as fresh must be in this warehouse. A warehouse without an id gets `name`. If two
/// first runs insert their ids concurrently, the stage keeps one of them.
///
/// # Errors
/// `Config` if the stage is bound to another warehouse; the stage's and the warehouse's errors.
pub async fn bind_warehouse(stage: &impl Stage, warehouse: &mut impl Warehouse, name: &RunId) -> Result<()> {
    let mut known: Option<Binding> = stage::read_json(stage, WAREHOUSE).await?;
    let mut own = warehouse_ids(warehouse).await?;
    if known.is_none() {
        if own.is_empty() {
            warehouse
                .execute(&format!("insert into ops.identity values ({})", literal(name.as_str())))
                .await?;
            own.push(name.to_string());
        }
        let warehouse_id = own.first().cloned().unwrap_or_default();
        if !stage.put_if_absent(WAREHOUSE, stage::to_json(&Binding { warehouse_id })?).await? {
            own = warehouse_ids(warehouse).await?;
        }
        known = stage::read_json(stage, WAREHOUSE).await?;
    }
    match known {
        Some(known) if own.contains(&known.warehouse_id) => Ok(()),
        _ => Err(Error::Config(
            "the stage belongs to another warehouse: use that warehouse, or choose another --home or --stage for this one".into(),
        )),
    }
}

async fn warehouse_ids(warehouse: &mut impl Warehouse) -> Result<Vec<String>> {
    let rows = warehouse.query("select warehouse_id from ops.identity").await?;
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next()?).collect())
}
