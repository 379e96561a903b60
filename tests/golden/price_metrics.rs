//! Computes price metrics in the most direct way: from whole lists of prices, with means and nested
//! loops.

use super::generated::{Bar, Dividend, figure};

fn logs(closes: &[f64]) -> Vec<f64> {
    closes.windows(2).map(|pair| (pair[1] / pair[0]).ln()).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The sample covariance.
fn covariance(a: &[f64], b: &[f64]) -> f64 {
    let (mean_a, mean_b) = (mean(a), mean(b));
    a.iter().zip(b).map(|(x, y)| (x - mean_a) * (y - mean_b)).sum::<f64>() / (a.len() - 1) as f64
}

/// The price metrics of the last bar, by column name.
pub(super) fn price_metrics(bars: &[Bar], dividends: &[Dividend], index: &[Bar]) -> Vec<(&'static str, f64)> {
    let closes: Vec<f64> = bars.iter().map(|bar| figure(bar.close)).collect();
    let last = closes.len() - 1;
    let back = |sessions: usize| closes[last] / closes[last - sessions] - 1.0;
    let volatility = |sessions: usize| {
        let returns = logs(&closes[last - sessions..]);
        covariance(&returns, &returns).sqrt() * 252_f64.sqrt()
    };
    // The number of shares that one share becomes if each dividend buys shares at the previous
    // close.
    let mut units = 1.0;
    for n in last - 251..=last {
        // A dividend whose ex date has no session counts on the next session.
        let paid = dividends.iter().filter(|d| d.ex > bars[n - 1].day && d.ex <= bars[n].day);
        units /= 1.0 - paid.map(|d| figure(d.adjusted)).sum::<f64>() / closes[n - 1];
    }
    let common: Vec<(f64, f64)> = bars
        .iter()
        .filter_map(|bar| Some((figure(bar.close), figure(index.iter().find(|i| i.day == bar.day)?.close))))
        .collect();
    let (ours, theirs): (Vec<f64>, Vec<f64>) = common[common.len() - 253..].iter().copied().unzip();
    let (ours, theirs) = (logs(&ours), logs(&theirs));
    let both = covariance(&ours, &theirs);
    let year = &bars[last - 251..];
    let mut deepest = 0_f64;
    for (n, from) in year.iter().enumerate() {
        for to in &year[n..] {
            deepest = deepest.min(figure(to.close) / figure(from.close) - 1.0);
        }
    }
    let total: Vec<f64> = (last - 251..=last)
        .map(|n| {
            let paid = dividends.iter().filter(|d| d.ex > bars[n - 1].day && d.ex <= bars[n].day);
            let kept = closes[n - 1] - paid.map(|d| figure(d.adjusted)).sum::<f64>();
            (closes[n] / kept).ln()
        })
        .collect();
    let deviation = covariance(&total, &total).sqrt();
    let losses: Vec<f64> = total.iter().map(|r| if *r < 0.0 { r * r } else { 0.0 }).collect();
    let downside = (mean(&losses) * 252.0).sqrt();
    let dollars: Vec<f64> = bars.iter().map(|bar| figure(bar.close) * figure(bar.volume)).collect();
    let traded: Vec<f64> = (last - 251..=last)
        .filter(|n| dollars[*n] > 0.0)
        .map(|n| (closes[n] / closes[n - 1] - 1.0).abs() / (dollars[n] / 1e6))
        .collect();
    let moves: Vec<f64> = closes[last - 14..].windows(2).map(|pair| pair[1] - pair[0]).collect();
    let sum = |sign: f64| moves.iter().map(|m| (m * sign).max(0.0)).sum::<f64>() / 14.0;
    let strength = sum(1.0) / sum(-1.0);
    let highest = year.iter().map(|bar| bar.high).max().unwrap();
    let since = year.iter().rev().take_while(|bar| bar.high < highest).count();
    vec![
        ("close_price", closes[last]),
        ("return_1d", back(1)),
        ("return_5d", back(5)),
        ("return_21d", back(21)),
        ("return_63d", back(63)),
        ("return_126d", back(126)),
        ("return_252d", back(252)),
        ("total_return_252d", units * closes[last] / closes[last - 252] - 1.0),
        ("volatility_30d", volatility(30)),
        ("volatility_90d", volatility(90)),
        ("beta_252d", both / covariance(&theirs, &theirs)),
        (
            "correlation_252d",
            both / (covariance(&ours, &ours) * covariance(&theirs, &theirs)).sqrt(),
        ),
        ("high_52w", year.iter().map(|bar| figure(bar.high)).fold(f64::MIN, f64::max)),
        ("low_52w", year.iter().map(|bar| figure(bar.low)).fold(f64::MAX, f64::min)),
        ("sma_50", mean(&closes[last - 49..])),
        ("sma_200", mean(&closes[last - 199..])),
        ("max_drawdown_252d", deepest),
        ("momentum_12_1", closes[last - 21] / closes[last - 252] - 1.0),
        ("average_dollar_volume_20d", mean(&dollars[last - 19..])),
        ("average_dollar_volume_60d", mean(&dollars[last - 59..])),
        ("amihud_illiquidity_252d", mean(&traded)),
        ("rsi_14d", 100.0 - 100.0 / (1.0 + strength)),
        ("sharpe_ratio_252d_rf0", mean(&total) * 252.0 / (deviation * 252_f64.sqrt())),
        ("sortino_ratio_252d_rf0", mean(&total) * 252.0 / downside),
        ("downside_deviation_252d", downside),
        ("value_at_risk_95_252d", 1.644_853_626_951_472_2 * deviation - mean(&total)),
        ("days_since_high_52w", since as f64),
    ]
}
