//! Finds the columns that a name can refer to, and names that are similar to it.

use std::collections::BTreeSet;

use findata_models::{
    Models,
    metrics::{Alias, MetricKind, spelled},
};

use crate::table::{Basis, Fact};

/// Returns the columns that a name can refer to, best match first. The order is: a column with
/// exactly this name, an alias, a column whose name differs only in spaces and dashes.
pub fn candidates<'m>(
    metric: &str,
    basis: Option<Basis>,
    all: &[(Fact, &'m str)],
    models: &'m Models,
) -> Vec<(Fact, &'m str)> {
    let named = |name: &str| all.iter().filter(|(_, known)| *known == name).copied().collect::<Vec<_>>();
    let name = spelled(metric);
    let exact = metric.trim().to_lowercase();
    let alias = models.registry.aliases().find(|alias| spelled(alias.alias) == name);
    if let Some(Alias { metric, kind, .. }) = alias.filter(|_| named(&exact).is_empty()) {
        let own = match kind {
            MetricKind::Ratio => Fact::Ratios,
            MetricKind::Market => Fact::Market,
        };
        // Columns of the same name in other tables come next, for questions about another basis.
        let mut found = named(metric);
        found.sort_by_key(|(fact, _)| *fact != own);
        return found;
    }
    let mut found = named(&name);
    if basis == Some(Basis::Ttm) {
        found.extend(named(&format!("ttm_{name}")));
        found.extend(named(&format!("latest_{name}")));
    }
    found
}

/// Returns the three most similar names and aliases as text. An alias is followed by its metric.
pub fn similar(metric: &str, all: &[(Fact, &str)], models: &Models) -> String {
    // No name is longer, and a limit keeps the comparison fast.
    let name: String = spelled(metric).chars().take(80).collect();
    // The edit distance finds typing errors. Common pairs of letters find the same words in another
    // order.
    let similarity = |known: &str| {
        let (edits, pairs) =
            (strsim::normalized_damerau_levenshtein(&name, known), strsim::sorensen_dice(&name, known));
        edits.max(pairs)
    };
    let columns = all.iter().map(|(_, column)| (similarity(column), column.to_string(), *column));
    let aliases = models
        .registry
        .aliases()
        .map(|a| (similarity(&spelled(a.alias)), format!("{} ({})", a.alias, a.metric), a.metric));
    let mut ranked: Vec<(f64, String, &str)> = columns.chain(aliases).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let mut seen = BTreeSet::new();
    let best = ranked.into_iter().filter(|(_, _, column)| seen.insert(column.to_string()));
    best.take(3).map(|(_, shown, _)| shown).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::find;

    #[test]
    fn an_unknown_name_is_answered_with_similar_ones() {
        let models = Models::built_in().unwrap();
        for (name, similar) in [
            ("gros_margin", "gross_margin"),
            ("margin gross", "gross_margin"),
            ("ev/ebitd", "ev/ebitda (ev_to_ebitda)"),
            ("return on equty", "return on equity (roe)"),
            ("volatilty", "volatility (volatility_90d)"),
        ] {
            let error = find(name, None, models).unwrap_err().to_string();
            assert!(error.contains(similar), "{error}");
        }
        let long = find(&"é".repeat(100_000), None, models).unwrap_err().to_string();
        assert!(long.contains("similar names are"));
    }
}
