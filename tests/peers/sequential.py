"""The job as many users run it: one call after the other, with requests and a new connection for each call.

usage: sequential.py --url URL --symbols FILE --home FOLDER --today DATE --days N
"""
import tempfile
import time
from pathlib import Path

import orjson
import requests

import peer
import warehouse
from api import TABLES, parameters, rows

ATTEMPTS = 5


def fetch(table, symbol, options, counts):
    """The rows of one call, after up to five attempts."""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(2**attempt / 4)
        counts["calls"] += 1
        query = parameters(table, symbol, options.today, options.days)
        try:
            response = requests.get(
                f"{options.url}/{TABLES[table][0]}", params=query, headers={"apikey": options.key}, timeout=30
            )
            response.raise_for_status()
            return rows(table, symbol, response.content)
        except (requests.RequestException, ValueError):
            pass
    counts["failed"] += 1
    return []


def main():
    options = peer.options(__doc__)
    counts = {"calls": 0, "failed": 0}
    with tempfile.TemporaryDirectory(dir=options.home) as folder:
        for table in TABLES:
            with open(Path(folder, f"{table}.ndjson"), "wb") as file:
                for symbol in options.symbols:
                    for row in fetch(table, symbol, options, counts):
                        file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        warehouse.load(str(options.file), Path(folder))
    peer.finish(counts)


if __name__ == "__main__":
    main()
