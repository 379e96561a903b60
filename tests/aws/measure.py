"""Sizes, starts and memory of the functions, as a table. Fails where a size or the memory is over its limit; times depend on the
machine and are only told.

usage: measure.py --functions FOLDER --findata BINARY [--starts 30]
FOLDER has findata-NAME/bootstrap.zip as cargo lambda builds them; BINARY is the command, for its fmp-server.
  zip      its size
  start    from the start of the process to its first poll of the Runtime API, median and least
  memory   the most that extract took (VmHWM) for a batch of 50 symbols on the local AWS
"""
import argparse, json, os, re, shutil, socket, statistics, subprocess, sys, tempfile, time, zipfile
from pathlib import Path
from deploy import client, deploy

HERE = Path(__file__).resolve().parent
# The most that the zip of each may have, in MB of a million bytes.
LIMITS = {"fanout": 5, "extract": 5, "load": 9, "analytics": 9}
FUNCTIONS = tuple(LIMITS)
# The most that extract may take, in MiB.
MEMORY = 48


def start_of(bootstrap):
    """Seconds until it asks for its first event."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        environment = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.getsockname()[1]}", "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "AWS_REGION": "us-east-1", "PATH": os.environ["PATH"],
        }
        begun = time.perf_counter()
        process = subprocess.Popen([bootstrap], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            server.settimeout(10)
            connection, _ = server.accept()
            with connection:
                asked = connection.recv(4096)
                took = time.perf_counter() - begun
                assert b"/invocation/next" in asked, asked
                return took
        finally:
            process.kill()
            process.wait()


def memory_of(function):
    """VmHWM in MiB of a function's processes that are alive."""
    most = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            environment = (status.parent / "environ").read_bytes()
            if f"AWS_LAMBDA_FUNCTION_NAME=findata-{function}".encode() in environment.split(b"\0"):
                most = max(most, int(re.search(r"VmHWM:\s*(\d+)", status.read_text())[1]))
        except (OSError, TypeError):
            pass
    return most / 1024


def memory_of_a_batch(folder, findata):
    aws = subprocess.Popen([sys.executable, HERE / "local_aws.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    server = subprocess.Popen([findata, "fmp-server", "--port", "0", "--symbols", "60"], stdout=subprocess.PIPE, text=True)
    try:
        url = json.loads(aws.stdout.readline())["url"]
        fmp = re.search(r"http://127\.0\.0\.1:\d+/stable", server.stdout.readline())[0]
        with tempfile.TemporaryDirectory() as secrets:
            key = Path(secrets, "key")
            key.write_text("key")
            zips = {name.capitalize(): folder / f"findata-{name}/bootstrap.zip" for name in FUNCTIONS}
            stack = deploy(url, "findata", zips, {"FmpSecretArn": key, "SnowflakeSecretArn": key},
                           {"SnowflakeAccount": "org-account", "Architecture": "x86_64", "FmpUrl": fmp, "FmpPlan": "unlimited"})
        listed = subprocess.run(["curl", "-s", "-H", "apikey: key", f"{fmp}/sp500-constituent"], capture_output=True, check=True).stdout
        symbols = [row["symbol"] for row in json.loads(listed)][:50]
        payload = json.dumps({"symbols": symbols})
        run = json.loads(client(url, "lambda").invoke(FunctionName="findata-fanout", Payload=payload)["Payload"].read())["run_id"]
        ends = time.monotonic() + 300
        while True:
            keys = client(url, "s3").list_objects_v2(Bucket=stack["BucketName"], Prefix=f"home/runs/{run}/")
            if any(o["Key"].endswith("/staged.json") for o in keys.get("Contents", [])):
                return memory_of("extract")
            assert time.monotonic() < ends, "the batch does not end"
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
    asked = parser.parse_args()
    over = []
    for name in FUNCTIONS:
        packed = asked.functions / f"findata-{name}/bootstrap.zip"
        folder = Path(tempfile.mkdtemp())
        try:
            with zipfile.ZipFile(packed) as file:
                file.extract("bootstrap", folder)
            (folder / "bootstrap").chmod(0o755)
            starts = [start_of(folder / "bootstrap") * 1e3 for _ in range(asked.starts)]
        finally:
            shutil.rmtree(folder)
        size = packed.stat().st_size / 1e6
        print(f"{name:10} zip {size:5.2f} MB   start {statistics.median(starts):5.1f} ms median, {min(starts):5.1f} least")
        if size > LIMITS[name]:
            over.append(f"the zip of {name} is over {LIMITS[name]} MB")
    memory = memory_of_a_batch(asked.functions, asked.findata)
    print(f"extract    {memory:.0f} MiB for 50 symbols")
    if memory > MEMORY:
        over.append(f"extract takes over {MEMORY} MiB")
    if over:
        sys.exit("; ".join(over))


if __name__ == "__main__":
    main()
