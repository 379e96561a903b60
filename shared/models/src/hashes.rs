//! Hashes of the rendered models and tables with which the stored figures were computed. The table
//! `ops.models` stores them.
//!
//! If a model changed, the next run recomputes the figures of all companies from `staging`, which
//! keeps all data, and writes the rows that differ. If the file of a table changed, the table must
//! first be recreated with owner privileges. On DuckDB the program does this when it opens the
//! file; on Snowflake `findata upgrade` does, as the owner of the tables.
//!
//! A hash ignores comments and insignificant white space, so reformatting a file or rewording a
//! column's description does not trigger a recomputation.

use std::collections::BTreeMap;

use findata_domain::{hash, schema_version, sql::literal};

use crate::Model;

/// Statement that marks every company for recomputation.
pub const ALL_COMPANIES_ARE_DUE: &str = "insert into ops.changes (run_id, dataset, symbol, first_date) \
     select distinct 'models', 'models', symbol, null::date from ( \
     select symbol from staging.profile union select symbol from staging.income_statement union select symbol from staging.prices)";

/// Replacements for hashes that older builds stored. Builds up to commit bd277a3 hashed the raw
/// text of each file. Each entry has the file of a table or view, the SHA-256 of its raw text at
/// bd277a3, and the hash that [`hashes`] computes for the same text. With these, a warehouse of an
/// older build keeps a table whose statement is unchanged.
const RAW_HASHES: &[(&str, &str, &str)] = &[
    (
        "tables/dim_company.sql",
        "ad1f811687144b6382d4d1cba9f059f14366d9bcffceba09e05d7d0b6ed6f07e",
        "5469b54c7c719e70083b19b27dddbd6cbe5f8acfd342fada2f8ceca8b293a6f7",
    ),
    (
        "tables/dim_date.sql",
        "62a1ef67e715316369af39c8a8281ff2803a1c4106b42829f9953405e1db69d3",
        "4245053aceefd591505c15460a636e66825069489d1839e9fcee7dee8af52251",
    ),
    (
        "tables/fact_daily_prices.sql",
        "79c74626af4cf59da6a514e62fdba2dfaa4724bf5bb701e86cc66754d0ecdb52",
        "ca76677979708099ab4667ce55ae5cdb082a265ec48da29edc57a5728f31ff41",
    ),
    (
        "tables/fact_financial_ratios_history.sql",
        "609c9ff4d6918a6b5a823581f67308acc1d22e0a30634b974606b4bda2d6b2ab",
        "b6cba79b4811463abb30e791581050ded7072a3e1c631789ad623e34947198f2",
    ),
    (
        "tables/fact_financials_history.sql",
        "9121609d85fee47b66bd0e84037db2d923556443c0cdf3124787b0e22cfe2617",
        "574a37ee0d67e885a9d33213883edf8f7a11bf3490e0b12f5aa4d5c9fe25ef4e",
    ),
    (
        "tables/fact_financials_ttm_history.sql",
        "5b2d3d0879c973e989c454b7440799dff6503cbf3796cd39bd7d80a7e3f7508b",
        "0ab12b6f9a05d2c5d326d0c42521894bd7303c29f600b57a8bf4699b77fe2a9a",
    ),
    (
        "tables/fact_growth_rates_history.sql",
        "1316b85d68a5f59745989b30b11300bccbcbf8c3a8c453ca02a487ac5d3b667d",
        "7fa10085a377e71bbf1c7dc0680df5068e8c918100dbd6c63626c181627ce973",
    ),
    (
        "tables/fact_market_metrics_history.sql",
        "def3da846c0afb9afd44be370e1d7a2f3bf1f8541b326c818cb8de8742d295fc",
        "5aeedd27031764cb8797d06bc37cf3bce2bdfad8f00020a6254685e567763de2",
    ),
    (
        "tables/quality.sql",
        "6cbf89cd933a3aa0aea2fe7843cf08672575aa6e25e541d0d46e3344d3824a31",
        "378c9e44836d8431964927e9c99553526102f87e9a507337625b81376fb2b5ad",
    ),
    (
        "views/fact_financial_ratios.sql",
        "6e6ba6245bda68eb72727f990a8628b7ae05a906ad9ce8dcf24a3532c7171efd",
        "a895147987f73cd2d8b661287a9316ef1f7a988a4581106c81a8360a42755a88",
    ),
    (
        "views/fact_financials.sql",
        "a44cdf36d7ca8ff1e8b93bc3e9578da740094d007efdc739cf76a301bb053eb3",
        "2c5d77deb33904d794e68ecf4784782155d6daa7731a3c75dcd605969d7c72b7",
    ),
    (
        "views/fact_financials_ttm.sql",
        "4e8d2881a73b082a85e13ee19030e101a733f61f98cc2df4e9394c984f93e6fc",
        "d282225ae14db80d24b2be1300889ec313de16272fab51496e089d9684764321",
    ),
    (
        "views/fact_growth_rates.sql",
        "f0ebcbc511ba7cc70f51adec7713c4953cc551e145e56d850e8957f34be139c4",
        "47f853a1cf1e03566f693b51bdecefab12d869b0b86cd53c0487ce801f87b49d",
    ),
    (
        "views/fact_market_metrics.sql",
        "a0b4c683ae56449cf788f2d31822e3467dafb5a4fd6bde016de3d6f7d28edb29",
        "befc418ffe9b6b482ab307a52df20234d630b6976ceddc7c8ce586f2b79df3ec",
    ),
    (
        "views/fact_market_metrics_as_known.sql",
        "f472e244f6f41047caa0d1c2c1d9d4a1e9a3d7f33896e06ab9c446724784e7b8",
        "3547bd14878882daf57222c0e6f94c1ae8808d1809e5e58ee28b4460a715f558",
    ),
    (
        "views/metric_nulls.sql",
        "bf77fc5279ef2ffce5a7462c0043b01dd53ae5d470f01433d0c9ff8ff807b2e2",
        "2bc83a7fc1f1a72ce649139a5cb30c9916348d4613df8a35a119380d49b312f2",
    ),
    (
        "views/statement_versions.sql",
        "dc4c753dba1a9fc24566a90c7de74a990174857e40c539760519e20c3b2185c0",
        "23fda09bbe604e0442c837863c4216a4feba0193af0fa21d5ea388c363b91f16",
    ),
];

/// Returns the hash of each file's statement, by file.
pub fn hashes<'a>(files: impl IntoIterator<Item = &'a Model>) -> BTreeMap<String, String> {
    files
        .into_iter()
        .map(|m| (m.file.to_owned(), hash::sha256(normalized(&m.sql).as_bytes())))
        .collect()
}

/// Converts the rows of `ops.models` (`file`, `sha256`) to hashes by file, without the version. Replaces the raw-text
/// hashes of older builds, so that the result can be compared with that of [`hashes`].
pub fn known(rows: Vec<Vec<Option<String>>>) -> BTreeMap<String, String> {
    rows.into_iter()
        .filter_map(|row| Some((row.first()?.clone()?, row.get(1)?.clone()?)))
        .filter(|(file, _)| !schema_version::is_mark(file))
        .map(comparable)
        .collect()
}

fn comparable((file, stored): (String, String)) -> (String, String) {
    let raw = RAW_HASHES.iter().find(|(name, raw, _)| *name == file && *raw == stored);
    let hash = raw.map_or(stored, |(.., hash)| (*hash).to_owned());
    (file, hash)
}

/// Returns the statements that replace the rows of these files in `ops.models`.
pub fn record(files: &BTreeMap<String, String>) -> Vec<String> {
    let names: Vec<String> = files.keys().map(|file| literal(file)).collect();
    let rows: Vec<String> = files.iter().map(|(f, h)| format!("({}, {})", literal(f), literal(h))).collect();
    vec![
        format!("delete from ops.models where file in ({})", names.join(", ")),
        format!("insert into ops.models (file, sha256) values {}", rows.join(", ")),
    ]
}

/// Returns a statement without `--` comments and without white space, except for one space between
/// two words. Quoted text is not changed.
fn normalized(sql: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '\'' | '"');
    let mut text = String::with_capacity(sql.len());
    let mut gap = false;
    let mut rest = sql;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '\'' | '"' => rest[1..].find(c).map_or(rest.len(), |end| end + 2),
            _ => c.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        if c.is_whitespace() || token.starts_with("--") {
            gap = true;
            continue;
        }
        if gap && is_word(c) && text.ends_with(is_word) {
            text.push(' ');
        }
        gap = false;
        text.push_str(token);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Models;

    /// Tables and views that were added after builds stopped storing raw hashes.
    const ADDED: [&str; 9] = [
        "tables/fact_dividends.sql",
        "tables/fact_intraday_prices.sql",
        "tables/fact_sector_ranks.sql",
        "tables/fact_splits.sql",
        "views/dim_index_membership.sql",
        "views/latest.sql",
        "views/monthly_pe.sql",
        "views/sector_medians.sql",
        "views/v_market_metrics_live.sql",
    ];

    fn hash_of(sql: &str) -> String {
        hashes(&[Model { file: "f", sql: sql.to_owned() }]).remove("f").unwrap()
    }

    #[test]
    fn a_hash_ignores_comments_and_layout() {
        let statement = "create table t (\n    a varchar, -- the 'old' name\n    b date\n)";
        let reformatted = "-- grain: a\ncreate table t(a varchar,\n\n  b date -- a day\n)\n";
        assert_eq!(hash_of(statement), hash_of(reformatted));
    }

    #[test]
    fn a_hash_changes_with_the_statement() {
        let one = hash_of("select a, 'x  --y' from t");
        for other in ["select a, 'x --y' from t", "select b, 'x  --y' from t", "select a, 'x  --y' from t1"] {
            assert_ne!(one, hash_of(other), "{other}");
        }
        assert_ne!(hash_of("select a b"), hash_of("select ab"));
    }

    #[test]
    fn raw_hashes_list_the_tables_and_views_of_older_builds() {
        let listed: Vec<&str> = RAW_HASHES.iter().map(|(file, ..)| *file).collect();
        let models = Models::built_in().unwrap();
        let added = ["tables/fact_custom_metrics.sql"];
        let files = models.tables.iter().map(|table| table.file);
        let mut files: Vec<&str> = files.filter(|file| !added.contains(file)).collect();
        files.sort_unstable();
        // Builds that stored raw hashes had no such tables.
        files.retain(|file| !ADDED.contains(file));
        assert_eq!(listed, files);
    }

    #[test]
    fn tables_recorded_with_raw_hashes_count_as_current() {
        let tables = &Models::built_in().unwrap().tables;
        let stored = RAW_HASHES
            .iter()
            .map(|(file, raw, _)| vec![Some((*file).into()), Some((*raw).into())])
            .collect();
        let (known, current) = (known(stored), hashes(tables));
        let outdated: Vec<&str> = current
            .iter()
            .filter(|(file, hash)| known.get(*file) != Some(*hash))
            .map(|(file, _)| file.as_str())
            .collect();
        // These have changed since: such a warehouse needs `findata upgrade`.
        let changed = [
            "tables/dim_company.sql",
            "tables/fact_custom_metrics.sql",
            "tables/fact_daily_prices.sql",
            "tables/fact_dividends.sql",
            "tables/fact_financial_ratios_history.sql",
            "tables/fact_financials_history.sql",
            "tables/fact_financials_ttm_history.sql",
            "tables/fact_growth_rates_history.sql",
            "tables/fact_intraday_prices.sql",
            "tables/fact_market_metrics_history.sql",
            "tables/fact_sector_ranks.sql",
            "tables/fact_splits.sql",
            "views/dim_index_membership.sql",
            "views/latest.sql",
            "views/metric_nulls.sql",
            "views/monthly_pe.sql",
            "views/sector_medians.sql",
            "views/statement_versions.sql",
            "views/v_market_metrics_live.sql",
        ];
        assert_eq!(outdated, changed);
        let other = vec![vec![Some("tables/quality.sql".into()), Some("another".into())]];
        assert_ne!(super::known(other).get("tables/quality.sql"), current.get("tables/quality.sql"));
    }
}
