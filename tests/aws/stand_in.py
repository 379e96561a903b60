#!/usr/bin/env python3
"""Stands in for a function's bootstrap: writes what it is given to a file, and does what the event tells it.

Each event is a line of $TMPDIR/<function>.jsonl, the folder of the local AWS. In the event, or in the body of each record:
  {"do": "fail"}     the invocation fails              {"do": "crash"}   the process ends
  {"do": "sleep", "seconds": 2}                        {"do": "reject"}  this record is told as failed (partial batch)
  {"do": "call", "calls": [["s3", "put_object", {..}]]}  calls AWS with boto3 and tells how each ended
  {"do": "plain", "url": ".."}                         reads from S3 as if without TLS and tells the status
"""
import json, os, time, urllib.error, urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime"
NAME = os.environ["AWS_LAMBDA_FUNCTION_NAME"]


def post(path, body):
    urllib.request.urlopen(urllib.request.Request(f"{API}/{path}", json.dumps(body).encode(), method="POST")).read()


def called(calls):
    import boto3
    from botocore.config import Config
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    ends = []
    for service, name, arguments in calls:
        try:
            answer = getattr(boto3.client(service, config=config), name)(**arguments)
            ends.append(answer.get("SecretString") or "done")
        except Exception as e:
            ends.append(getattr(e, "response", {}).get("Error", {}).get("Code") or f"{type(e).__name__}: {e}")
    return ends


def plain(url):
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.session import Session
    session = Session()
    request = AWSRequest("GET", url)
    S3SigV4Auth(session.get_credentials(), "s3", os.environ["AWS_REGION"]).add_auth(request)
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers={**request.headers, "x-forwarded-proto": "http"})).status
    except urllib.error.HTTPError as e:
        return e.code


def acted(order):
    what = order.get("do") if isinstance(order, dict) else None
    if what == "fail":
        raise ValueError("told to fail")
    if what == "crash":
        os._exit(1)
    if what == "sleep":
        time.sleep(order["seconds"])
    if what == "plain":
        return [plain(order["url"])]
    return called(order["calls"]) if what == "call" else []


def handled(event):
    records = event.get("Records") if isinstance(event, dict) else None
    if records is None:
        return {"ends": acted(event.get("detail", event) if "do" not in event else event)}
    rejected = []
    for record in records:
        order = json.loads(record["body"])
        if order.get("do") == "reject":
            rejected.append({"itemIdentifier": record["messageId"]})
        else:
            acted(order)
    return {"batchItemFailures": rejected}


while True:
    answer = urllib.request.urlopen(f"{API}/invocation/next")
    request, event = answer.headers["Lambda-Runtime-Aws-Request-Id"], json.load(answer)
    with open(f"{os.environ['TMPDIR']}/{NAME}.jsonl", "a") as file:
        file.write(json.dumps({"at": time.time(), "pid": os.getpid(), "event": event}) + "\n")
    print(json.dumps({"function": NAME, "environment": sorted(os.environ)}), flush=True)
    try:
        post(f"invocation/{request}/response", handled(event))
    except Exception as e:
        post(f"invocation/{request}/error", {"errorType": type(e).__name__, "errorMessage": str(e)})
