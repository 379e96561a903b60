//! Results of the checks in `ops.quality`, for the summary.

use findata_domain::Result;
use findata_pipeline::{
    ports::warehouse::Warehouse,
    summary::{Quality, Score},
};

// The reason of a suspicion is its code, which is also the name of the check.
const COUNTS: &str = "select count(case when check_name = 'score' then 1 end)::varchar, \
     count(case when status = 'flag' then 1 end)::varchar, \
     count(distinct case when status = 'flag' then symbol end)::varchar, \
     count(case when status = 'flag' and reason = check_name then 1 end)::varchar, \
     count(distinct case when status = 'flag' and reason = check_name then symbol end)::varchar from ops.quality";

const LOWEST: &str = "select symbol, ours::varchar from ops.quality where check_name = 'score' and ours < 1 \
     order by ours, symbol limit 5";

/// Reads the results of the checks.
pub(crate) async fn read(warehouse: &mut impl Warehouse) -> Result<Quality> {
    let counts = warehouse.query(COUNTS).await?;
    let count = |column: usize| -> u64 {
        counts
            .first()
            .and_then(|row| row.get(column)?.as_deref()?.parse().ok())
            .unwrap_or_default()
    };
    let score = |row: Vec<Option<String>>| match row.as_slice() {
        [Some(symbol), Some(score)] => Some(Score { symbol: symbol.clone(), score: score.parse().ok()? }),
        _ => None,
    };
    let lowest = warehouse.query(LOWEST).await?.into_iter().filter_map(score).collect();
    Ok(Quality {
        companies: count(0),
        flagged: count(1),
        flagged_companies: count(2),
        suspicions: count(3),
        suspect_companies: count(4),
        lowest,
    })
}
