-- grain: company_key x ex_date x dividend_type; payments of one type on the same day are added. Future ex-dates are
-- announced dividends. Dividends have no versions
create table if not exists analytics.fact_dividends (
    company_key varchar,
    symbol varchar,
    ex_date date, -- first day on which a buyer does not receive the dividend
    ex_date_key bigint, -- ex-date as yyyymmdd
    dividend_type varchar, -- regular (has a cycle), special (FMP names another kind, or irregular) or unknown
    frequency varchar, -- monthly, quarterly, semi-annual or annual; NULL if not regular
    is_frequency_inferred boolean, -- whether FMP sent no frequency, so that it follows from the distance of payments
    payments bigint, -- number of payments that were added, usually 1
    dividend decimal(18, 6), -- money a share; dividend as paid, per share of the ex-date
    adjusted_dividend double, -- money a share; dividend per share on the newest split basis
    payment_yield double, -- ratio; adjusted_dividend over the close before the ex-date: one payment, not a year
    declaration_date date, -- day of the announcement
    record_date date, -- day on which the receivers are determined
    payment_date date, -- day of the payment
    run_id varchar,
    computed_at timestamp
)
