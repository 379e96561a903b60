//! Which warehouse goes with a stage.

use serde::{Deserialize, Serialize};

use super::{Warehouse, literal};
use crate::{
    Error, Result,
    run::RunId,
    stage::{self, Stage},
};

const WAREHOUSE: &str = "state/warehouse.json";

#[derive(Serialize, Deserialize)]
struct Known {
    warehouse_id: String,
}

/// Makes sure that the stage and the warehouse belong together: what the stage says is fresh must be in this warehouse.
/// `name` is what a new warehouse is called.
///
/// # Errors
/// `Config` when they do not; the stage's and the warehouse's own.
pub async fn match_warehouse(stage: &impl Stage, warehouse: &mut impl Warehouse, name: &RunId) -> Result<()> {
    let known: Option<Known> = stage::read_json(stage, WAREHOUSE).await?;
    let own = warehouse.query("select warehouse_id from ops.identity").await?;
    let own = own.into_iter().next().and_then(|row| row.into_iter().next()?);
    match (known, own) {
        (Some(known), Some(own)) if known.warehouse_id == own => Ok(()),
        (Some(_), _) => Err(Error::Config(
            "the stage remembers another warehouse: put that one back, or choose another --home or --stage for a new one".into(),
        )),
        (None, own) => {
            let warehouse_id = match own {
                Some(own) => own,
                None => {
                    warehouse.execute(&format!("insert into ops.identity values ({})", literal(name.as_str()))).await?;
                    name.to_string()
                }
            };
            stage.put_if_absent(WAREHOUSE, stage::to_json(&Known { warehouse_id })?).await.map(|_| ())
        }
    }
}
