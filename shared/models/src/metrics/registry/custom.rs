//! Adds the metrics of the user's file to a registry, and checks the file as a whole.

mod entry;
mod inputs;
mod names;
#[cfg(test)]
mod tests;

use std::str;

use findata_domain::{
    Error, Result,
    file_faults::{self, Fault, line_of},
};
use toml::de::{DeTable, DeValue};

use super::{
    Registry,
    check_entry::{self, name_faults},
    spelled,
};
use crate::metrics::{
    earlier::Earlier,
    entries::{Denominator, Input, Ratio, Requirement},
    expression::{Expr, identifier},
    lines::is_line,
    market::{MarketMetric, Source},
};
use crate::toml_file;
use entry::{Declared, Entry};

/// Maximum size of the file. The built-in ratios take 30 KiB.
const MAX_BYTES: usize = 1 << 20;
/// Maximum number of metrics. A market metric has a row per company and session: a hundred of them have
/// 60 million rows for five years of the S&P 500.
const MAX_METRICS: usize = 100;

/// The entries of a file.
#[derive(Default)]
struct Entries {
    inputs: Vec<Declared<Input>>,
    ratios: Vec<Declared<Ratio>>,
    market: Vec<Declared<MarketMetric>>,
    /// Names of inputs whose entry could not be read.
    unread_inputs: Vec<String>,
}

impl Registry {
    /// Returns the registry with the metrics of the user's file. `name` names the file in error
    /// messages.
    ///
    /// # Errors
    /// `Config` with a message per fault, in the order of lines.
    pub fn with_custom(&self, file: &[u8], name: &str) -> Result<Registry> {
        let text = decode(file, name)?;
        let mut faults = Vec::new();
        let entries = read(text, &mut faults);
        let mut registry = self.clone();
        let mut broken = entries.unread_inputs.clone();
        registry.add_inputs(&entries.inputs, &mut broken, &mut faults);
        registry.check_custom_names(&entries, &mut faults);
        let metrics: Vec<&str> = entries.names().map(|(name, _)| name).collect();
        let uses = |expr: &Expr, requires: &[Requirement]| -> Vec<String> {
            let conditions = requires.iter().map(|r| r.above_zero.as_str());
            expr.inputs().into_iter().chain(conditions).map(str::to_owned).collect()
        };
        for ratio in &entries.ratios {
            let used = uses(&ratio.value.formula, &ratio.value.requires);
            if registry.is_computable(&used, &broken, &metrics, ratio, &mut faults) {
                let found = registry.ratio_faults(&ratio.value);
                faults.extend(found.into_iter().map(|fault| ratio.located(fault)));
            }
            faults.extend(rule_fault(
                ratio,
                &ratio.value.formula,
                &ratio.value.requires,
                ratio.value.denominator,
                false,
            ));
            let missing = ratio.value.missing.as_deref().and_then(|reason| identifier(reason).err());
            faults.extend(missing.map(|fault| (ratio.line("missing"), fault)));
            faults.extend(reason_faults(ratio, &ratio.value.requires));
        }
        for metric in &entries.market {
            let used = uses(&metric.value.formula, &metric.value.requires);
            if registry.is_computable(&used, &broken, &metrics, metric, &mut faults) {
                let found = registry.market_metric_faults(&metric.value);
                faults.extend(found.into_iter().map(|fault| metric.located(fault)));
            }
            let (rule, is_checked) = (metric.value.denominator, metric.value.checked.is_some());
            faults.extend(rule_fault(
                metric,
                &metric.value.formula,
                &metric.value.requires,
                rule,
                is_checked,
            ));
            faults.extend(reason_faults(metric, &metric.value.requires));
        }
        if metrics.len() > MAX_METRICS {
            let message = format!("the file has {} metrics: {MAX_METRICS} are allowed", metrics.len());
            faults.push((1, message));
        }
        if !faults.is_empty() {
            return Err(file_faults::error(name, faults));
        }
        registry.custom.ratios = entries.ratios.into_iter().map(|ratio| ratio.value).collect();
        registry.custom.market = entries.market.into_iter().map(|metric| metric.value).collect();
        Ok(registry)
    }

    /// Returns whether the faults of a metric's formula can be found: `false` if it uses an input with
    /// faults, or another metric, which is a fault.
    fn is_computable<T>(
        &self,
        used: &[String],
        broken: &[String],
        metrics: &[&str],
        entry: &Declared<T>,
        faults: &mut Vec<Fault>,
    ) -> bool {
        let plain = |name: &str| match Source::split(name) {
            Some((_, inner)) => inner.to_owned(),
            None => Earlier::name(name).to_owned(),
        };
        let used: Vec<String> = used.iter().map(|name| plain(name)).collect();
        let is_metric = |name: &&String| {
            let is_input = is_line(name) || self.input(name).is_some();
            !is_input && (metrics.contains(&name.as_str()) || self.ratio(name).is_some())
        };
        let other = used.iter().find(is_metric);
        faults.extend(other.map(|other| {
            let message = format!(
                "{}: {other} is a metric, and formulas use inputs only, because metrics that use each other could \
                 form a cycle; declare the common part as an [[input]]",
                entry.name
            );
            (entry.line("formula"), message)
        }));
        other.is_none() && !used.iter().any(|name| broken.contains(name))
    }
}

/// Returns the text of a file.
fn decode<'a>(file: &'a [u8], name: &str) -> Result<&'a str> {
    if file.len() > MAX_BYTES {
        return Err(Error::Config(format!(
            "{name} has more than {} MiB: use a file with metrics only",
            MAX_BYTES >> 20
        )));
    }
    let file = file.strip_prefix("\u{feff}".as_bytes()).unwrap_or(file);
    str::from_utf8(file).map_err(|error| {
        let line = 1 + file[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() as u64;
        file_faults::error(name, vec![(line, "this is not UTF-8 text: save the file as UTF-8".into())])
    })
}

/// Reads the entries. An entry that cannot be read is left out.
fn read(text: &str, faults: &mut Vec<Fault>) -> Entries {
    let mut entries = Entries::default();
    let document = toml_file::parse(text, faults);
    for (key, value) in document.get_ref() {
        let line = line_of(text, key.span().start);
        let (kind, DeValue::Array(array)) = (key.get_ref().as_ref(), value.get_ref()) else {
            faults.push((line, unknown_table(key.get_ref())));
            continue;
        };
        if !["ratio", "metric", "input"].contains(&kind) {
            faults.push((line, unknown_table(kind)));
            continue;
        }
        for one in array.iter() {
            let line = line_of(text, one.span().start);
            let DeValue::Table(table) = one.get_ref() else {
                faults.push((line, format!("an entry begins with [[{kind}]]")));
                continue;
            };
            let mut entry = Entry::new(text, line, table, faults);
            match kind {
                "ratio" => entries.ratios.extend(entry.ratio()),
                "metric" => entries.market.extend(entry.market_metric()),
                _ => match entry.input() {
                    Some(input) => entries.inputs.push(input),
                    None => entries.unread_inputs.extend(name_of(table)),
                },
            }
        }
    }
    entries
}

fn name_of(entry: &DeTable<'_>) -> Option<String> {
    entry.get("name")?.get_ref().as_str().map(str::to_owned)
}

fn unknown_table(key: &str) -> String {
    let hint = match key {
        "growth" | "horizon" => "; for a growth rate, use year_ago.x in the formula of a ratio",
        _ => "",
    };
    format!("unknown key {key}: an entry begins with [[ratio]], [[metric]] or [[input]]{hint}")
}

/// Returns the fault of a metric whose divisions have no rule, or whose rule has no division. An input that
/// `requires` demands to be above zero needs no rule.
fn rule_fault<T>(
    entry: &Declared<T>,
    formula: &Expr,
    requires: &[Requirement],
    rule: Option<Denominator>,
    is_checked: bool,
) -> Option<Fault> {
    let divisors = formula.divisors();
    let is_required = |divisor: &Expr| requires.iter().any(|r| Expr::input(&r.above_zero) == *divisor);
    let without_rule = divisors.iter().find(|divisor| rule.is_none() && !is_required(divisor));
    match (without_rule, rule) {
        (Some(divisor), _) => {
            let message = format!(
                "{}: the formula divides by {divisor}: add `denominator` with the rule for it, such as \"positive\", or \
                 require it to be above zero",
                entry.name
            );
            Some((entry.line("formula"), message))
        }
        (None, Some(_)) if divisors.is_empty() && !is_checked => {
            let message =
                format!("{}: remove `denominator`, because the formula divides by no input", entry.name);
            Some((entry.line("denominator"), message))
        }
        _ => None,
    }
}

/// Returns the faults of reasons for NULL, which are copied into SQL unchanged.
fn reason_faults<T>(entry: &Declared<T>, requires: &[Requirement]) -> Vec<Fault> {
    let wrong = requires.iter().filter_map(|requirement| identifier(&requirement.reason).err());
    wrong.map(|fault| (entry.line("requires"), fault)).collect()
}

impl<T> Declared<T> {
    /// Returns a fault with its line.
    fn located(&self, fault: check_entry::Fault) -> Fault {
        (self.line(fault.field), fault.text())
    }
}
