"""The script that a careful engineer would write: asyncio and aiohttp with 64 connections, retries, DuckDB.

usage: script.py --url URL --symbols FILE --home FOLDER --today DATE --days N
"""
import asyncio
import contextlib
import tempfile
from pathlib import Path

import aiohttp
import orjson

import peer
import warehouse
from api import TABLES, parameters, rows

CONNECTIONS = 64
ATTEMPTS = 5
RETRIED = {429, 500, 502, 503, 504}


async def fetch(session, table, symbol, options, counts):
    """The rows of one call, after up to five attempts."""
    for attempt in range(ATTEMPTS):
        if attempt:
            await asyncio.sleep(2**attempt / 4)
        counts["calls"] += 1
        query = parameters(table, symbol, options.today, options.days)
        try:
            async with session.get(f"{options.url}/{TABLES[table][0]}", params=query) as response:
                if response.status not in RETRIED:
                    response.raise_for_status()
                    return rows(table, symbol, await response.read())
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError, ValueError):
            pass
    counts["failed"] += 1
    return []


async def fetch_all(options, folder):
    """Writes the rows of all calls to one NDJSON file per table."""
    counts = {"calls": 0, "failed": 0}
    calls = ((table, symbol) for symbol in options.symbols for table in TABLES)
    client = {
        "connector": aiohttp.TCPConnector(limit=CONNECTIONS),
        "timeout": aiohttp.ClientTimeout(total=30),
        "headers": {"apikey": options.key},
    }
    with contextlib.ExitStack() as stack:
        files = {table: stack.enter_context(open(folder / f"{table}.ndjson", "wb")) for table in TABLES}
        async with aiohttp.ClientSession(**client) as session:

            async def work():
                for table, symbol in calls:
                    for row in await fetch(session, table, symbol, options, counts):
                        files[table].write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

            await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    return counts


def main():
    options = peer.options(__doc__)
    with tempfile.TemporaryDirectory(dir=options.home) as folder:
        counts = asyncio.run(fetch_all(options, Path(folder)))
        warehouse.load(str(options.file), Path(folder))
    peer.finish(counts)


if __name__ == "__main__":
    main()
