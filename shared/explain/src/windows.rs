//! Market metrics that depend on prices only, recomputed from the bars of their window.

use chrono::NaiveDate;
use findata_domain::Result;
use findata_domain::sql::literal;
use findata_models::metrics::{Expr, PriceMetric, Window};

use crate::{
    facts::Facts,
    figure::Figure,
    rows::{Row, date, figure},
    words::label,
};

/// Accepted relative difference. The models round logarithms to twelve digits to make sums exact;
/// this module does not round.
const RELATIVE: f64 = 1e-6;
const ABSOLUTE: f64 = 1e-9;
/// Number of sessions in a year, used to annualise volatility.
const SESSIONS_A_YEAR: f64 = 252.0;
/// Number of sessions in a month, by which momentum leaves out the newest return.
const SESSIONS_A_MONTH: usize = 21;
/// The input of [`momentum_formula`] with the close a month ago.
const CLOSE_A_MONTH_AGO: &str = "close_21_ago";
/// The quantile of the standard normal distribution that 95 % of values do not exceed.
const NORMAL_95: f64 = 1.644_853_626_951_472_2;

/// A session of a window.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Bar {
    day: NaiveDate,
    close: f64,
    high: Option<f64>,
    low: Option<f64>,
    volume: Option<f64>,
    /// The closing value of the index.
    index: f64,
}

impl Bar {
    fn of(row: &Row) -> Option<Self> {
        Some(Bar {
            day: date(row, "price_date")?,
            close: figure(row, "close_price")?,
            high: figure(row, "high_price"),
            low: figure(row, "low_price"),
            volume: figure(row, "volume"),
            index: figure(row, "index_close").unwrap_or_default(),
        })
    }
}

impl Facts<'_> {
    /// Recomputes a price metric from the bars of its window.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn window_metric(&self, to: &mut Figure, day: NaiveDate, metric: &PriceMetric) -> Result<()> {
        let bars = self.window_bars(to, day, metric)?;
        to.only_when.push(format!("{} sessions are available", metric.sessions));
        let is_whole = bars.len() == metric.sessions as usize;
        to.notes.push(match is_whole {
            true => format!("a window of {} sessions, the last on {day}", metric.sessions),
            false => format!("only {} of {} sessions are available", bars.len(), metric.sessions),
        });
        if matches!(metric.window, Window::Return | Window::Momentum) {
            let (month_ago, formula) = match metric.window {
                Window::Momentum => (bars.len().checked_sub(SESSIONS_A_MONTH + 1), momentum_formula()?),
                _ => (None, return_formula(metric.sessions)?),
            };
            let day_of = |n: Option<usize>| bars.get(n.filter(|_| is_whole)?).map(|bar| bar.day);
            let (first, month_ago) = (day_of(Some(0)), day_of(month_ago));
            return to.fill(&formula, &|name| match (name, first, month_ago) {
                ("close_price", ..) => self.bar(day, name),
                (CLOSE_A_MONTH_AGO, _, Some(month_ago)) => self.bar(month_ago, "close_price"),
                (_, Some(first), _) => self.bar(first, "close_price"),
                _ => Ok(Figure { notes: vec!["no such session".into()], ..Figure::named(name) }),
            });
        }
        to.formula = Some(phrase(&metric.about));
        let factors = match metric.window {
            Window::TotalReturn
            | Window::Sharpe
            | Window::Sortino
            | Window::DownsideDeviation
            | Window::ValueAtRisk => self.dividend_factors()?,
            _ => Vec::new(),
        };
        let again = if is_whole { value(metric.window, &bars, &factors) } else { None };
        to.compare(again, RELATIVE, ABSOLUTE.max(rounding(metric)));
        for (bar, name) in [(bars.first(), "first_bar"), (bars.last(), "last_bar")] {
            if let Some(bar) = bar {
                let close = self.bar(bar.day, "close_price")?;
                to.inputs.push(Figure { name: name.into(), label: label(name), ..close });
            }
        }
        Ok(())
    }

    /// Returns the bars of a window, oldest first. If the metric compares the company with the
    /// index, the window contains only sessions for which both have a bar.
    fn window_bars(&self, to: &mut Figure, day: NaiveDate, metric: &PriceMetric) -> Result<Vec<Bar>> {
        let params = self.first("select index_symbol from run_params")?;
        let index = params.as_ref().and_then(|row| row.get("index_symbol"));
        let (column, shared) = match (index, metric.window.needs_index()) {
            (_, false) => ("null::double", String::new()),
            (None, true) => return Ok(Vec::new()),
            (Some(index), true) => {
                to.notes.push(format!("compared with the index {index}, over the sessions of both"));
                let join = format!(
                    "join staging.prices i on i.symbol = {} and i.price_date = p.price_date \
                     and i.close_price > 0 and p.close_price > 0",
                    literal(index)
                );
                ("i.close_price", join)
            }
        };
        let rows = self.ask(&format!(
            "select p.price_date, p.close_price, p.high_price, p.low_price, p.volume, {column} as index_close \
             from analytics.fact_daily_prices p {shared} \
             where p.symbol = {{symbol}} and p.price_date <= date '{day}' \
             order by p.price_date desc limit {}",
            metric.sessions
        ))?;
        Ok(rows.iter().rev().filter_map(Bar::of).collect())
    }

    /// Returns the session and the factor of every dividend. The session is the first trading day
    /// from the ex-date on, at most six days later. The factor is 1 − dividend ÷ previous close. A
    /// dividend that is not smaller than the previous close is ignored.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn dividend_factors(&self) -> Result<Vec<(NaiveDate, f64)>> {
        let rows = self.ask(
            "with sessions as ( \
                 select price_date, close_price::double as close, \
                     lag(close_price::double) over (order by price_date) as previous \
                 from analytics.fact_daily_prices where symbol = {symbol} \
             ), paid as ( \
                 select d.ex_date, d.amount::double as amount, min(s.price_date) as price_date \
                 from dividend_events d \
                 join sessions s on s.price_date between d.ex_date and d.ex_date + 6 \
                 group by d.ex_date, d.dividend, d.frequency, d.amount \
             ) \
             select p.price_date, sum(p.amount) / any_value(s.previous) as share \
             from paid p join sessions s on s.price_date = p.price_date \
             where s.previous > 0 group by p.price_date order by p.price_date",
        )?;
        let factor = |row: &Row| {
            let share = figure(row, "share").filter(|share| *share > 0.0 && *share < 1.0)?;
            Some((date(row, "price_date")?, 1.0 - share))
        };
        Ok(rows.iter().filter_map(factor).collect())
    }
}

/// Returns the formula of the price return over a window.
///
/// # Errors
/// `Reject` if the formula does not follow the grammar. A test shows that it does.
pub fn return_formula(sessions: u32) -> Result<Expr> {
    Expr::parse(&format!("close_price / close_{}_ago - 1", sessions.saturating_sub(1)))
}

/// Returns the formula of momentum: the return over a year that ended a month ago.
///
/// # Errors
/// `Reject` if the formula does not follow the grammar. A test shows that it does.
pub fn momentum_formula() -> Result<Expr> {
    Expr::parse(&format!("{CLOSE_A_MONTH_AGO} / close_252_ago - 1"))
}

/// Turns a sentence into a phrase, without the capital letter and the full stop.
fn phrase(sentence: &str) -> String {
    let mut letters = sentence.trim_end_matches('.').chars();
    let first = letters.next().map(|c| c.to_lowercase().to_string()).unwrap_or_default();
    format!("{first}{}", letters.as_str())
}

/// Returns the accepted rounding difference: the last digit of a decimal column, or 0 for other
/// columns.
fn rounding(metric: &PriceMetric) -> f64 {
    if metric.window.is_price() { 1e-6 } else { 0.0 }
}

/// Computes the metric of a complete window; `factors` are the dividend factors by session.
fn value(window: Window, bars: &[Bar], factors: &[(NaiveDate, f64)]) -> Option<f64> {
    let (first, last) = (bars.first()?, bars.last()?);
    let closes = || bars.iter().map(|bar| bar.close);
    let change = || (first.close != 0.0).then(|| last.close / first.close);
    let ours = || log_returns(closes());
    match window {
        Window::Return => change().map(|change| change - 1.0),
        Window::TotalReturn => {
            let within = factors.iter().filter(|(day, _)| *day > first.day && *day <= last.day);
            let kept: f64 = within.map(|(_, factor)| factor).product();
            change().map(|change| change / kept - 1.0)
        }
        Window::Volatility => ours().map(|r| covariance(&r, &r).max(0.0).sqrt() * SESSIONS_A_YEAR.sqrt()),
        Window::Beta | Window::Correlation => {
            let (ours, index) = (ours()?, log_returns(bars.iter().map(|bar| bar.index))?);
            let (both, of_index) = (covariance(&ours, &index), covariance(&index, &index));
            let divisor = match window {
                Window::Beta => of_index,
                _ => (covariance(&ours, &ours) * of_index).sqrt(),
            };
            (divisor > 0.0).then(|| both / divisor)
        }
        Window::High => bars.iter().filter_map(|bar| bar.high).reduce(f64::max),
        Window::Low => bars.iter().filter_map(|bar| bar.low).reduce(f64::min),
        Window::Mean => Some(mean(&closes().collect::<Vec<_>>())),
        Window::Drawdown => {
            let mut high = f64::MIN;
            let falls = closes().map(|close| {
                high = high.max(close);
                close / high - 1.0
            });
            falls.reduce(f64::min)
        }
        Window::Momentum => {
            let month_ago = bars.get(bars.len().checked_sub(SESSIONS_A_MONTH + 1)?)?;
            (first.close != 0.0).then(|| month_ago.close / first.close - 1.0)
        }
        Window::DollarVolume => {
            let traded: Option<Vec<f64>> = bars.iter().map(|bar| Some(bar.close * bar.volume?)).collect();
            traded.map(|traded| mean(&traded))
        }
        Window::Illiquidity => {
            let of = |pair: &[Bar]| {
                let millions = pair[1].close * pair[1].volume? / 1e6;
                (millions > 0.0).then(|| (pair[1].close / pair[0].close - 1.0).abs() / millions)
            };
            let days: Vec<f64> = bars.windows(2).filter_map(of).collect();
            (!days.is_empty()).then(|| mean(&days))
        }
        Window::Rsi => {
            let moves = || bars.windows(2).map(|pair| pair[1].close - pair[0].close);
            let all: f64 = moves().map(f64::abs).sum();
            (all > 0.0).then(|| 100.0 * moves().filter(|change| *change > 0.0).sum::<f64>() / all)
        }
        Window::Sharpe => {
            let returns = total_returns(bars, factors)?;
            let deviation = covariance(&returns, &returns).sqrt();
            (deviation > 0.0).then(|| mean(&returns) / deviation * SESSIONS_A_YEAR.sqrt())
        }
        Window::Sortino => {
            let returns = total_returns(bars, factors)?;
            let downside = downside_deviation(&returns);
            (downside > 0.0).then(|| mean(&returns) * SESSIONS_A_YEAR / downside)
        }
        Window::DownsideDeviation => total_returns(bars, factors).map(|r| downside_deviation(&r)),
        Window::ValueAtRisk => {
            let returns = total_returns(bars, factors)?;
            Some(NORMAL_95 * covariance(&returns, &returns).max(0.0).sqrt() - mean(&returns))
        }
        Window::DaysSinceHigh => {
            let high = bars.iter().filter_map(|bar| bar.high).reduce(f64::max);
            let since = bars.iter().rev().position(|bar| bar.high == high)?;
            Some(since as f64)
        }
    }
}

/// Returns the daily log returns with dividends reinvested, or `None` if a close is not above zero.
fn total_returns(bars: &[Bar], factors: &[(NaiveDate, f64)]) -> Option<Vec<f64>> {
    let returns = log_returns(bars.iter().map(|bar| bar.close))?;
    let kept = |day: NaiveDate| factors.iter().find(|(on, _)| *on == day).map_or(0.0, |(_, kept)| kept.ln());
    Some(returns.iter().zip(&bars[1..]).map(|(change, bar)| change - kept(bar.day)).collect())
}

/// Returns the annualised deviation of returns below zero.
fn downside_deviation(returns: &[f64]) -> f64 {
    let squares: Vec<f64> = returns.iter().map(|r| r.min(0.0).powi(2)).collect();
    (mean(&squares) * SESSIONS_A_YEAR).sqrt()
}

/// Returns the logarithms of the changes between closes, or `None` if a close is not above zero.
fn log_returns(closes: impl Iterator<Item = f64>) -> Option<Vec<f64>> {
    let logs: Option<Vec<f64>> = closes.map(|close| (close > 0.0).then(|| close.ln())).collect();
    Some(logs?.windows(2).map(|pair| pair[1] - pair[0]).collect())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Returns the sample covariance.
fn covariance(a: &[f64], b: &[f64]) -> f64 {
    let (mean_a, mean_b) = (mean(a), mean(b));
    let sum: f64 = a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum();
    sum / (a.len() as f64 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(closes: &[(f64, f64)]) -> Vec<Bar> {
        let day = NaiveDate::default();
        let bar = |(n, (close, index)): (usize, &(f64, f64))| Bar {
            day: day + chrono::Days::new(n as u64),
            close: *close,
            high: Some(close + 1.0),
            low: Some(close - 1.0),
            volume: Some(1e6),
            index: *index,
        };
        closes.iter().enumerate().map(bar).collect()
    }

    #[test]
    fn every_kind_of_window_is_computed_from_its_bars() {
        let bars = bars(&[(100.0, 10.0), (110.0, 20.0), (99.0, 10.0), (198.0, 40.0)]);
        let close = |window: Window, expected: f64| {
            let found = value(window, &bars, &[(bars[0].day, 0.5), (bars[2].day, 0.9)]).unwrap();
            assert!((found - expected).abs() < 1e-12, "{window:?}: {found}");
        };
        close(Window::Return, 0.98);
        // A dividend on the first session does not count: the return begins at that session's
        // close.
        close(Window::TotalReturn, 1.98 / 0.9 - 1.0);
        close(Window::High, 199.0);
        close(Window::Low, 98.0);
        close(Window::Mean, 126.75);
        close(Window::Drawdown, 0.9 - 1.0);
        close(Window::DollarVolume, 126.75e6);
        close(Window::Illiquidity, (0.1 / 110.0 + 0.1 / 99.0 + 1.0 / 198.0) / 3.0);
        close(Window::Rsi, 100.0 * 109.0 / 120.0);
        close(Window::DaysSinceHigh, 0.0);
        // The dividend of the third session makes its loss 0.9 / 0.9, which is none.
        let total = [1.1_f64.ln(), 0.0, 2_f64.ln()];
        let mean = total.iter().sum::<f64>() / 3.0;
        let deviation = (total.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / 2.0).sqrt();
        close(Window::Sharpe, mean / deviation * 252_f64.sqrt());
        close(Window::ValueAtRisk, 1.644_853_626_951_472_2 * deviation - mean);
        close(Window::DownsideDeviation, 0.0);
        let fall = |window: Window| value(window, &bars, &[]).unwrap();
        let downside = (0.9_f64.ln().powi(2) / 3.0 * 252.0).sqrt();
        assert!((fall(Window::DownsideDeviation) - downside).abs() < 1e-12);
        assert!((fall(Window::Sortino) - 1.98_f64.ln() / 3.0 * 252.0 / downside).abs() < 1e-12);
        assert_eq!(value(Window::DaysSinceHigh, &bars[..3], &[]), Some(1.0));
        let returns = [1.1_f64.ln(), 0.9_f64.ln(), 2_f64.ln()];
        let index = [2_f64.ln(), 0.5_f64.ln(), 4_f64.ln()];
        let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let cov =
            |a: &[f64], b: &[f64]| (sum(a, b) - a.iter().sum::<f64>() * b.iter().sum::<f64>() / 3.0) / 2.0;
        close(Window::Volatility, (cov(&returns, &returns) * 252.0).sqrt());
        close(Window::Beta, cov(&returns, &index) / cov(&index, &index));
        close(
            Window::Correlation,
            cov(&returns, &index) / (cov(&returns, &returns) * cov(&index, &index)).sqrt(),
        );
    }

    #[test]
    fn a_description_is_shown_as_a_formula() {
        assert_eq!(phrase("Mean close of the last 50 sessions."), "mean close of the last 50 sessions");
    }

    #[test]
    fn a_window_without_a_value_is_null() {
        assert_eq!(value(Window::Mean, &[], &[]), None);
        let zero = bars(&[(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)]);
        assert_eq!(value(Window::Volatility, &zero, &[]), None);
        assert_eq!(value(Window::Return, &zero, &[]), None);
        let flat = bars(&[(1.0, 1.0), (2.0, 1.0), (3.0, 1.0)]);
        assert_eq!(value(Window::Beta, &flat, &[]), None);
        let constant = bars(&[(1.0, 1.0), (1.0, 1.0), (1.0, 1.0)]);
        for window in [Window::Sharpe, Window::Sortino, Window::Rsi, Window::Momentum] {
            assert_eq!(value(window, &constant, &[]), None, "{window:?}");
        }
        assert_eq!(value(Window::ValueAtRisk, &constant, &[]), Some(0.0));
    }
}
