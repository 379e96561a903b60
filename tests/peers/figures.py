"""Counts the figures of a run, and compares those of a peer with findata's, value by value."""
import duckdb

# Tables of figures: name, day, and which rows the peers have too.
FINDATA = (
    ("fact_financials_ttm", "fiscal_date", "true"),
    ("fact_financial_ratios", "fiscal_date", "basis = 'TTM'"),
    ("fact_growth_rates", "fiscal_date", "basis = 'TTM'"),
    ("fact_market_metrics", "metric_date", "true"),
)
PEER = {"fiscal_date": "market.ratios", "metric_date": "market.valuation"}
# The largest relative difference of equal figures.
TOLERANCE = 1e-9
# Differences that are counted, but are not errors. NOCAP has no market cap in its profile; findata asks shares-float,
# which the peers do not call. The peers add up the dividends of 365 days, which may contain a fifth quarterly payment;
# findata counts a regular payment until later ones cover twelve months.
SET_ASIDE_COMPANIES = ("NOCAP",)
SET_ASIDE_FIGURES = ("dividend_yield",)


def attach(db, name, home):
    files = [home / "findata.duckdb", home / "peer.duckdb"]
    file = next(file for file in files if file.exists())
    db.execute(f"attach '{file}' as {name} (read_only)")


def numbers(db, table):
    """The columns of a table that hold figures."""
    described = db.execute(f"describe {table}").fetchall()
    return [column for column, kind, *_ in described if kind in ("DOUBLE", "DECIMAL(38,6)")]


def count(home):
    """The number of figures that are not NULL."""
    with duckdb.connect() as db:
        attach(db, "run", home)
        if (home / "findata.duckdb").exists():
            # The sums of twelve months are inputs, of which findata keeps all.
            tables = [f"run.analytics.{table}" for table, *_ in FINDATA if table != "fact_financials_ttm"]
        else:
            tables = [f"run.{table}" for table in PEER.values()]
        total = 0
        for table in tables:
            values = " + ".join(f'count("{column}")' for column in numbers(db, table))
            total += db.execute(f"select {values} from {table}").fetchone()[0]
    return total


def compare(findata_home, peer_home):
    """How many figures of the same name, company and day are equal, and which differ."""
    result = {"equal": 0, "only_findata": 0, "only_peer": 0, "set_aside": 0, "differing": []}
    with duckdb.connect() as db:
        attach(db, "ours", findata_home)
        attach(db, "peer", peer_home)
        for table, day, condition in FINDATA:
            ours, peer = f"ours.analytics.{table}", f"peer.{PEER[day]}"
            shared = [column for column in numbers(db, peer) if column in numbers(db, ours)]
            values = ", ".join(f'o."{column}"::double, p."{column}"' for column in shared)
            query = (
                f"select p.symbol, p.date, {values} from (select * from {ours} where {condition}) as o "
                f"join {peer} as p on p.symbol = o.symbol and p.date = o.{day} order by all"
            )
            for symbol, date, *pairs in db.execute(query).fetchall():
                for column, a, b in zip(shared, pairs[::2], pairs[1::2]):
                    add(result, symbol, date, column, a, b)
    return result


def add(result, symbol, date, column, ours, peer):
    if ours is None or peer is None:
        if ours is not None:
            result["only_findata"] += 1
        elif peer is not None:
            result["only_peer"] += 1
    elif abs(ours - peer) <= TOLERANCE * max(abs(ours), abs(peer)):
        result["equal"] += 1
    elif symbol in SET_ASIDE_COMPANIES or column in SET_ASIDE_FIGURES:
        result["set_aside"] += 1
    else:
        result["differing"].append(f"{column} of {symbol} on {date}: findata {ours}, peer {peer}")


def agree(result):
    """Whether the runs agree: nothing differs without a known reason, at most 0.5 % differ for one, and the peer has
    nearly all of findata's figures of these names."""
    few = result["set_aside"] < 0.005 * result["equal"] and result["only_findata"] < 0.05 * result["equal"]
    return few and not result["differing"]
