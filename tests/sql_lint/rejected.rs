//! Each rule of the lint rejects its example, and valid texts pass.

use super::{FileKind, lint};

/// A model with this query.
fn model(query: &str) -> String {
    format!("-- grain: company x day\ncreate or replace temporary table t as\n{query}")
}

#[test]
fn sql_that_both_engines_read_alike_passes() {
    for query in [
        "select a, b / nullif(c, 0) as d from x",
        "select a::double / 365.0::double as d from x",
        "select sum(a) over (partition by s order by d rows between 3 preceding and current row) as r from x",
        "select row_number() over (partition by s order by d desc nulls last) as n from x qualify n = 1",
        "select (d - interval '1 year')::date as y, date_trunc('month', d)::date as m, d - 7 as w from x",
        "with a as (select s, max(d) as d from x group by s) select a.s from a left join y on y.s = a.s and y.d < a.d",
        "select * exclude (a) from x union all select b::decimal(38, 6) from y",
        "select ln(case when a > 0 then a end) as l, sqrt(abs(b)) as r, ln(nullif(abs(a / nullif(b, 0)), 0)) as m, try_cast(b as double) as t, json_extract_path_text(p, 'key') as j from x",
    ] {
        assert_eq!(lint(FileKind::Model, &model(query)), Vec::<String>::new(), "{query}");
    }
    assert_eq!(
        lint(
            FileKind::Table,
            "-- grain: company x day\ncreate table if not exists a.b (x varchar, y decimal(38, 6), z timestamp)"
        ),
        Vec::<String>::new()
    );
    for setup in ["create schema if not exists raw", "alter table a.b add column if not exists x varchar"] {
        assert_eq!(lint(FileKind::Setup, setup), Vec::<String>::new());
    }
    assert_eq!(
        lint(FileKind::View, "-- grain: company x day\ncreate or replace view a.v as select x from a.b"),
        Vec::<String>::new()
    );
}

#[test]
fn every_rule_rejects_its_example() {
    let mut missed = Vec::new();
    for (query, reason) in [
        ("select iff(a, 1, 2) as i from x", "function iff"),
        ("select nvl(a, 1) as i from x", "function nvl"),
        ("select greatest(a, b) as i from x", "function greatest"),
        ("select concat(coalesce(a, ''), b) as i from x", "function concat"),
        ("select dateadd('day', 1, d) as i from x", "function dateadd"),
        ("select to_date(a) as i from x", "function to_date"),
        ("select current_date as i from x", "function current_date"),
        ("select current_timestamp() as i from x", "function current_timestamp"),
        ("select div0(a, b) as i from x", "function div0"),
        ("select sum(a) filter (where b) as i from x", "FILTER"),
        ("select lag(a ignore nulls) over (order by d) as i from x", "IGNORE NULLS of lag"),
        ("select lag(a) ignore nulls over (order by d) as i from x", "IGNORE NULLS of lag"),
        (
            "select last_value(a) ignore nulls over (order by d rows between unbounded preceding and current row) as i from x",
            "outside the parentheses",
        ),
        (
            "select x.a from x left join y on y.s = x.s and (y.d is null or y.d > x.d)",
            "OR in an outer join",
        ),
        ("select sum(a) over w as i from x window w as (order by d)", "named window"),
        (
            "select corr(a, b) over (order by d rows between 3 preceding and current row) as i from x",
            "corr over an order",
        ),
        ("select median(a) over (order by d) as i from x", "median over an order"),
        (
            "select first_value(a) over (partition by s order by d) as i from x",
            "without an explicit frame",
        ),
        ("select sum(a) over (partition by s order by d) as i from x", "without an explicit frame"),
        (
            "select sum(a) over (order by d groups between 1 preceding and current row) as i from x",
            "GROUPS",
        ),
        ("select row_number() over (order by d desc) as i from x", "without NULLS"),
        ("select a from x order by a desc", "without NULLS"),
        ("select a from x order by all", "ORDER BY ALL"),
        ("select a / b as i from x", "without NULLIF"),
        ("select a / (b + 1) as i from x", "without NULLIF"),
        ("select 1 as i where exists (select a from x)", "WHERE without FROM"),
        ("select case when a > 0 then ln(a) end as i from x", "ln of a"),
        ("select ln(abs(a)) as i from x", "ln of abs(a)"),
        ("select ln(nullif(a, 0)) as i from x", "ln of"),
        ("select sqrt(a + b) as i from x where a > 0", "sqrt of a + b"),
        ("select power(case when a > 0 then a else b end, 2) as i from x", "power of"),
        ("select a from x where d >= '2024-01-31'", "comparison with the text"),
        ("select case when b > 0 then a / b end as i from x", "without NULLIF"),
        ("select a / sqrt(b) as i from x", "without NULLIF"),
        ("select a /\n nullif(b, 0) as i from x", "neither NULLIF( nor a number"),
        ("select 'a / b' as i from x", "neither NULLIF( nor a number"),
        ("select 1 / 3 as i from x", "cast to double"),
        ("select a::float as i from x", "type FLOAT"),
        ("select a::integer as i from x", "type INTEGER"),
        ("select a::number(38, 6) as i from x", "type NUMBER"),
        ("select a::decimal as i from x", "type DECIMAL"),
        ("select a::decimal(18, 3) as i from x", "type DECIMAL"),
        ("select a::timestamp_ntz as i from x", "type"),
        ("select a::timestamptz as i from x", "type"),
        ("select a::varchar(20) as i from x", "type VARCHAR"),
        ("select try_cast(1 + a as double) as i from x", "TRY_CAST"),
        ("select d - interval '1 year' as i from x", "without ::date"),
        ("select date_trunc('month', d) as i from x", "without ::date"),
        ("select d - interval 30 day as i from x", "INTERVAL"),
        ("select extract(year from d) as i from x", "EXTRACT"),
        ("select p ->> 'a' as i from x", "JSON"),
        ("select p:a::varchar as i from x", "a:b"),
        ("select \"A\" as i from x", "quoted name"),
        ("select a as \"I\" from x", "quoted name"),
        ("select a as start from x", "reserved name start"),
        ("select x.row from x", "reserved name row"),
        ("select show from x", "reserved name show"),
        ("select distinct on (a) a, b from x", "DISTINCT ON"),
        ("select a from x asof join y match_condition (x.d >= y.d)", "ASOF"),
        ("select a from x natural join y", "join"),
        ("select a from x right join y on x.a = y.a", "join"),
        ("select a from x minus select a from y", "MINUS"),
        ("select a from x, lateral (select b from y) l", "from LATERAL"),
        ("select a from unnest(b) as u", "from"),
        ("select a from range(10) as r", "from"),
        ("select a from x tablesample (10)", "from"),
        ("select top 5 a from x", "TOP"),
        ("select a from x where a % 2 = 0", "operator"),
        ("select a from x where a = any(b)", "expression"),
        ("select a from x; select b from y", ";"),
        ("select a from {{ ref('x') }}", "{{"),
        ("select a from x /* why */", "block comment"),
        ("selec a from x", "grammar"),
    ] {
        let found = lint(FileKind::Model, &model(query));
        if !found.iter().any(|what| what.to_uppercase().contains(&reason.to_uppercase())) {
            missed.push(format!("{query}: {found:?} does not mention {reason}"));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn every_kind_of_file_allows_only_its_own_statements() {
    let grain = "-- grain: company x day\n";
    for (kind, sql, reason) in [
        (
            FileKind::Model,
            format!("{grain}create table t as select 1 as a"),
            "not allowed in a Model",
        ),
        (
            FileKind::Model,
            format!("{grain}create or replace table t as select 1 as a"),
            "not allowed in a Model",
        ),
        (
            FileKind::Model,
            format!("{grain}create or replace view t as select 1 as a"),
            "not allowed in a Model",
        ),
        (FileKind::Model, format!("{grain}insert into t select 1"), "not allowed in a Model"),
        (FileKind::Model, format!("{grain}select 1"), "not allowed in a Model"),
        (FileKind::Model, "create or replace temporary table t as select 1 as a".into(), "grain"),
        (
            FileKind::Model,
            "-- grain:\ncreate or replace temporary table t as select 1 as a".into(),
            "grain",
        ),
        (FileKind::Table, format!("{grain}create table t (a varchar)"), "not allowed in a Table"),
        (
            FileKind::Table,
            format!("{grain}create or replace table t (a varchar)"),
            "not allowed in a Table",
        ),
        (
            FileKind::Table,
            format!("{grain}create transient table if not exists t (a varchar)"),
            "not allowed in a Table",
        ),
        (FileKind::Table, format!("{grain}create table if not exists t (a int)"), "type INT"),
        (
            FileKind::Table,
            format!("{grain}create table if not exists t (a varchar default 'x')"),
            "with options",
        ),
        (
            FileKind::Table,
            format!("{grain}create table if not exists t (a varchar, primary key (a))"),
            "constraints",
        ),
        (
            FileKind::Table,
            format!("{grain}create table if not exists t (start varchar)"),
            "reserved name",
        ),
        (FileKind::View, format!("{grain}create view v as select 1 as a"), "not allowed in a View"),
        (FileKind::Setup, "create schema raw".into(), "not allowed in a Setup"),
        (FileKind::Setup, "drop table raw.profile".into(), "not allowed in a Setup"),
        (
            FileKind::Setup,
            "alter table raw.profile add column x varchar".into(),
            "not allowed in a Setup",
        ),
        (
            FileKind::Setup,
            "alter table raw.profile drop column payload".into(),
            "not allowed in a Setup",
        ),
    ] {
        let found = lint(kind, &sql);
        assert!(
            found.iter().any(|what| what.contains(reason)),
            "{sql}: {found:?} does not mention {reason}"
        );
    }
}
