//! `ratios-ttm` and `key-metrics-ttm`, computed from a company's accounts. The formulas reproduce
//! FMP's numbers of 2026. They use the flows of four quarters, the balances and share counts of the
//! newest quarter, and the dividends of the last year.

use super::accounts::Accounts;
use super::company::Company;
use super::figures::Level;
use super::statements::{self, Cadence, Report};
use super::table::{Cell, Table, float, text};
use super::world::World;
use super::{events, market, prices};

/// Divides `a` by `b`. Returns 0 if `b` is 0, like FMP.
fn over(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

struct Inputs {
    ttm: Report,
    prior: Report,
    bank: bool,
    price: f64,
    cap: f64,
    shares: f64,
    eps: (f64, f64),
    dividend: f64,
    /// Mean stockholders' equity at the last four quarter ends.
    mean_equity: f64,
    /// Exchange rate: units of the reporting currency per dollar.
    rate: f64,
}

fn inputs(world: &World, company: &Company) -> Option<Inputs> {
    let accounts = Accounts::new(world, company);
    let ttm = statements::trailing(world, &accounts, 1).into_iter().next()?;
    let quarters = statements::reports(world, &accounts, Cadence::Quarter, 4);
    let prior = quarters.get(1).cloned()?;
    let price = prices::newest(world, company, 1).first()?.close;
    let (basic, diluted) = statements::eps(&accounts, &ttm);
    let equities = quarters.iter().map(|r| (r.after.equity() - r.after.minority) as f64);
    Some(Inputs {
        bank: accounts.bank,
        price,
        cap: price * market::shares(world, company),
        shares: ttm.flow.shares() as f64,
        eps: (basic as f64 / 100.0, diluted as f64 / 100.0),
        dividend: events::last_year(world, company),
        mean_equity: equities.sum::<f64>() / quarters.len().max(1) as f64,
        rate: company.rate,
        ttm,
        prior,
    })
}

/// Adds the row of `ratios-ttm`, unless the company lacks four consecutive quarters.
pub(super) fn ratios_ttm<'a>(table: &mut Table<'a>, world: &World, company: &'a Company) {
    let Some(i) = inputs(world, company) else { return };
    let (f, l) = (&i.ttm.flow, &i.ttm.after);
    let n = |x: i64| x as f64;
    let revenue = n(f.revenue);
    let operating = n(f.operating_income());
    let before_tax = n(f.before_tax(i.bank));
    let interest = if i.bank { 0 } else { f.interest_income - f.interest_expense };
    let ebit = before_tax - n(interest);
    let ebitda = ebit + n(f.depreciation);
    let net = n(f.net_income(i.bank));
    let ocf = n(f.operating_cash(i.bank));
    let capex = -n(f.capex);
    let fcf = ocf - capex;
    let paid = -n(f.dividends);
    let (equity, total_equity) = (n(l.equity() - l.minority), n(l.equity()));
    let (assets, current, liabilities) = (n(l.assets()), n(l.current_liabilities()), n(l.liabilities()));
    let (debt, cash) = (n(l.debt()), n(l.cash));
    let sh = i.shares;
    let ev = i.cap + debt - cash;
    let working = n(l.current_assets()) - current;
    let working_before = n(i.prior.after.current_assets() - i.prior.after.current_liabilities());
    let pe = over(i.price, i.eps.0);
    let values = [
        over(revenue - n(f.cost), revenue),
        over(ebit, revenue),
        over(ebitda, revenue),
        over(operating, revenue),
        over(before_tax, revenue),
        over(net, revenue),
        over(net, revenue),
        over(net - n(f.deductions), revenue),
        over(revenue, n(l.receivables())),
        over(n(f.cost), n(l.accounts_payable)),
        over(n(f.cost), n(l.inventory)),
        over(revenue, n(l.property)),
        over(revenue, assets),
        over(n(l.current_assets()), current),
        over(n(l.current_assets() - l.inventory), current),
        over(net + n(f.depreciation), liabilities),
        over(cash, current),
        pe,
        0.0,
        0.0,
        over(i.price, i.eps.1),
        0.0,
        over(i.price, over(equity, sh)),
        over(i.cap, revenue),
        over(i.cap, fcf),
        over(i.price, over(ocf, sh)),
        over(debt, assets),
        over(debt, equity),
        over(debt, debt + equity),
        over(n(l.long_debt), n(l.long_debt) + equity),
        over(assets, equity),
        over(revenue, (working + working_before) / 2.0),
        over(ocf, current),
        over(ocf, revenue),
        over(fcf, ocf),
        over(ebitda - n(f.tax), n(f.interest_expense + l.short_debt)),
        over(operating, n(f.interest_expense)),
        over(ocf, n(l.short_debt)),
        over(ocf, debt),
        over(ocf, capex),
        over(ocf, paid + capex),
        over(paid, net),
        over(i.dividend, i.price),
        ev,
        over(revenue, sh),
        over(net, sh),
        over(debt + n(f.interest_expense), sh),
        over(n(l.cash + l.short_investments), sh),
        over(total_equity, sh),
        over(equity - n(l.goodwill + l.intangibles), sh),
        over(equity, sh),
        over(ocf, sh),
        over(capex, sh),
        over(fcf, sh),
        over(net, before_tax),
        over(before_tax, operating),
        over(i.price, over(equity, sh)),
        over(n(l.short_debt + l.long_debt), i.cap),
        over(n(f.tax), before_tax),
        over(ev, ebitda),
        i.dividend,
    ];
    table.push(std::iter::once(text(company.symbol.as_str())).chain(values.map(float)));
}

/// Adds the row of `key-metrics-ttm`, unless the company lacks four consecutive quarters.
pub(super) fn key_metrics_ttm<'a>(table: &mut Table<'a>, world: &World, company: &'a Company) {
    let Some(i) = inputs(world, company) else { return };
    let (f, l) = (&i.ttm.flow, &i.ttm.after);
    let n = |x: i64| x as f64;
    let revenue = n(f.revenue);
    let operating = n(f.operating_income());
    let before_tax = n(f.before_tax(i.bank));
    let interest = if i.bank { 0 } else { f.interest_income - f.interest_expense };
    let ebit = before_tax - n(interest);
    let ebitda = ebit + n(f.depreciation);
    let net = n(f.net_income(i.bank));
    let ocf = n(f.operating_cash(i.bank));
    let capex = -n(f.capex);
    let fcf = ocf - capex;
    let equity = n(l.equity() - l.minority);
    let (assets, current, liabilities) = (n(l.assets()), n(l.current_liabilities()), n(l.liabilities()));
    let (debt, cash) = (n(l.debt()), n(l.cash));
    let sh = i.shares;
    let ev = i.cap + debt - cash;
    let current_assets = n(l.current_assets());
    let intangibles_total = n(l.goodwill + l.intangibles);
    let graham = 22.5 * over(net, sh) * over(equity, sh);
    let mean = |of: fn(&Level) -> i64| (n(of(l)) + n(of(&i.prior.after))) / 2.0;
    let cost = n(f.cost);
    let days = |x: i64, by: f64| 365.0 * over(n(x), by);
    let (dso, dpo, dio) =
        (days(l.receivables(), revenue), days(l.accounts_payable, cost), days(l.inventory, cost));
    let invested = current_assets - current + n(l.property) + intangibles_total;
    let values = [
        ev,
        over(ev, revenue),
        over(ev, ocf),
        over(ev, fcf),
        over(ev, ebitda),
        over(debt - cash, ebitda),
        over(current_assets, current),
        over(ocf, net),
        if graham > 0.0 { graham.sqrt() } else { f64::NAN },
        over(
            cash + n(l.short_investments) + 0.75 * n(l.receivables()) + 0.5 * n(l.inventory) - liabilities,
            sh,
        ),
        over(net, before_tax),
        over(before_tax, ebit),
        current_assets - current,
        invested,
        over(net, assets),
        over(operating, mean(Level::assets)),
        over(net, assets - intangibles_total),
        over(net, i.mean_equity),
        over(
            operating * (1.0 - over(n(f.tax), before_tax)),
            assets - current + n(l.short_debt + l.lease_current),
        ),
        over(operating, assets - current),
        over(over(net, sh), i.price * i.rate),
        over(fcf, i.cap),
        over(capex, ocf),
        over(capex, n(f.depreciation)),
        over(capex, revenue),
        over(n(f.general + f.marketing), revenue),
        over(n(f.research), revenue),
        over(n(f.stock_compensation), revenue),
        over(intangibles_total, assets),
        mean(Level::receivables),
        mean(|l| l.accounts_payable),
        mean(|l| l.inventory),
        dso,
        dpo,
        dio,
        dso + dio,
        dso + dio - dpo,
        fcf + n(f.long_debt + f.short_debt),
        fcf,
        assets - intangibles_total - liabilities,
        current_assets - liabilities,
    ];
    let head = [text(company.symbol.as_str()), Cell::Int(i.cap.round() as i64)];
    table.push(head.into_iter().chain(values.map(float)));
}
