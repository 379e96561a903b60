"""Tests of the peers against the synthetic FMP. FINDATA names the findata command."""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import duckdb

import api
import compare
import figures

HERE = Path(__file__).resolve().parent
FINDATA = os.environ["FINDATA"]


def comparison(*options, **variables):
    """The exit code and the report of a small comparison."""
    command = [sys.executable, HERE / "compare.py", "--findata", FINDATA, "--latency", "0", "--jitter", "0"]
    ended = subprocess.run(
        [*command, "--repeat", "1", "--json", *options], capture_output=True, text=True, env=os.environ | variables
    )
    return ended.returncode, json.loads(ended.stdout or "null"), ended.stderr


class Comparison(unittest.TestCase):
    def test_all_tools_load_the_same_and_leave_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            code, report, errors = comparison("--symbols", "3", "--sequential", "2", TMPDIR=folder)
            self.assertEqual(os.listdir(folder), [])
        self.assertEqual(code, 0, errors)
        calls = {tool: result["calls"] for tool, result in report["tools"].items()}
        self.assertEqual(calls, {"findata": 35, "script": 27, "dlt": 27, "sequential": 18})
        for tool in ("script", "dlt", "sequential"):
            symbols = report["tools"][tool]["symbols"]
            self.assertEqual(report["checked"][tool]["differing"], [])
            # 42 ratios and market figures, and three sums of twelve months.
            self.assertGreater(report["checked"][tool]["equal"], 300 * symbols)
        for result in report["tools"].values():
            self.assertTrue(result["cpu_seconds"] > 0 and result["peak_bytes"] > 10e6 and result["figures"] > 0)

    def test_a_signal_stops_the_server_and_deletes_the_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, HERE / "compare.py", "--findata", FINDATA, "--symbols", "3", "--sequential", "3"]
            process = subprocess.Popen(
                [*command, "--tools", "sequential"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                env=os.environ | {"TMPDIR": folder},
            )
            # The first run has ended, so the next one is under way or begins.
            self.assertTrue(process.stderr.readline().startswith("findata: "))
            process.terminate()
            output, errors = process.communicate()
            self.assertEqual((process.returncode, output, errors), (143, "", ""))
            self.assertEqual(os.listdir(folder), [])

    def test_a_wrong_binary_is_an_error(self):
        code, report, errors = comparison("--findata", "/bin/false", "--symbols", "1")
        self.assertEqual((code, report), (1, None))
        self.assertIn("fmp-server did not start", errors)


class Peers(unittest.TestCase):
    def run_peer(self, script, fault):
        """Runs a peer for two symbols against a server with a fault; returns its exit code and its counts."""
        command = [FINDATA, "fmp-server", "--today", compare.TODAY, "--symbols", "2", "--fault", fault]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        with tempfile.TemporaryDirectory() as home:
            symbols = Path(home, "symbols.txt")
            symbols.write_text("AAPL\nMSFT")
            options = ["--url", server.stdout.readline().strip(), "--symbols", symbols, "--today", compare.TODAY]
            ended = subprocess.run(
                [sys.executable, HERE / script, *options, "--home", home],
                capture_output=True, text=True, env=compare.environment({"FMP_API_KEY": "k", "HOME": home}),
            )
            return ended.returncode, ended.stdout

    def test_a_failed_call_is_repeated(self):
        for script in ("script.py", "sequential.py"):
            code, counts = self.run_peer(script, "server-error=x1,profile")
            self.assertEqual((code, json.loads(counts)), (0, {"calls": 20, "failed": 0}), script)
        code, _ = self.run_peer("with_dlt.py", "server-error=x1,profile")
        self.assertEqual(code, 0)

    def test_a_refused_key_ends_the_run(self):
        for script in ("script.py", "with_dlt.py"):
            code, _ = self.run_peer(script, "unauthorized")
            self.assertEqual(code, 1, script)


class Rows(unittest.TestCase):
    def test_rows_of_others_without_day_or_with_impossible_prices_are_left_out(self):
        bar = {"symbol": "A", "date": "2026-09-17", "low": 1, "high": 2, "close": 1.5}
        bad = [{"symbol": "B"}, {"date": "soon"}, {"date": None}, {"low": 3}, {"close": 0}, {"close": "1"}]
        body = json.dumps([bar, *({**bar, **change} for change in bad)])
        self.assertEqual(api.rows("prices", "A", body), [bar])

    def test_an_answer_that_is_not_a_list_is_an_error(self):
        for body in ('{"Error Message": "Limit Reach"}', "<html>", ""):
            with self.assertRaises(ValueError):
                api.rows("prices", "A", body)

    def test_columns_have_the_names_that_dlt_gives_them(self):
        from dlt.common.normalizers.naming.snake_case import NamingConvention

        for _, _, columns in api.TABLES.values():
            for name in columns:
                self.assertEqual(api.snake(name), NamingConvention().normalize_identifier(name))


class Figures(unittest.TestCase):
    def test_there_are_42_figures_and_three_sums(self):
        with duckdb.connect() as db:
            compare_with = self.empty_peer(db)
        self.assertEqual(len(compare_with) - 3, 42)

    def empty_peer(self, db):
        import warehouse

        warehouse.create_tables(db)
        warehouse.figures(db)
        return figures.numbers(db, "ratios") + figures.numbers(db, "valuation")

    def test_values_agree_within_the_tolerance(self):
        none = {"equal": 0, "only_findata": 0, "only_peer": 0, "set_aside": 0, "differing": []}
        result = none | {"differing": []}
        for ours, peer in ((100.0, 100.0 + 1e-8), (None, None), (1.0, None), (None, 1.0), (0.0, 0.0)):
            figures.add(result, "A", "2026-09-17", "roe", ours, peer)
        self.assertEqual(result, none | {"equal": 2, "only_findata": 1, "only_peer": 1})
        self.assertFalse(figures.agree(result))
        self.assertTrue(figures.agree({**result, "equal": 100}))
        figures.add(result, "A", "2026-09-17", "roe", 1.0, 1.000001)
        self.assertEqual(len(result["differing"]), 1)
        self.assertFalse(figures.agree({**result, "equal": 100}))

    def test_known_differences_are_counted_and_must_be_rare(self):
        result = {"equal": 998, "only_findata": 0, "only_peer": 0, "set_aside": 0, "differing": []}
        for symbol, figure in (("NOCAP", "market_cap"), ("A", "dividend_yield")):
            figures.add(result, symbol, "2026-09-17", figure, 1.0, 2.0)
        self.assertEqual((result["set_aside"], result["differing"]), (2, []))
        self.assertTrue(figures.agree(result))
        self.assertFalse(figures.agree({**result, "equal": 300}))


if __name__ == "__main__":
    unittest.main()
