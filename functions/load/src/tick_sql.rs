//! SQL statements that load ticks. The text is the same for every warehouse.

use chrono::{DateTime, NaiveDate, Utc};
use findata_domain::{catalog::PRICE_TICKS, sql::literal};
use findata_pipeline::{landing::StagedFile, run::RunId};

use crate::sql::FILES;

/// Query for the newest loaded file. Its key begins with the day of arrival.
pub(crate) const NEWEST_FILE: &str = "select max(source_file) from ops.files where dataset = 'price_ticks'";

/// Query for the days with ticks. Returns no rows if the table of bars has rows.
pub(crate) const DAYS_WITHOUT_BARS: &str = "select distinct price_date::varchar from raw.price_ticks \
     where not exists (select 1 from analytics.fact_intraday_prices)";

/// Query for the numbers of a portion: rows, new ticks, quarantined rows, bars.
pub(crate) const PORTION: &str = "select (select count(*) from incoming_ticks)::varchar, \
     (select count(*) from new_ticks)::varchar, (select count(reject) from incoming_ticks)::varchar, \
     (select count(*) from new_bars)::varchar, (select count(*) from incoming where gap_start is not null)::varchar";

/// Columns of `raw.price_ticks` except `run_id`.
const TICK: &str = "shard_id, sequence_number, symbol, tick_id, price, size, exchange_time, price_date, bar_start, \
     source, tick_key, observed_at, source_file, source_row";

/// Query for the loaded files whose keys do not come before a text.
pub(crate) fn files_from(first: &str) -> String {
    format!(
        "select source_file from ops.files where dataset = '{}' and source_file >= {}",
        PRICE_TICKS,
        literal(first)
    )
}

/// Builds `new_ticks`, the ticks of `incoming` that are not stored, and `new_bars`, the bars of their
/// minutes.
///
/// `tick_key` identifies a tick among those of its symbol and exchange time: the producer's id or,
/// without one, the position in the stream.
pub(crate) fn new_ticks() -> [String; 6] {
    // The landed rows of ticks have no payload, because their columns have all of it. Texts have no control
    // characters, so only these two characters need an escape.
    let text = |column: &str| {
        format!(
            "'\"' || replace(replace({column}, chr(92), chr(92) || chr(92)), '\"', chr(92) || '\"') || '\"'"
        )
    };
    let record = |table: &str| {
        let field = |name: &str, value: &str| format!("coalesce('\"{name}\": ' || {value} || ', ', '')");
        format!(
            "'{{' || {} || {} || {} || {} || {} || '\"exchange_time\": \"' || {table}.exchange_time::varchar || '\"}}'",
            field("id", &text(&format!("{table}.tick_id"))),
            field("symbol", &text(&format!("{table}.symbol"))),
            field("price", &format!("{table}.price::varchar")),
            field("size", &format!("{table}.size::varchar")),
            field("source", &text(&format!("{table}.source"))),
        )
    };
    let incoming = format!(
        "create or replace temporary table incoming_ticks as \
         with known as (select symbol from staging.profile union select symbol from staging.prices) \
         select i.shard_id, i.sequence_number, i.symbol, i.tick_id, i.price::decimal(18, 6) as price, \
         i.size::decimal(18, 6) as size, i.exchange_time, i.price_date, \
         date_trunc('minute', i.exchange_time)::timestamp as bar_start, i.source, \
         case when i.tick_id is not null then 'id|' || coalesce(i.source, '') || '|' || i.tick_id \
             else 'at|' || i.shard_id || '|' || i.sequence_number end as tick_key, \
         i.observed_at, i.source_file, i.source_row, \
         case when i.reject is null and k.symbol is null then {} else i.payload end as payload, \
         case when i.reject is null and k.symbol is null \
             then 'unknown_symbol: the warehouse has neither a profile nor prices of ' || i.symbol \
             else i.reject end as reject \
         from incoming i left join known k on k.symbol = i.symbol where i.gap_start is null",
        record("i")
    );
    let columns = |table: &str| {
        TICK.split(", ")
            .map(|name| format!("{table}.{}", name.trim()))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let stored = format!(
        "create or replace temporary table stored_ticks as \
         with touched as (select distinct symbol, price_date, bar_start from incoming_ticks where reject is null) \
         select {} from raw.price_ticks r join touched t \
         on t.price_date = r.price_date and t.bar_start = r.bar_start and t.symbol = r.symbol",
        columns("r")
    );
    // A bar has more ticks than are stored if they have been deleted. Another tick must not replace the bar.
    let expired = "create or replace temporary table expired_minutes as \
         with stored as (select symbol, bar_start, count(*) as n from stored_ticks group by symbol, bar_start), \
         touched as (select distinct symbol, price_date, bar_start from incoming_ticks where reject is null) \
         select t.symbol, t.bar_start from touched t join analytics.fact_intraday_prices b \
         on b.price_date = t.price_date and b.bar_start = t.bar_start and b.symbol = t.symbol \
         left join stored s on s.symbol = t.symbol and s.bar_start = t.bar_start \
         where b.tick_count > coalesce(s.n, 0)";
    let reject = format!(
        "update incoming_ticks set reject = 'expired: the other ticks of its minute have been deleted', payload = {} \
         where reject is null and exists (select 1 from expired_minutes e \
         where e.symbol = incoming_ticks.symbol and e.bar_start = incoming_ticks.bar_start)",
        record("incoming_ticks")
    );
    let new = format!(
        "create or replace temporary table new_ticks as select {} from incoming_ticks i \
         where i.reject is null and not exists (select 1 from stored_ticks s where s.symbol = i.symbol \
             and s.exchange_time = i.exchange_time and s.tick_key = i.tick_key) \
         qualify row_number() over (partition by i.symbol, i.exchange_time, i.tick_key \
             order by i.shard_id, length(i.sequence_number), i.sequence_number, i.source_file, i.source_row) = 1",
        columns("i")
    );
    let of_minutes = format!(
        "(select {all} from stored_ticks s where exists (select 1 from new_ticks n where n.symbol = s.symbol \
             and n.bar_start = s.bar_start) union all select {new} from new_ticks n)",
        all = columns("s"),
        new = columns("n"),
    );
    [incoming, stored, expired.to_owned(), reject, new, bars(&of_minutes)]
}

/// Builds `new_bars` from all ticks of a day.
pub(crate) fn bars_of_day(day: &str) -> String {
    bars(&format!("(select {TICK} from raw.price_ticks where price_date = {}::date)", literal(day)))
}

/// Builds `new_bars` from ticks. Sums are of decimals, so they do not depend on the order of the ticks.
/// Ticks of the same time are in the order of their keys: first the shorter one, so that numbers are in
/// the order of their values.
fn bars(ticks: &str) -> String {
    format!(
        "create or replace temporary table new_bars as \
         with ordered as (select t.symbol, t.price_date, t.bar_start, \
             t.price::decimal(18, 6) as price, coalesce(t.size, 0)::decimal(18, 6) as size, \
             row_number() over (partition by t.symbol, t.bar_start \
                 order by t.exchange_time, length(t.tick_key), t.tick_key) as place, \
             row_number() over (partition by t.symbol, t.bar_start order by t.exchange_time desc nulls last, \
                 length(t.tick_key) desc nulls last, t.tick_key desc nulls last) as place_from_end from {ticks} t) \
         select symbol, price_date, bar_start, max(case when place = 1 then price end) as open_price, \
         max(price) as high_price, min(price) as low_price, \
         max(case when place_from_end = 1 then price end) as close_price, sum(size) as volume, \
         sum(price * size)::double / nullif(sum(size)::double, 0) as vwap, count(*) as tick_count \
         from ordered group by symbol, price_date, bar_start"
    )
}

/// Returns the statements that replace the bars of `new_bars`.
pub(crate) fn replace_bars(run: &RunId, now: DateTime<Utc>) -> Vec<String> {
    let (run, now) = (literal(run.as_str()), timestamp(now));
    vec![
        "delete from analytics.fact_intraday_prices t using new_bars n \
         where t.price_date = n.price_date and t.bar_start = n.bar_start and t.symbol = n.symbol"
            .to_owned(),
        // A sum that does not fit the column must not stop the load.
        format!(
            "insert into analytics.fact_intraday_prices (company_key, symbol, price_date, price_date_key, bar_start, \
             open_price, high_price, low_price, close_price, volume, vwap, tick_count, run_id, computed_at) \
             select coalesce(k.company_key, md5(n.symbol)), n.symbol, n.price_date, \
             year(n.price_date) * 10000 + month(n.price_date) * 100 + day(n.price_date), n.bar_start, \
             n.open_price, n.high_price, n.low_price, n.close_price, \
             case when n.volume < 1000000000000 then n.volume end::decimal(18, 6), n.vwap, n.tick_count, {run}, {now} \
             from new_bars n left join ops.securities k on k.symbol = n.symbol"
        ),
    ]
}

/// Returns the statements of the transaction that loads a portion, in order.
pub(crate) fn transaction(run: &RunId, files: &[StagedFile], now: DateTime<Utc>) -> Vec<String> {
    let id = literal(run.as_str());
    let name = PRICE_TICKS;
    let mut statements =
        vec![format!("insert into raw.price_ticks ({TICK}, run_id) select {TICK}, {id} from new_ticks")];
    statements.extend(replace_bars(run, now));
    statements.push(format!(
        "insert into ops.quarantine (run_id, dataset, symbol, reason, payload, source_file, source_row, observed_at, status) \
         select {id}, '{name}', symbol, reject, payload, source_file, source_row, observed_at, 'rejected' \
         from incoming_ticks where reject is not null"
    ));
    statements.push(format!(
        "insert into ops.price_gaps (source, gap_start, gap_end, reason, observed_at, source_file, source_row, run_id) \
         select i.source, i.gap_start, i.exchange_time, i.gap_reason, i.observed_at, i.source_file, i.source_row, {id} \
         from incoming i where i.gap_start is not null and not exists \
             (select 1 from ops.price_gaps g where g.source = i.source and g.gap_start = i.gap_start) \
         qualify row_number() over (partition by i.source, i.gap_start order by i.source_file, i.source_row) = 1"
    ));
    let file =
        |f: &StagedFile| format!("({}, {}, {}, {})", literal(&f.key), literal(&f.sha256), f.bytes, f.rows);
    let values: Vec<String> = files.iter().map(file).collect();
    statements.push(format!(
        "insert into ops.files ({FILES}) \
         select {id}, '{name}', v.source_file, v.sha256, v.bytes, v.staged, coalesce(n.loaded, 0), \
         v.staged - coalesce(n.loaded, 0) - coalesce(q.quarantined, 0), coalesce(q.quarantined, 0), {now} \
         from (values {values}) v(source_file, sha256, bytes, staged) \
         left join (select l.source_file, count(*) as loaded from (select source_file from new_ticks \
             union all select source_file from incoming where gap_start is not null) l group by l.source_file) n \
         on n.source_file = v.source_file \
         left join (select source_file, count(reject) as quarantined from incoming_ticks group by source_file) q \
         on q.source_file = v.source_file",
        values = values.join(", "),
        now = timestamp(now),
    ));
    statements
}

/// Returns the statement that deletes the ticks which arrived before `until`, unless their day is newer.
pub(crate) fn delete_ticks(until: NaiveDate) -> String {
    format!(
        "delete from raw.price_ticks where price_date < '{until}'::date and observed_at < '{until}'::timestamp"
    )
}

fn timestamp(at: DateTime<Utc>) -> String {
    format!("'{}'::timestamp", at.format("%Y-%m-%d %H:%M:%S%.3f"))
}
