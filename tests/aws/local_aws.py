"""A local AWS on 127.0.0.1: ministack, with what it leaves out or does otherwise (as_aws.py), and a record of calls.

usage: local_aws.py [--port N]
It takes a free port, keeps its state in a temporary folder, and lets in the root keys test/test and the functions' roles.
Once it answers it prints one line of JSON: {"url": "http://127.0.0.1:PORT", "folder": "..."}. It ends when its standard
input does, with every function process, so that nothing outlives the tests that started it.
deploy.py puts the stack into it; as_aws.py says what can be asked under /_calls and so on.
"""
import argparse, json, os, shutil, signal, socket, subprocess, sys, tempfile, threading, time, urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def environment(port, folder):
    """All that the server and, through it, the functions inherit. No more: a function on AWS knows nothing of this machine."""
    url = f"http://127.0.0.1:{port}"
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": folder, "TMPDIR": folder, "LANG": "C.UTF-8", "TZ": "UTC",
        "PYTHONDONTWRITEBYTECODE": "1",
        # Without these it listens on every interface.
        "BIND_HOST": "127.0.0.1", "MINISTACK_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0",
        "AUTH": "true", "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "MINISTACK_REGION": "us-east-1", "STATE_DIR": folder, "S3_DATA_DIR": f"{folder}/s3", "DOCKER_HOST": f"unix://{folder}/no-docker",
        "LOG_LEVEL": os.environ.get("LOCAL_AWS_LOG", "INFO"),
        # AWS waits a minute before it calls a failed function again; ministack one second.
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "1",
    }


def serve(folder):
    """The server itself: ends with the functions and the folder when the pipe to its parent closes, however that ended."""
    import as_aws

    def watch():
        while os.read(0, 4096):
            pass
        as_aws.end_all()
        shutil.rmtree(folder, ignore_errors=True)
        # The group has what was started in between.
        os.killpg(0, signal.SIGKILL)
    threading.Thread(target=watch, daemon=True).start()
    sys.argv = ["ministack"]
    as_aws.install()
    from ministack import app
    app.main()


def main():
    if sys.argv[1:2] == ["--serve"]:
        return serve(sys.argv[2])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    port = parser.parse_args().port or free_port()
    folder = tempfile.mkdtemp(prefix="local-aws-")
    server = subprocess.Popen([sys.executable, __file__, "--serve", folder], cwd=HERE, env=environment(port, folder),
                              stdin=subprocess.PIPE, stdout=sys.stderr, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        ends = time.monotonic() + 60
        while True:
            if server.poll() is not None or time.monotonic() > ends:
                raise SystemExit("local_aws: ministack does not start")
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
