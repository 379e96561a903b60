"""Measures findata, a Python script and dlt on the same load, from the same synthetic FMP, in alternating runs.

usage: compare.py --findata BINARY [--symbols 505] [--repeat 3] [--json]
`./dev peers` builds findata, prepares the environment and runs this.

  findata     findata run
  script      asyncio and aiohttp with 64 connections (script.py)
  dlt         dlt with 64 threads (with_dlt.py)
  sequential  one call after the other, for few symbols (sequential.py); its time for all symbols is extrapolated

Wall is the time from start to end of the process, CPU that of the process and its children, peak its largest resident
memory, all as the kernel counts them. The server is another process and counts for none. Every run starts with an
empty folder. At the end, the figures of the last runs are compared with findata's; the exit code is 1 if they
differ.
"""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
TODAY = "2026-09-17"
SCRIPTS = {"script": "script.py", "dlt": "with_dlt.py", "sequential": "sequential.py"}
# Variables that the processes inherit. A proxy, for one, would send the calls elsewhere.
INHERITED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
# ru_maxrss counts kilobytes on Linux and bytes on macOS.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def say(text):
    print(text, file=sys.stderr, flush=True)


class Server:
    """findata fmp-server on a free port of 127.0.0.1."""

    def __init__(self, options):
        command = [
            options.server or options.findata, "fmp-server", "--today", TODAY, "--symbols", str(options.symbols),
            "--latency", str(options.latency), "--jitter", str(options.jitter),
        ]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment({})
        )
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            sys.exit(f"{command[0]} fmp-server did not start: {self.process.communicate()[1]}")

    def symbols(self):
        request = urllib.request.Request(f"{self.url}/stock-list", headers={"apikey": "peers"})
        # Without the proxies of the environment.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return [row["symbol"] for row in json.load(answer)]

    def close(self):
        self.process.terminate()
        self.process.communicate()


def environment(variables):
    return {name: os.environ[name] for name in INHERITED if name in os.environ} | variables


class Bench:
    """A temporary folder with the lists of symbols and a folder for each tool's last run."""

    def __init__(self, options, server, folder):
        self.options, self.server, self.folder = options, server, folder
        self.lists = {}
        symbols = server.symbols()
        for tool in options.tools:
            listed = symbols[: options.sequential] if tool == "sequential" else symbols
            self.lists[tool] = folder / f"{tool}.txt"
            self.lists[tool].write_text("\n".join(listed))

    def home(self, tool):
        return self.folder / tool

    def command(self, tool):
        url, home, symbols, days = self.server.url, self.home(tool), self.lists[tool], str(self.options.days)
        if tool == "findata":
            return [
                self.options.findata, "run", "--json", "--home", home, "--fmp-url", url, "--fmp-plan", "unlimited",
                "--today", TODAY, "--universe", symbols, "--days", days, "--quarters", "8",
            ]
        return [
            sys.executable, HERE / SCRIPTS[tool], "--url", url, "--symbols", symbols, "--home", home, "--today", TODAY,
            "--days", days,
        ]

    def run(self, tool):
        """One run in an empty folder."""
        home = self.home(tool)
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        variables = environment({
            "FMP_API_KEY": "peers", "HOME": str(home), "TMPDIR": str(home), "PYTHONDONTWRITEBYTECODE": "1",
        })
        log = self.folder / f"{tool}.log"
        with open(log, "wb") as errors, open(self.folder / f"{tool}.out", "w+b") as output:
            started = time.monotonic()
            process = subprocess.Popen(self.command(tool), stdout=output, stderr=errors, env=variables, cwd=home)
            try:
                _, status, used = os.wait4(process.pid, 0)
            except BaseException:
                process.kill()
                process.wait()
                raise
            wall = time.monotonic() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            text = output.read().decode()
        if process.returncode:
            sys.exit(f"{tool} ended with {process.returncode}:\n{log.read_text()[-3000:]}")
        result = {
            "wall_seconds": round(wall, 3), "cpu_seconds": round(used.ru_utime + used.ru_stime, 3),
            "peak_bytes": used.ru_maxrss * RSS_UNIT, "calls": json.loads(text.splitlines()[-1])["calls"],
        }
        say(f"{tool}: {describe(result)}")
        return result


def describe(result):
    return (
        f"{result['wall_seconds']:.2f} s wall, {result['cpu_seconds']:.2f} s CPU, {result['peak_bytes'] / 1e6:.0f} MB, "
        f"{result['calls']} calls"
    )


def medians(runs):
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def measure(options, server, folder):
    bench = Bench(options, server, folder)
    machine = {"processors": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1)}
    runs = {tool: [] for tool in options.tools}
    for _ in range(options.repeat):
        for tool in options.tools:
            runs[tool].append(bench.run(tool))
    tools = {tool: medians(of_tool) for tool, of_tool in runs.items()}
    # Imported after the runs: a process counts the memory of the one that started it until it begins its own program.
    import figures

    checked = {}
    for tool in options.tools:
        tools[tool]["figures"] = figures.count(bench.home(tool))
        tools[tool]["symbols"] = len(bench.lists[tool].read_text().split())
        if tool != "findata":
            checked[tool] = figures.compare(bench.home("findata"), bench.home(tool))
            checked[tool]["agrees"] = figures.agree(checked[tool])
    if "sequential" in tools:
        few = tools["sequential"]
        few["extrapolated_wall_seconds"] = round(few["wall_seconds"] * options.symbols / few["symbols"], 1)
    return {
        "machine": machine,
        "settings": {name: getattr(options, name) for name in ("symbols", "days", "latency", "jitter", "repeat")},
        "tools": tools, "runs": runs, "checked": checked,
    }


def table(report):
    settings, tools = report["settings"], report["tools"]
    load = "{symbols} symbols, answers after {latency} ± {jitter} ms, {days} days of prices, medians of {repeat}"
    print(load.format(**settings))
    print(f"{'':11}{'symbols':>8}{'wall':>9}{'CPU':>9}{'peak':>9}{'calls':>7}{'figures':>10}")
    for tool, result in tools.items():
        print(
            f"{tool:11}{result['symbols']:>8}{result['wall_seconds']:>7.2f} s{result['cpu_seconds']:>7.2f} s"
            f"{result['peak_bytes'] / 1e6:>6.0f} MB{result['calls']:>7.0f}{result['figures']:>10,}"
        )
    for tool, result in tools.items():
        if tool == "sequential" and result["symbols"] < settings["symbols"]:
            seconds = result["extrapolated_wall_seconds"]
            print(f"sequential, extrapolated to {settings['symbols']} symbols: {seconds:,.0f} s wall")
        elif tool not in ("findata", "sequential"):
            ours = tools["findata"]
            ratios = [f"{result[name] / ours[name]:.2f}" for name in ("wall_seconds", "cpu_seconds", "peak_bytes")]
            print(f"{tool} / findata: wall {ratios[0]}, CPU {ratios[1]}, peak {ratios[2]}")
    for tool, check in report["checked"].items():
        print(
            f"{tool}: {check['equal']:,} figures equal findata's, {len(check['differing'])} differ, and "
            f"{check['set_aside']} for a known reason; only the peer has {check['only_peer']:,}, only findata "
            f"{check['only_findata']:,} of these names"
        )
        for difference in check["differing"][:10]:
            print(f"  {difference}")
    load, processors = report["machine"]["load_before"], report["machine"]["processors"]
    if load > processors:
        print(f"Others use this machine too (load {load} on {processors} processors): compare CPU rather than wall.")


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--findata", required=True, help="the command to measure, from a release build")
    parser.add_argument("--server", help="the findata that serves the synthetic FMP, if not the measured one")
    parser.add_argument("--symbols", type=int, default=505)
    parser.add_argument("--days", type=int, default=30, help="calendar days of prices")
    parser.add_argument("--latency", type=int, default=120, help="mean delay of an answer in milliseconds")
    parser.add_argument("--jitter", type=int, default=40, help="the delay varies by up to this many milliseconds")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--sequential", type=int, default=5, help="symbols of the sequential job; 0 leaves it out")
    parser.add_argument("--tools", type=lambda text: text.split(","), default=["findata", *SCRIPTS],
                        help="which of findata,script,dlt,sequential; findata is always among them")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    parsed = parser.parse_args()
    unknown = set(parsed.tools) - {"findata", *SCRIPTS}
    if unknown:
        parser.error(f"unknown tool {', '.join(sorted(unknown))}; use findata, {', '.join(SCRIPTS)}")
    parsed.sequential = min(parsed.sequential, parsed.symbols)
    parsed.tools = [tool for tool in ("findata", *SCRIPTS) if tool == "findata" or tool in parsed.tools]
    if not parsed.sequential and "sequential" in parsed.tools:
        parsed.tools.remove("sequential")
    return parsed


def main():
    parsed = options()
    # Ends with the finally blocks, so that the server is stopped and the folder deleted.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    server = Server(parsed)
    try:
        with tempfile.TemporaryDirectory(prefix="findata-peers-") as folder:
            report = measure(parsed, server, Path(folder))
    finally:
        server.close()
    if parsed.json:
        print(json.dumps(report, indent=2))
    else:
        table(report)
    sys.exit(1 if not all(check["agrees"] for check in report["checked"].values()) else 0)


if __name__ == "__main__":
    main()
