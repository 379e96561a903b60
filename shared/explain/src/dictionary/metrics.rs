//! Describes figures from their declarations: the meaning, formula and conditions of each metric.

use findata_models::metrics::{Expr, Registry, Window, fmp_dataset};

use crate::{
    conditions,
    statement_lines::{dataset_of, fallback},
    ttm,
    windows::{momentum_formula, return_formula},
    words::words,
};

/// Returns the description of a figure that the registry or this crate declares.
pub fn declared(registry: &Registry, fact: &str, column: &str) -> Option<String> {
    match fact {
        "fact_financial_ratios" => {
            let ratio = registry.ratio(column)?;
            let conditions = conditions::of_ratio(registry, ratio);
            let formula = Some(&ratio.formula);
            Some(metric(&ratio.about, formula, &conditions, ratio.fmp.as_deref(), &ratio.aliases))
        }
        "fact_growth_rates" => {
            let rate = registry.growth_rate(column)?;
            let conditions = conditions::of_growth_rate(rate);
            Some(metric(&rate.horizon.about, Some(&rate.formula()), &conditions, None, &[]))
        }
        "fact_market_metrics" => market(registry, column),
        "fact_financials" => {
            let dataset = dataset_of(column)?;
            let field = dataset.columns.iter().find(|c| c.name == column)?.field;
            let own = format!("FMP's {field} of {}", dataset.endpoint);
            Some(match fallback(column) {
                Some(formula) => format!("{own}, or where that is absent {}", words(&formula)),
                None => own,
            })
        }
        "fact_financials_ttm" => {
            let rule = ttm::rule(registry, column)?;
            let condition = ttm::condition(rule).map(|c| format!("; only when {c}")).unwrap_or_default();
            Some(format!("{}{condition}", ttm::words(rule)))
        }
        _ => None,
    }
}

/// Returns the description of one of the user's metrics.
pub fn custom(registry: &Registry, name: &str) -> Option<String> {
    declared(registry, "fact_financial_ratios", name).or_else(|| market(registry, name))
}

fn market(registry: &Registry, column: &str) -> Option<String> {
    if let Some(declared) = registry.market_metric(column) {
        let conditions = conditions::of_market_metric(registry, declared);
        let formula = Some(&declared.formula);
        return Some(metric(
            &declared.about,
            formula,
            &conditions,
            declared.fmp.as_deref(),
            &declared.aliases,
        ));
    }
    let declared = registry.price_metric(column)?;
    let formula = match declared.window {
        Window::Return => return_formula(declared.sessions).ok(),
        Window::Momentum => momentum_formula().ok(),
        _ => None,
    };
    let conditions = [format!("{} sessions are available", declared.sessions)];
    Some(metric(&declared.about, formula.as_ref(), &conditions, None, &declared.aliases))
}

/// Builds the description of a metric from its meaning, formula, conditions, the corresponding
/// figure of FMP and aliases.
fn metric(
    about: &str,
    formula: Option<&Expr>,
    conditions: &[String],
    fmp: Option<&str>,
    aliases: &[String],
) -> String {
    let mut sentences = vec![sentence(about)];
    let condition = match conditions {
        [] => None,
        all => Some(format!("only when {}", all.join(", and "))),
    };
    match (formula, condition) {
        (Some(formula), Some(condition)) => {
            sentences.push(format!("Formula: {}; {condition}.", words(formula)));
        }
        (Some(formula), None) => sentences.push(format!("Formula: {}.", words(formula))),
        (None, Some(condition)) => sentences.push(sentence(&condition)),
        (None, None) => {}
    }
    if let Some(column) = fmp
        && let Some(dataset) = fmp_dataset(column)
    {
        sentences.push(format!("FMP's own: {}.{column}.", dataset.name));
    }
    if !aliases.is_empty() {
        sentences.push(format!("Aliases: {}.", aliases.join(", ")));
    }
    sentences.join(" ")
}

/// Turns a text into a sentence, with a capital letter and a full stop.
pub fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
