"""A local AWS on 127.0.0.1: ministack with the patches of emulator.py.

usage: local_aws.py [--port N]
It listens on a free port unless --port is given, keeps its state in a temporary folder, and accepts
the root keys test/test and the functions' roles. When ready, it prints one line of JSON:
{"url": "http://127.0.0.1:PORT", "folder": "..."}. It exits, together with every function process,
when its standard input closes, so that nothing outlives the tests that started it.

deploy.py deploys the stack. controls.py documents the endpoints for tests, such as /_calls.
"""
import argparse, gc, json, os, shutil, signal, socket, subprocess, sys, tempfile, threading, time, urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def environment(port, folder):
    """The complete environment of the server and of the functions, which inherit it. No other
    variable of this machine is passed on, because a function on AWS would not have it."""
    url = f"http://127.0.0.1:{port}"
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": folder,
        "TMPDIR": folder,
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONDONTWRITEBYTECODE": "1",
        # Without these variables the server listens on every network interface.
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "AUTH": "true",
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "MINISTACK_REGION": "us-east-1",
        "STATE_DIR": folder,
        "S3_DATA_DIR": f"{folder}/s3",
        "DOCKER_HOST": f"unix://{folder}/no-docker",
        "LOG_LEVEL": os.environ.get("LOCAL_AWS_LOG", "INFO"),
        # A failed asynchronous invocation is retried after one second; AWS waits a minute.
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "1",
    }


def serve(folder):
    """Runs the server. When the pipe to the parent closes, for whatever reason, it stops the
    functions, deletes the folder and exits."""
    import controls, emulator

    def watch_parent():
        while os.read(0, 4096):
            pass
        controls.stop_functions()
        shutil.rmtree(folder, ignore_errors=True)
        # Also kills functions that have started in the meantime. They are in the same process
        # group.
        os.killpg(0, signal.SIGKILL)
    threading.Thread(target=watch_parent, daemon=True).start()
    sys.argv = ["ministack"]
    emulator.install()
    from ministack import app
    gc.freeze()
    gc.set_threshold(50_000)
    app.main()


def main():
    if sys.argv[1:2] == ["--serve"]:
        return serve(sys.argv[2])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    port = parser.parse_args().port or free_port()
    folder = tempfile.mkdtemp(prefix="local-aws-")
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve", folder],
        cwd=HERE,
        env=environment(port, folder),
        stdin=subprocess.PIPE,
        stdout=sys.stderr,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("local_aws: ministack did not start")
            try:
                urllib.request.urlopen(f"{url}/_ministack/health", timeout=5).read()
                break
            except OSError:
                time.sleep(0.05)
        print(json.dumps({"url": url, "folder": folder}), flush=True)
        while sys.stdin.buffer.read1(4096):
            pass
    except KeyboardInterrupt:
        pass
    finally:
        server.stdin.close()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
