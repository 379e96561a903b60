"""Prints size, start time and memory of the functions. Fails if a size or the memory exceeds its
limit; times depend on the machine and are only reported.

usage: measure.py --functions FOLDER --findata BINARY [--starts 30]
FOLDER contains findata-NAME/bootstrap.zip as built by cargo lambda; BINARY is the findata command,
which provides fmp-server.
  zip      size of the zip file
  start    from process start to the first poll of the Runtime API, median and minimum
  memory   peak memory (VmHWM) of extract for a batch of 50 symbols on the local AWS
"""
import argparse, json, os, re, shutil, socket, statistics, subprocess, sys, tempfile, time, zipfile
from pathlib import Path
from deploy import client, deploy

HERE = Path(__file__).resolve().parent
# The maximum size of each zip file in MB (a million bytes).
MAX_ZIP_MB = {"fanout": 5, "extract": 5, "load": 6, "analytics": 7, "stream": 5}
FUNCTIONS = tuple(MAX_ZIP_MB)
# The maximum memory of extract in MiB.
MAX_EXTRACT_MIB = 48


def start_seconds(bootstrap):
    """Seconds from process start to the first poll."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        environment = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.getsockname()[1]}",
            "AWS_LAMBDA_FUNCTION_NAME": "f",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_REGION": "us-east-1",
            "PATH": os.environ["PATH"],
        }
        started = time.perf_counter()
        process = subprocess.Popen(
            [bootstrap], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            server.settimeout(10)
            connection, _ = server.accept()
            with connection:
                request = connection.recv(4096)
                seconds = time.perf_counter() - started
                assert b"/invocation/next" in request, request
                return seconds
        finally:
            process.kill()
            process.wait()


def peak_memory(function):
    """The largest VmHWM in MiB of a function's running processes."""
    peak = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            environment = (status.parent / "environ").read_bytes()
            if f"AWS_LAMBDA_FUNCTION_NAME=findata-{function}".encode() in environment.split(b"\0"):
                peak = max(peak, int(re.search(r"VmHWM:\s*(\d+)", status.read_text())[1]))
        except (OSError, TypeError):
            pass
    return peak / 1024


def extract_memory(folder, findata):
    """Peak memory of extract in MiB for a batch of 50 symbols."""
    aws = subprocess.Popen(
        [sys.executable, HERE / "local_aws.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    server = subprocess.Popen(
        [findata, "fmp-server", "--port", "0", "--symbols", "60"], stdout=subprocess.PIPE, text=True
    )
    try:
        url = json.loads(aws.stdout.readline())["url"]
        fmp = re.search(r"http://127\.0\.0\.1:\d+/stable", server.stdout.readline())[0]
        with tempfile.TemporaryDirectory() as secrets:
            key = Path(secrets, "key")
            key.write_text("key")
            zips = {name.capitalize(): folder / f"findata-{name}/bootstrap.zip" for name in FUNCTIONS}
            parameters = {
                "SnowflakeAccount": "org-account",
                "FmpUrl": fmp,
                "FmpPlan": "unlimited",
            }
            outputs = deploy(url, "findata", zips, {"FmpSecretArn": key, "SnowflakeSecretArn": key}, parameters)
        constituents = subprocess.run(["curl", "-s", "-H", "apikey: key", f"{fmp}/sp500-constituent"],
                                      capture_output=True, check=True).stdout
        symbols = [row["symbol"] for row in json.loads(constituents)][:50]
        payload = json.dumps({"symbols": symbols})
        response = client(url, "lambda").invoke(FunctionName="findata-fanout", Payload=payload)
        run = json.loads(response["Payload"].read())["run_id"]
        deadline = time.monotonic() + 300
        while True:
            keys = client(url, "s3").list_objects_v2(Bucket=outputs["BucketName"], Prefix=f"home/runs/{run}/")
            if any(o["Key"].endswith("/staged.json") for o in keys.get("Contents", [])):
                return peak_memory("extract")
            assert time.monotonic() < deadline, "timed out waiting for the batch"
            time.sleep(0.1)
    finally:
        server.terminate()
        server.wait()
        aws.stdin.close()
        aws.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--functions", type=Path, required=True)
    parser.add_argument("--findata", type=Path, required=True)
    parser.add_argument("--starts", type=int, default=30)
    args = parser.parse_args()
    exceeded = []
    for name in FUNCTIONS:
        package = args.functions / f"findata-{name}/bootstrap.zip"
        folder = Path(tempfile.mkdtemp())
        try:
            with zipfile.ZipFile(package) as file:
                file.extract("bootstrap", folder)
            (folder / "bootstrap").chmod(0o755)
            starts = [start_seconds(folder / "bootstrap") * 1e3 for _ in range(args.starts)]
        finally:
            shutil.rmtree(folder)
        size = package.stat().st_size / 1e6
        print(
            f"{name:10} zip {size:5.2f} MB   start {statistics.median(starts):5.1f} ms median, {min(starts):5.1f} min"
        )
        if size > MAX_ZIP_MB[name]:
            exceeded.append(f"the zip of {name} exceeds {MAX_ZIP_MB[name]} MB")
    memory = extract_memory(args.functions, args.findata)
    print(f"extract    {memory:.0f} MiB for 50 symbols")
    if memory > MAX_EXTRACT_MIB:
        exceeded.append(f"extract uses more than {MAX_EXTRACT_MIB} MiB")
    if exceeded:
        sys.exit("; ".join(exceeded))


if __name__ == "__main__":
    main()
