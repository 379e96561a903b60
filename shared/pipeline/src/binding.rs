//! Binds a stage to one warehouse, because the stage's fetch log describes the data of one
//! warehouse only.

use serde::{Deserialize, Serialize};

use crate::ports::warehouse::Warehouse;
use crate::{
    ports::stage::{self, Stage},
    run::RunId,
};
use findata_domain::sql::literal;
use findata_domain::{Error, Result};

const WAREHOUSE: &str = "state/warehouse.json";

#[derive(Serialize, Deserialize)]
struct Binding {
    warehouse_id: String,
}

/// Binds the stage to the warehouse, or checks that an existing binding is to this warehouse. The
/// fetch log describes the data of one warehouse, so a stage cannot serve two.
///
/// A new warehouse has no id. If the stage is not bound, the warehouse gets the id `name`; if two
/// first runs bind the stage concurrently, the stage keeps one of their ids. If the stage is
/// already bound, a new warehouse replaces the previous warehouse and takes over its id. Fill the
/// new warehouse from the stage before you load a run.
///
/// # Errors
/// `Config` if the stage is bound to another warehouse; the stage's and the warehouse's errors.
pub async fn bind_warehouse(stage: &impl Stage, warehouse: &mut impl Warehouse, name: &RunId) -> Result<()> {
    let mut known: Option<Binding> = stage::read_json(stage, WAREHOUSE).await?;
    let mut own = warehouse_ids(warehouse).await?;
    if let (Some(known), true) = (&known, own.is_empty()) {
        return identify(warehouse, &known.warehouse_id).await;
    }
    if known.is_none() {
        if own.is_empty() {
            identify(warehouse, name.as_str()).await?;
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
            "the stage belongs to another warehouse. Use the warehouse that the stage belongs to; or move this warehouse away, and the next run \
             creates a new one and fills it from the stage; or choose another --home or --stage for this warehouse"
                .into(),
        )),
    }
}

/// Returns whether the stage is bound to a warehouse.
///
/// # Errors
/// The stage's errors.
pub async fn is_bound(stage: &impl Stage) -> Result<bool> {
    Ok(stage.get(WAREHOUSE).await?.is_some())
}

async fn identify(warehouse: &mut impl Warehouse, id: &str) -> Result<()> {
    warehouse
        .execute(&format!("insert into ops.identity values ({})", literal(id)))
        .await
        .map(|_| ())
}

async fn warehouse_ids(warehouse: &mut impl Warehouse) -> Result<Vec<String>> {
    let rows = warehouse.query("select warehouse_id from ops.identity").await?;
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next()?).collect())
}
