//! The flows of a period and the balances on a day, with the totals derived from them.

/// Defines a struct of `i64` fields. `+` adds two values field by field.
macro_rules! sums {
    ($(#[$doc:meta])* $name:ident { $($field:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub(super) struct $name { $(pub $field: i64),* }
        impl std::ops::Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                $name { $($field: self.$field + other.$field),* }
            }
        }
    };
}

sums! {
    /// The flows of a period. Outflows have the same sign as in FMP's statements.
    Flow {
        revenue, cost, research, general, marketing, other_operating, interest_income, interest_expense, depreciation,
        non_operating, tax, deductions,
        deferred_tax, stock_compensation, receivables, inventory, payables, other_working_capital, other_non_cash,
        capex, acquisitions, purchases, sales, long_debt, short_debt, stock, dividends, other_financing, forex,
        taxes_paid, days, shares_by_days, diluted_by_days,
    }
}

impl Flow {
    pub fn operating_expenses(&self) -> i64 {
        self.research + self.general + self.marketing + self.other_operating
    }
    pub fn operating_income(&self) -> i64 {
        self.revenue - self.cost - self.operating_expenses()
    }
    pub fn before_tax(&self, bank: bool) -> i64 {
        // A bank's interest is already part of its revenue and cost.
        let interest = if bank { 0 } else { self.interest_income - self.interest_expense };
        self.operating_income() + interest + self.non_operating
    }
    pub fn net_income(&self, bank: bool) -> i64 {
        self.before_tax(bank) - self.tax
    }
    pub fn working_capital(&self) -> i64 {
        self.receivables + self.inventory + self.payables + self.other_working_capital
    }
    pub fn operating_cash(&self, bank: bool) -> i64 {
        self.net_income(bank)
            + self.depreciation
            + self.deferred_tax
            + self.stock_compensation
            + self.working_capital()
            + self.other_non_cash
    }
    pub fn investing_cash(&self) -> i64 {
        self.capex + self.acquisitions + self.purchases + self.sales
    }
    pub fn financing_cash(&self) -> i64 {
        self.long_debt + self.short_debt + self.stock + self.dividends + self.other_financing
    }
    /// Weighted average number of shares.
    pub fn shares(&self) -> i64 {
        self.shares_by_days / self.days.max(1)
    }
    /// Weighted average number of shares, diluted.
    pub fn diluted(&self) -> i64 {
        self.diluted_by_days / self.days.max(1)
    }
}

sums! {
    /// The balances on a day. Liabilities are positive.
    Level {
        cash, short_investments, accounts_receivable, other_receivables, inventory, prepaids, other_current,
        property, goodwill, intangibles, long_investments, tax_assets, other_non_current,
        accounts_payable, other_payables, accrued, short_debt, lease_current, tax_payables, deferred_revenue,
        other_current_liabilities, long_debt, lease, deferred_revenue_long, deferred_tax, other_long_liabilities,
        minority, other_income,
    }
}

impl Level {
    pub fn receivables(&self) -> i64 {
        self.accounts_receivable + self.other_receivables
    }
    pub fn current_assets(&self) -> i64 {
        self.cash
            + self.short_investments
            + self.receivables()
            + self.inventory
            + self.prepaids
            + self.other_current
    }
    pub fn non_current_assets(&self) -> i64 {
        self.property
            + self.goodwill
            + self.intangibles
            + self.long_investments
            + self.tax_assets
            + self.other_non_current
    }
    pub fn assets(&self) -> i64 {
        self.current_assets() + self.non_current_assets()
    }
    pub fn payables(&self) -> i64 {
        self.accounts_payable + self.other_payables
    }
    pub fn current_liabilities(&self) -> i64 {
        self.payables()
            + self.accrued
            + self.short_debt
            + self.lease_current
            + self.tax_payables
            + self.deferred_revenue
            + self.other_current_liabilities
    }
    pub fn non_current_liabilities(&self) -> i64 {
        self.long_debt
            + self.lease
            + self.deferred_revenue_long
            + self.deferred_tax
            + self.other_long_liabilities
    }
    pub fn liabilities(&self) -> i64 {
        self.current_liabilities() + self.non_current_liabilities()
    }
    /// Total equity, including minority interest.
    pub fn equity(&self) -> i64 {
        self.assets() - self.liabilities()
    }
    pub fn debt(&self) -> i64 {
        self.short_debt + self.long_debt + self.lease_current + self.lease
    }
}
