//! Compares the grants that load and analytics need on Snowflake with the grants of a role.

use std::collections::{BTreeMap, BTreeSet};

use findata_domain::{Result, catalog::CATALOG};
use findata_models::ops::{OPS, RAW_TICKS, STAGING};
use findata_models::{Models, PUBLISHED, tables::SCHEMAS};
use findata_pipeline::ports::warehouse::Warehouse;
use findata_snowflake::Settings;

/// Maximum number of roles that are followed through role grants; a higher number indicates a setup
/// mistake.
const MAX_ROLES: usize = 8;

/// A privilege on an object. All fields are in upper case; `name` is the full name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Grant {
    privilege: String,
    kind: String,
    name: String,
}

impl Grant {
    fn new(privilege: &str, kind: &str, name: &str) -> Self {
        let upper = str::to_ascii_uppercase;
        Grant {
            privilege: upper(privilege),
            kind: upper(kind),
            name: upper(name),
        }
    }

    /// The schema, if the object is a table or a view.
    fn schema(&self) -> Option<&str> {
        matches!(self.kind.as_str(), "TABLE" | "VIEW")
            .then(|| self.name.rsplit_once('.').map(|(schema, _)| schema))?
    }
}

/// The grants that the functions need. `infra/snowflake/07_grants.sql` grants them.
pub(super) fn needed(settings: &Settings, models: &Models) -> Vec<Grant> {
    let database = &settings.database;
    let qualified = |name: &str| format!("{database}.{name}");
    let stage = if settings.stage.matches('.').count() < 2 {
        qualified(&settings.stage)
    } else {
        settings.stage.clone()
    };
    let mut all = vec![
        Grant::new("usage", "warehouse", &settings.warehouse),
        Grant::new("usage", "database", database),
        Grant::new("usage", "stage", &stage),
        Grant::new("create table", "schema", &qualified(&settings.schema)),
    ];
    for schema in ["raw", "staging", "analytics", "ops", &settings.schema] {
        all.push(Grant::new("usage", "schema", &qualified(schema)));
    }
    let mut on_table = |name: &str, privileges: &[&str]| {
        all.extend(privileges.iter().map(|privilege| Grant::new(privilege, "table", &qualified(name))));
    };
    for dataset in CATALOG {
        on_table(&format!("raw.{}", dataset.name), &["select", "insert"]);
        on_table(&format!("staging.{}", dataset.name), &["select", "insert", "delete"]);
    }
    on_table(&format!("raw.{}", RAW_TICKS.name), &["select", "insert", "delete"]);
    for table in STAGING {
        on_table(&format!("staging.{}", table.name), &["select", "insert", "delete"]);
    }
    for table in PUBLISHED {
        on_table(&table.full_name(), &["select", "insert", "delete"]);
    }
    for table in OPS {
        on_table(&format!("ops.{}", table.name), &["select", "insert", "delete"]);
    }
    let views = models.tables.iter().filter(|t| t.file.starts_with("views/"));
    let views =
        views.filter_map(|t| t.sql.split_once("create or replace view ")?.1.split_whitespace().next());
    all.extend(views.map(|name| Grant::new("select", "view", &qualified(name))));
    all
}

/// Returns the role that owns the tables, if it is `role` or one that is granted to it.
///
/// # Errors
/// The errors of [`Warehouse::query`].
pub async fn owner(settings: &Settings, warehouse: &mut impl Warehouse) -> Result<Option<String>> {
    let schemas =
        SCHEMAS.map(|schema| Grant::new("ownership", "schema", &format!("{}.{schema}", settings.database)));
    let held = held(&settings.role, warehouse).await?;
    let owner = held
        .get(&schemas[0])
        .filter(|owner| schemas.iter().all(|schema| held.get(schema) == Some(*owner)));
    Ok(owner.cloned())
}

/// Returns the grants of a role and of all roles that are granted to it, each with the role that has it.
///
/// # Errors
/// The errors of [`Warehouse::query`].
pub(super) async fn held(role: &str, warehouse: &mut impl Warehouse) -> Result<BTreeMap<Grant, String>> {
    let mut held = BTreeMap::new();
    let mut roles = vec![role.to_ascii_uppercase()];
    let mut seen = BTreeSet::new();
    while let Some(role) = roles.pop() {
        if seen.len() >= MAX_ROLES || !seen.insert(role.clone()) {
            continue;
        }
        // Columns: created_on, privilege, granted_on, name (Snowflake's documentation, "SHOW GRANTS").
        for row in warehouse.query(&format!("show grants to role {role}")).await? {
            if let [_, Some(privilege), Some(kind), Some(name), ..] = row.as_slice() {
                let is_role = kind.eq_ignore_ascii_case("role") && privilege.eq_ignore_ascii_case("usage");
                let is_plain_name =
                    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                if is_role && is_plain_name {
                    roles.push(name.clone());
                }
                held.insert(Grant::new(privilege, kind, name), role.clone());
            }
        }
    }
    Ok(held)
}

/// Describes each missing grant and the statement that grants it. If all tables of a schema lack a
/// privilege, one statement covers the schema.
pub(super) fn missing(role: &str, needed: &[Grant], held: &BTreeMap<Grant, String>) -> Vec<(String, String)> {
    let has = |grant: &Grant| {
        let ownership = Grant { privilege: "OWNERSHIP".into(), ..grant.clone() };
        held.contains_key(grant) || held.contains_key(&ownership)
    };
    let group =
        |grant: &Grant| Some((grant.schema()?.to_owned(), grant.kind.clone(), grant.privilege.clone()));
    let mut groups: BTreeMap<_, (usize, usize)> = BTreeMap::new();
    for grant in needed {
        if let Some(key) = group(grant) {
            let (total, absent) = groups.entry(key).or_default();
            *total += 1;
            *absent += usize::from(!has(grant));
        }
    }
    let mut reported = BTreeSet::new();
    let mut missing = Vec::new();
    for grant in needed.iter().filter(|grant| !has(grant)) {
        let (privilege, kind, name) = (&grant.privilege, &grant.kind, &grant.name);
        let whole_schema = group(grant)
            .filter(|key| groups.get(key).is_some_and(|(total, absent)| total == absent && *total > 1));
        let (what, object) = match &whole_schema {
            Some((schema, ..)) => (
                format!("{privilege} on the {kind}S of {schema} is missing"),
                format!("all {kind}s in schema {schema}"),
            ),
            None => (format!("{privilege} on {kind} {name} is missing"), format!("{kind} {name}")),
        };
        if whole_schema.is_none_or(|key| reported.insert(key)) {
            missing
                .push((what, format!("grant {privilege} on {object} to role {role}").to_ascii_lowercase()));
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(privilege: &str, kind: &str, name: &str) -> Grant {
        Grant::new(privilege, kind, name)
    }

    #[test]
    fn a_privilege_missing_on_a_whole_schema_needs_one_statement() {
        let needed = [
            grant("usage", "warehouse", "wh"),
            grant("select", "table", "d.raw.a"),
            grant("select", "table", "d.raw.b"),
            grant("insert", "table", "d.raw.a"),
            grant("insert", "table", "d.raw.b"),
        ];
        let held = [grant("ownership", "warehouse", "wh"), grant("insert", "table", "d.raw.a")]
            .map(|g| (g, "r".to_owned()));
        let held = BTreeMap::from(held);
        let statements: Vec<String> = missing("r", &needed, &held).into_iter().map(|(_, fix)| fix).collect();
        assert_eq!(
            statements,
            [
                "grant select on all tables in schema d.raw to role r",
                "grant insert on table d.raw.b to role r"
            ]
        );
        assert!(
            missing("r", &needed, &needed.iter().map(|g| (g.clone(), "r".to_owned())).collect()).is_empty()
        );
    }
}
