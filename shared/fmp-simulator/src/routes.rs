//! Maps an endpoint and its parameters to a response.

use super::accounts::Accounts;
use super::bulk_files::{self, Chunks};
use super::company::Company;
use super::feeds::{self, Filing};
use super::history::History;
use super::market;
use super::plan::{self, Plan};
use super::statements::{self, Cadence, Statement};
use super::table::Table;
use super::world::World;
use super::{events, fields, history, indexes, lines, mutations, ratios};
use chrono::{Duration, NaiveDate};
use std::sync::{Arc, OnceLock};

/// The data from which a server generates its responses.
#[derive(Debug)]
pub(super) struct Answers {
    pub world: Arc<World>,
    pub plan: Plan,
    /// The filings feed. It is cached because its order depends on all companies.
    feed: OnceLock<Vec<Filing>>,
}

/// A response, before HTTP headers are added and faults are applied.
pub(super) enum Answer {
    Json(String),
    Csv(Chunks),
    /// A rejection, with status and text. Its content type is `application/json` even for plain
    /// text, as at FMP.
    Refused(u16, String),
}

/// The decoded parameters of a request. If a name occurs several times, the first value applies.
#[derive(Debug, Default)]
pub(super) struct Query(pub Vec<(String, String)>);

impl Query {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }
    fn date(&self, name: &str) -> Option<NaiveDate> {
        self.get(name)?.parse().ok()
    }
    fn number(&self, name: &str) -> Option<usize> {
        self.get(name)?.parse().ok()
    }
}

fn missing(parameter: &str) -> Answer {
    Answer::Refused(400, plan::invalid(parameter))
}

fn needs_symbol(endpoint: &str) -> bool {
    endpoint.starts_with("historical-price-eod/")
        || matches!(
            endpoint,
            "historical-market-capitalization"
                | "profile"
                | "quote"
                | "ratios-ttm"
                | "key-metrics-ttm"
                | "shares-float"
                | "dividends"
                | "splits"
        )
        || statement_of(endpoint).is_some_and(|(_, form)| form != "-bulk")
}

/// The statement that an endpoint returns, and the suffix of the endpoint: empty, `-ttm` or
/// `-bulk`.
fn statement_of(endpoint: &str) -> Option<(Statement, &str)> {
    let all = [
        ("income-statement", Statement::Income),
        ("balance-sheet-statement", Statement::Balance),
        ("cash-flow-statement", Statement::Cash),
    ];
    all.into_iter()
        .find_map(|(name, statement)| Some((statement, endpoint.strip_prefix(name)?)))
}

impl Answers {
    pub(super) fn new(world: World, plan: Plan) -> Self {
        Answers { world: Arc::new(world), plan, feed: OnceLock::new() }
    }

    /// The response of an endpoint in [`plan::ENDPOINTS`].
    pub(super) fn answer(&self, endpoint: &str, query: &Query) -> Answer {
        if let Some(refused) = self.refusal(endpoint, query) {
            return refused;
        }
        if needs_symbol(endpoint) {
            let Some(symbol) = query.get("symbol") else {
                return missing("symbol");
            };
            return match self.world.company(symbol) {
                Some(company) => self.one_symbol(endpoint, &company, query),
                None => Answer::Json("[]".to_owned()),
            };
        }
        self.many_symbols(endpoint, query)
    }

    /// The rejection of a request that the plan does not include; `None` if the plan includes the
    /// request.
    fn refusal(&self, endpoint: &str, query: &Query) -> Option<Answer> {
        let refused = |text: String| Some(Answer::Refused(402, text));
        let needed = plan::ENDPOINTS.iter().find(|(name, _)| *name == endpoint).map(|(_, plan)| *plan);
        if needed.is_none_or(|needed| self.plan < needed) {
            return refused(plan::RESTRICTED.to_owned());
        }
        if self.plan == Plan::Free {
            let symbol = query.get("symbol").filter(|s| self.world.company(s).is_some());
            if symbol.is_some_and(|s| !self.world.universe().take(plan::FREE_SYMBOLS).any(|u| u == s)) {
                return refused(plan::special("symbol"));
            }
        }
        if matches!(statement_of(endpoint), Some((_, ""))) {
            if self.plan == Plan::Free && query.number("limit").is_some_and(|l| l > 5) {
                return refused(plan::LIMIT_OVER_FIVE.to_owned());
            }
            if self.plan < Plan::Premium
                && !matches!(Cadence::parse(query.get("period")), Some(Cadence::Annual))
            {
                return refused(plan::special("period"));
            }
        }
        None
    }

    /// Responds to requests for endpoints that take one symbol.
    fn one_symbol(&self, endpoint: &str, company: &Company, query: &Query) -> Answer {
        let world = &*self.world;
        let prices = |form| {
            Answer::Json(history::history(world, company, form, query.date("from"), query.date("to")).json())
        };
        match endpoint {
            "historical-price-eod/full" => prices(History::Full),
            "historical-price-eod/light" => prices(History::Light),
            "historical-price-eod/dividend-adjusted" => prices(History::Dividends),
            "historical-price-eod/non-split-adjusted" => prices(History::Traded),
            "historical-market-capitalization" => {
                let caps = history::market_caps(world, company, query.date("from"), query.date("to"));
                Answer::Json(caps.json())
            }
            "profile" => one_row(company, fields::PROFILE, |t, c| market::profile(t, world, c)),
            "quote" => one_row(company, fields::QUOTE, |t, c| market::quote(t, world, c)),
            "shares-float" => {
                one_row(company, fields::SHARES_FLOAT, |t, c| market::shares_float(t, world, c))
            }
            "splits" => one_row(company, fields::SPLITS, |t, c| market::splits(t, world, c)),
            "dividends" => one_row(company, fields::DIVIDENDS, |t, c| {
                market::dividends(t, world, c, &events::declared(world, c));
                t.truncate(query.number("limit").unwrap_or(usize::MAX));
            }),
            "ratios-ttm" => one_row(company, fields::RATIOS_TTM, |t, c| ratios::ratios_ttm(t, world, c)),
            "key-metrics-ttm" => {
                one_row(company, fields::KEY_METRICS_TTM, |t, c| ratios::key_metrics_ttm(t, world, c))
            }
            _ => match statement_of(endpoint) {
                Some((statement, form)) => self.statement(company, statement, form, query),
                None => Answer::Json("[]".to_owned()),
            },
        }
    }

    fn statement(&self, company: &Company, statement: Statement, form: &str, query: &Query) -> Answer {
        let Some(cadence) = Cadence::parse(query.get("period")) else {
            return missing("period");
        };
        let limit = query.number("limit").unwrap_or(5);
        let accounts = Accounts::new(&self.world, company);
        let reports = match form {
            "-ttm" => statements::trailing(&self.world, &accounts, limit),
            _ => statements::reports(&self.world, &accounts, cadence, limit),
        };
        let mut table = lines::table(statement);
        table.cells.reserve((reports.len() + 1) * table.fields.len());
        for report in &reports {
            lines::push(&mut table, &self.world, &accounts, report, statement);
        }
        mutations::statement(company.edge_case, &mut table);
        if form == "-ttm" && statement == Statement::Balance {
            table.drop_field("capitalLeaseObligationsNonCurrent");
        }
        Answer::Json(table.json())
    }

    /// Responds to requests for endpoints that take several symbols or cover all of them.
    fn many_symbols(&self, endpoint: &str, query: &Query) -> Answer {
        let world = &self.world;
        let page = query.number("page").unwrap_or(0);
        let days = |ahead: i64| {
            let back = if ahead > 0 { 7 } else { 30 };
            // Limits the range to eleven years, because a calendar scans all companies for every
            // requested year.
            let widest = (world.today - Duration::days(4_018), world.today + Duration::days(366));
            let from = query.date("from").unwrap_or(world.today - Duration::days(back));
            let to = query.date("to").unwrap_or(world.today + Duration::days(ahead));
            (from.clamp(widest.0, widest.1), to.clamp(widest.0, widest.1))
        };
        match endpoint {
            "batch-quote" => self.batch(query, fields::QUOTE, market::quote),
            "batch-quote-short" => self.batch(query, fields::QUOTE_SHORT, market::quote_short),
            "market-capitalization-batch" => self.batch(query, fields::MARKET_CAP, market::market_cap),
            "latest-financial-statements" | "earnings-calendar" if page > 100 => {
                Answer::Refused(400, plan::PAGE_CAP.to_owned())
            }
            "latest-financial-statements" => {
                let feed = self.feed.get_or_init(|| feeds::latest(world));
                Answer::Json(feeds::latest_page(feed, page, query.number("limit").unwrap_or(250).min(250)))
            }
            "earnings-calendar" => Answer::Json(feeds::earnings(world, days(30), page)),
            "dividends-calendar" => Answer::Json(feeds::dividends(world, days(30))),
            "splits-calendar" => Answer::Json(feeds::splits(world, days(0))),
            "shares-float-all" => Answer::Json(feeds::shares_float_all(
                world,
                page,
                query.number("limit").unwrap_or(1_000).min(5_000),
            )),
            "sp500-constituent" | "nasdaq-constituent" | "dowjones-constituent" => {
                let index = endpoint.split('-').next().unwrap_or_default();
                Answer::Json(indexes::constituents(world, index))
            }
            "historical-sp500-constituent"
            | "historical-nasdaq-constituent"
            | "historical-dowjones-constituent" => {
                let index = endpoint.split('-').nth(1).unwrap_or_default();
                Answer::Json(indexes::changes(world, index))
            }
            "stock-list" => Answer::Json(feeds::stock_list(world)),
            "symbol-change" => Answer::Json(feeds::symbol_change(world)),
            "delisted-companies" => Answer::Json(feeds::delisted(world, page)),
            _ => self.bulk(endpoint, query),
        }
    }

    fn bulk(&self, endpoint: &str, query: &Query) -> Answer {
        let world = || Arc::clone(&self.world);
        match (endpoint, statement_of(endpoint)) {
            ("profile-bulk", _) => {
                match query.number("part").and_then(|part| bulk_files::profile_bulk(world(), part)) {
                    Some(chunks) => Answer::Csv(chunks),
                    None => missing("part"),
                }
            }
            ("eod-bulk", _) => match query.date("date") {
                Some(day) => Answer::Csv(bulk_files::eod_bulk(world(), day)),
                None => missing("date"),
            },
            (_, Some((statement, _))) => {
                let Some(year) = query.get("year").and_then(|y| y.parse().ok()) else {
                    return missing("year");
                };
                match query.get("period").map(|p| Cadence::parse(Some(p))) {
                    Some(Some(cadence)) => {
                        Answer::Csv(bulk_files::statement_bulk(world(), statement, year, cadence))
                    }
                    _ => missing("period"),
                }
            }
            _ => Answer::Json("[]".to_owned()),
        }
    }

    /// The rows of the symbols in the parameter `symbols=A,B,...`. Unknown symbols have no rows.
    /// The rows of a repeated symbol are repeated.
    fn batch(
        &self,
        query: &Query,
        names: &'static [&'static str],
        push: for<'a> fn(&mut Table<'a>, &World, &'a Company),
    ) -> Answer {
        let Some(symbols) = query.get("symbols") else {
            return missing("symbols");
        };
        let mut out = String::from("[");
        for company in symbols.split(',').filter_map(|s| self.world.company(s.trim())) {
            let mut table = Table::new(names);
            push(&mut table, &self.world, &company);
            mutations::other(company.edge_case, &mut table);
            let json = table.json();
            if let Some(rows) = json.get(1..json.len() - 1).filter(|rows| !rows.is_empty()) {
                if out.len() > 1 {
                    out.push(',');
                }
                out.push_str(rows);
            }
        }
        out.push(']');
        Answer::Json(out)
    }
}

fn one_row(
    company: &Company,
    names: &'static [&'static str],
    push: impl for<'a> FnOnce(&mut Table<'a>, &'a Company),
) -> Answer {
    let mut table = Table::new(names);
    push(&mut table, company);
    mutations::other(company.edge_case, &mut table);
    Answer::Json(table.json())
}
