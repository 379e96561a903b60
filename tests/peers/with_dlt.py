"""The same load with dlt: its HTTP client with retries, its thread pool, typed columns, keys; the figures in SQL.

usage: with_dlt.py --url URL --symbols FILE --home FOLDER --today DATE --days N
"""
import threading

import dlt
import duckdb
from dlt.sources.helpers.requests import Client

import peer
import warehouse
from api import TABLES, parameters, rows, snake

CONNECTIONS = 64
TYPES = {
    "VARCHAR": {"data_type": "text"},
    "DOUBLE": {"data_type": "double"},
    "BIGINT": {"data_type": "bigint"},
    "BOOLEAN": {"data_type": "bool"},
    "DATE": {"data_type": "date"},
    "TIMESTAMP": {"data_type": "timestamp", "timezone": False},
}


class Calls:
    """Calls to FMP from several threads."""

    def __init__(self, options):
        self.options = options
        self.client = Client(max_connections=CONNECTIONS, session_attrs={"headers": {"apikey": options.key}})
        self.count = 0
        self.lock = threading.Lock()

    @dlt.defer
    def fetch(self, table, symbol):
        """The rows of one call, in a thread of dlt's pool."""
        with self.lock:
            self.count += 1
        query = parameters(table, symbol, self.options.today, self.options.days)
        response = self.client.get(f"{self.options.url}/{TABLES[table][0]}", params=query)
        return rows(table, symbol, response.content)


def resource(calls, table, key, columns):
    def pages():
        for symbol in calls.options.symbols:
            yield calls.fetch(table, symbol)

    return dlt.resource(
        pages, name=table, primary_key=key, write_disposition="merge",
        columns={snake(name): dict(TYPES[kind]) for name, kind in columns.items()}, max_table_nesting=0,
    )


@dlt.source
def market(calls):
    return [resource(calls, table, key, columns) for table, (_, key, columns) in TABLES.items()]


def configure():
    """What dlt's guide on performance advises: one thread per connection, and files that are not compressed."""
    dlt.config["extract.workers"] = CONNECTIONS
    dlt.config["extract.max_parallel_items"] = 2 * CONNECTIONS
    dlt.config["data_writer.disable_compression"] = True
    dlt.config["runtime.dlthub_telemetry"] = False


def main():
    options = peer.options(__doc__)
    configure()
    calls = Calls(options)
    pipeline = dlt.pipeline(
        "market", pipelines_dir=str(options.home / "dlt"), dataset_name="market",
        destination=dlt.destinations.duckdb(str(options.file)),
    )
    # Of the formats that dlt writes without more packages, DuckDB reads this one fastest.
    pipeline.run(market(calls), loader_file_format="jsonl")
    with duckdb.connect(str(options.file)) as db:
        db.execute("use market")
        # dlt creates no table for a resource without rows.
        warehouse.create_tables(db)
        warehouse.figures(db)
    peer.finish({"calls": calls.count, "failed": 0})


if __name__ == "__main__":
    main()
