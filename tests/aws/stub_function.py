#!/usr/bin/env python3
"""A stub for a function's bootstrap: logs each event to a file and executes the commands in it.

Each event is a line of $TMPDIR/<function>.jsonl, in the folder of the local AWS. Commands in the
event, or in the body of each record:
  {"do": "fail"}                         the invocation fails
  {"do": "crash"}                        the process exits
  {"do": "sleep", "seconds": 2}          the invocation takes this long
  {"do": "reject"}                       reports this record as failed (partial batch response)
  {"do": "call", "calls": [["s3", "put_object", {..}]]}   calls AWS with boto3 and returns the outcome of each
  {"do": "plain", "url": ".."}           reads from S3 as if without TLS and returns the status
"""
import json, os, time, urllib.error, urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime"
NAME = os.environ["AWS_LAMBDA_FUNCTION_NAME"]


def post(path, body):
    urllib.request.urlopen(
        urllib.request.Request(f"{API}/{path}", json.dumps(body).encode(), method="POST")
    ).read()


def call_aws(calls):
    import boto3
    from botocore.config import Config
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    outcomes = []
    for service, name, arguments in calls:
        try:
            response = getattr(boto3.client(service, config=config), name)(**arguments)
            outcomes.append(response.get("SecretString") or "done")
        except Exception as e:
            outcomes.append(
                getattr(e, "response", {}).get("Error", {}).get("Code") or f"{type(e).__name__}: {e}"
            )
    return outcomes


def get_without_tls(url):
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.session import Session
    session = Session()
    request = AWSRequest("GET", url)
    S3SigV4Auth(session.get_credentials(), "s3", os.environ["AWS_REGION"]).add_auth(request)
    headers = {**request.headers, "x-forwarded-proto": "http"}
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers)).status
    except urllib.error.HTTPError as e:
        return e.code


def execute(command):
    action = command.get("do") if isinstance(command, dict) else None
    if action == "fail":
        raise ValueError("failure requested")
    if action == "crash":
        os._exit(1)
    if action == "sleep":
        time.sleep(command["seconds"])
    if action == "plain":
        return [get_without_tls(command["url"])]
    return call_aws(command["calls"]) if action == "call" else []


def handle(event):
    records = event.get("Records") if isinstance(event, dict) else None
    if records is None:
        return {"outcomes": execute(event.get("detail", event) if "do" not in event else event)}
    rejected = []
    for record in records:
        command = json.loads(record["body"])
        if command.get("do") == "reject":
            rejected.append({"itemIdentifier": record["messageId"]})
        else:
            execute(command)
    return {"batchItemFailures": rejected}


while True:
    invocation = urllib.request.urlopen(f"{API}/invocation/next")
    request_id, event = invocation.headers["Lambda-Runtime-Aws-Request-Id"], json.load(invocation)
    with open(f"{os.environ['TMPDIR']}/{NAME}.jsonl", "a") as file:
        file.write(json.dumps({"at": time.time(), "pid": os.getpid(), "event": event}) + "\n")
    print(json.dumps({"function": NAME, "environment": sorted(os.environ)}), flush=True)
    try:
        post(f"invocation/{request_id}/response", handle(event))
    except Exception as e:
        post(f"invocation/{request_id}/error", {"errorType": type(e).__name__, "errorMessage": str(e)})
