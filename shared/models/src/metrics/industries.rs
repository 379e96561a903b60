//! The industries that decide whether a company is a bank.

use serde::Deserialize;

/// FMP's industries by what they say about a company. The file's comment explains the fields.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Industries {
    /// Banks, insurers, mortgage REITs and investment banks.
    pub banks: Vec<String>,
    /// Banks if interest is a large part of revenue.
    pub lenders: Vec<String>,
    /// Financial companies that are not banks.
    pub others: Vec<String>,
    /// Interest income as a share of revenue above which a lender is a bank.
    pub interest_share: f64,
}

impl Industries {
    /// What is wrong in the entries.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for name in [&self.banks, &self.lenders, &self.others].into_iter().flatten() {
            if name.trim().is_empty() || name.contains('\'') {
                faults.push(format!("industry {name:?}: an empty name or an apostrophe"));
            }
            if !seen.insert(name.to_lowercase()) {
                faults.push(format!("industry {name:?} is listed twice"));
            }
        }
        if !(0.0..=1.0).contains(&self.interest_share) {
            faults.push(format!("interest_share {} is not a share", self.interest_share));
        }
        faults
    }
}

/// The spellings of industries in lower case, as a list of SQL literals. Older answers of FMP have a dash instead of
/// a spaced hyphen.
pub(crate) fn spellings(names: &[String]) -> String {
    let both = |name: &String| {
        let name = name.to_lowercase();
        let dashed = name.replace(" - ", "—");
        if dashed == name { vec![name] } else { vec![name, dashed] }
    };
    let all = names.iter().flat_map(both).map(|name| format!("'{name}'"));
    all.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_industry_is_found_in_both_spellings() {
        let names = ["Banks".to_owned(), "Banks - Regional".to_owned()];
        assert_eq!(spellings(&names), "'banks', 'banks - regional', 'banks—regional'");
    }

    #[test]
    fn faulty_lists_are_refused() {
        let list = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let industries = Industries {
            banks: list(&["Banks", "it's"]),
            lenders: list(&["banks"]),
            others: list(&[" "]),
            interest_share: 30.0,
        };
        assert_eq!(
            industries.faults(),
            [
                "industry \"it's\": an empty name or an apostrophe",
                "industry \"banks\" is listed twice",
                "industry \" \": an empty name or an apostrophe",
                "interest_share 30 is not a share",
            ]
        );
    }
}
