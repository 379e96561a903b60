"""The options and the result of a peer."""
import argparse
import json
import os
import sys
from pathlib import Path


def options(usage):
    parser = argparse.ArgumentParser(description=usage, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--symbols", type=Path, required=True)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--today", required=True)
    parser.add_argument("--days", type=int, default=30)
    parsed = parser.parse_args()
    parsed.symbols = parsed.symbols.read_text().split()
    parsed.key = os.environ["FMP_API_KEY"]
    parsed.file = parsed.home / "peer.duckdb"
    return parsed


def finish(counts):
    """Prints the numbers of calls and failed calls, and ends with 1 if one failed."""
    print(json.dumps(counts))
    sys.exit(1 if counts["failed"] else 0)
