//! The figures of the screener, in groups.

use findata_explain::{
    ask::Fact,
    definition::{Definition, definition},
};
use findata_models::{
    Models,
    metrics::{DAYS, MONEY, MONEY_PER_SHARE, SHARES, Unit},
};
use serde::Serialize;

use Fact::{Growth, Market, Ratios, Ttm};

/// A figure's table, column, heading and name.
type Listed = (Fact, &'static str, &'static str, &'static str);

/// The figures by group.
const GROUPS: &[(&str, &[Listed])] = &[
    (
        "Price",
        &[
            (Market, "close_price", "Close", "Close"),
            (Market, "return_21d", "1 month", "Return, 21 sessions"),
            (Market, "return_126d", "6 months", "Return, 126 sessions"),
            (Market, "return_252d", "1 year", "Return, 252 sessions"),
            (Market, "volatility_90d", "Volatility", "Volatility, 90 days, annualised"),
            (Market, "beta_252d", "Beta", "Beta, 252 sessions"),
            (Market, "max_drawdown_252d", "Drawdown", "Largest drawdown, 252 sessions"),
        ],
    ),
    (
        "Valuation",
        &[
            (Market, "market_cap", "Market cap", "Market capitalisation"),
            (Market, "enterprise_value", "Ent. value", "Enterprise value"),
            (Market, "pe_ratio_ttm", "P/E", "Price to earnings"),
            (Market, "peg_ratio", "PEG", "Price to earnings to growth"),
            (Market, "pb_ratio", "P/B", "Price to book"),
            (Market, "ps_ratio_ttm", "P/S", "Price to sales"),
            (Market, "p_to_fcf_ttm", "P/FCF", "Price to free cash flow"),
            (Market, "ev_to_revenue_ttm", "EV/Sales", "Enterprise value to sales"),
            (Market, "ev_to_ebitda", "EV/EBITDA", "Enterprise value to EBITDA"),
            (Market, "ev_to_ebit", "EV/EBIT", "Enterprise value to EBIT"),
            (Market, "earnings_yield", "Earn. yield", "Earnings yield"),
            (Market, "fcf_yield", "FCF yield", "Free cash flow yield"),
            (Market, "dividend_yield", "Dividend", "Dividend yield"),
        ],
    ),
    (
        "Twelve months",
        &[
            (Ttm, "ttm_revenue", "Revenue", "Revenue"),
            (Ttm, "ttm_net_income", "Net income", "Net income"),
            (Ttm, "ttm_free_cash_flow", "Free cash flow", "Free cash flow"),
            (Ttm, "ttm_eps_diluted", "Diluted EPS", "Diluted earnings per share"),
        ],
    ),
    (
        "Profitability",
        &[
            (Ratios, "gross_margin", "Gross margin", "Gross margin"),
            (Ratios, "operating_margin", "Op. margin", "Operating margin"),
            (Ratios, "net_margin", "Net margin", "Net margin"),
            (Ratios, "fcf_margin", "FCF margin", "Free cash flow margin"),
            (Ratios, "roe", "ROE", "Return on equity"),
            (Ratios, "roa", "ROA", "Return on assets"),
            (Ratios, "roic", "ROIC", "Return on invested capital"),
        ],
    ),
    (
        "Growth",
        &[
            (Growth, "revenue_yoy", "Revenue 1y", "Revenue, 1 year"),
            (Growth, "net_income_yoy", "Income 1y", "Net income, 1 year"),
            (Growth, "eps_diluted_yoy", "EPS 1y", "Diluted EPS, 1 year"),
            (Growth, "free_cash_flow_yoy", "FCF 1y", "Free cash flow, 1 year"),
            (Growth, "revenue_cagr_3y", "Revenue 3y", "Revenue, 3 years, annual"),
            (Growth, "eps_diluted_cagr_3y", "EPS 3y", "Diluted EPS, 3 years, annual"),
        ],
    ),
    (
        "Balance sheet",
        &[
            (Ratios, "debt_to_equity", "Debt/equity", "Debt to equity"),
            (Ratios, "net_debt_to_ebitda", "Debt/EBITDA", "Net debt to EBITDA"),
            (Ratios, "interest_coverage", "Int. cover", "Interest coverage"),
            (Ratios, "current_ratio", "Current ratio", "Current ratio"),
            (Ratios, "quick_ratio", "Quick ratio", "Quick ratio"),
        ],
    ),
    (
        "Cash",
        &[
            (Ratios, "cash_conversion_cycle", "Cash cycle", "Cash conversion cycle"),
            (Ratios, "asset_turnover", "Asset turn", "Asset turnover"),
            (Ratios, "capex_to_revenue", "Capex/sales", "Capital expenditure to sales"),
            (Ratios, "payout_ratio", "Payout", "Payout ratio"),
        ],
    ),
];

/// The scores of `findata show`, which the report leaves out.
const SCORES: &[(&str, &[Listed])] = &[(
    "Scores",
    &[
        (Ratios, "piotroski_f_score", "Piotroski F", "Piotroski's F score, 0 to 9"),
        (Market, "altman_z_score", "Altman Z", "Altman's Z score"),
        (Ratios, "altman_z_double_prime", "Altman Z''", "Altman's Z'' score"),
        (Ratios, "beneish_m_score", "Beneish M", "Beneish's M score"),
        (Ratios, "sloan_accruals", "Accruals", "Sloan's accruals"),
    ],
)];

/// A figure that every company of the report has, with its definition.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The table of the figure.
    pub fact: Fact,
    /// The column of the figure.
    pub column: &'static str,
    /// Group of the figure.
    pub group: &'static str,
    /// Short heading.
    pub title: &'static str,
    /// Full name.
    pub name: &'static str,
    /// Meaning, formula and unit.
    pub definition: Definition,
}

impl Chosen {
    /// Returns whether the figure depends on prices only. Contradictions in statements do not make it
    /// suspect.
    pub fn is_price(&self) -> bool {
        self.column == "close_price" || self.definition.sessions.is_some()
    }
}

/// Returns the figures of the report that the registry has, in order.
pub fn chosen(models: &Models) -> Vec<Chosen> {
    of_groups(models, GROUPS)
}

/// Returns the figures of `findata show`: those of the report and the scores. The order gives two columns
/// of about the same height.
pub fn of_snapshot(models: &Models) -> Vec<Chosen> {
    let (mut figures, others): (Vec<_>, Vec<_>) = of_groups(models, GROUPS)
        .into_iter()
        .partition(|chosen| ["Price", "Valuation", "Twelve months", "Cash"].contains(&chosen.group));
    figures.extend(others);
    figures.extend(of_groups(models, SCORES));
    figures
}

fn of_groups(models: &Models, groups: &'static [(&'static str, &'static [Listed])]) -> Vec<Chosen> {
    let exists = |fact: Fact, column: &str| {
        findata_explain::ask::figures(models)
            .iter()
            .any(|(table, name)| *table == fact && *name == column)
    };
    let of_group = |(group, figures): &'static (&'static str, &'static [Listed])| {
        figures
            .iter()
            .map(move |(fact, column, title, name)| (*group, *fact, *column, *title, *name))
    };
    let figures = groups.iter().flat_map(of_group).filter(|(_, fact, column, ..)| exists(*fact, column));
    figures
        .map(|(group, fact, column, title, name)| Chosen {
            fact,
            column,
            group,
            title,
            name,
            definition: definition(models, fact, column),
        })
        .collect()
}

/// How the page displays a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A fraction, shown in percent.
    Percent,
    /// A multiple, shown with the sign x.
    Multiple,
    /// A number without a unit, such as beta.
    Number,
    /// A whole number without a unit.
    Count,
    /// An amount of money.
    Money,
    /// An amount of money per share.
    PerShare,
    /// A number of shares.
    Shares,
    /// A number of days.
    Days,
}

impl Format {
    /// Returns the format of a defined figure.
    pub fn of(definition: &Definition) -> Self {
        match definition.unit {
            _ if definition.percent => Format::Percent,
            None if definition.sessions.is_some() => Format::Number,
            Some(unit) if unit == findata_models::metrics::RATIO && definition.sessions.is_some() => {
                Format::Number
            }
            unit => Format::of_unit(unit),
        }
    }

    /// Returns the format of a unit.
    pub fn of_unit(unit: Option<Unit>) -> Self {
        match unit {
            Some(unit) if unit == MONEY => Format::Money,
            Some(unit) if unit == MONEY_PER_SHARE => Format::PerShare,
            Some(unit) if unit == SHARES => Format::Shares,
            Some(unit) if unit == DAYS => Format::Days,
            _ => Format::Multiple,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_figure_exists_and_has_a_unit() {
        let models = Models::built_in().unwrap();
        let listed: usize = GROUPS.iter().map(|(_, figures)| figures.len()).sum();
        let chosen = chosen(models);
        assert_eq!(chosen.len(), listed);
        assert!(chosen.iter().all(|figure| figure.definition.unit.is_some()), "{chosen:#?}");
        let format = |column: &str| {
            Format::of(&chosen.iter().find(|figure| figure.column == column).unwrap().definition)
        };
        assert_eq!(format("pe_ratio_ttm"), Format::Multiple);
        assert_eq!(format("beta_252d"), Format::Number);
        assert_eq!(format("fcf_yield"), Format::Percent);
        assert_eq!(format("market_cap"), Format::Money);
        assert_eq!(format("cash_conversion_cycle"), Format::Days);
    }
}
