"""Tests the events and permissions of the deployed template on the local AWS: python -m unittest
test_local_aws.

Stubs replace the functions. These tests cover the events that invoke a function and the permissions
of its role; the Rust tests cover the real functions."""
import json, os, subprocess, sys, time, unittest, urllib.parse, urllib.request, zipfile
from pathlib import Path
from deploy import client, deploy, put_secret
from permissions import compare

HERE = Path(__file__).resolve().parent
FUNCTIONS = ("fanout", "extract", "load", "analytics")
PARAMETERS = {"SnowflakeAccount": "org-account", "ReserveConcurrency": "true", "Workers": "2"}


def setUpModule():
    global AWS, URL, FOLDER, STACK
    with open(os.environ.get("LOCAL_AWS_LOG_FILE", os.devnull), "w") as log:
        AWS = subprocess.Popen(
            [sys.executable, HERE / "local_aws.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
        )
    ready = json.loads(AWS.stdout.readline())
    URL, FOLDER = ready["url"], Path(ready["folder"])
    stub = FOLDER / "stub_function.zip"
    with zipfile.ZipFile(stub, "w") as file:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        source = (HERE / "stub_function.py").read_text().split("\n", 1)[1]
        file.writestr(entry, f"#!{sys.executable}\n{source}")
    for name, text in {"fmp": "the-key", "snowflake": "the-pem"}.items():
        (FOLDER / name).write_text(text)
    zips = {name.capitalize(): stub for name in FUNCTIONS}
    secrets = {"FmpSecretArn": FOLDER / "fmp", "SnowflakeSecretArn": FOLDER / "snowflake"}
    STACK = deploy(URL, "findata", zips, secrets, PARAMETERS)
    # The template's 30 minutes would make retries too slow for a test.
    for queue in ("QueueUrl", "DeadLettersUrl"):
        client(URL, "sqs").set_queue_attributes(QueueUrl=STACK[queue], Attributes={"VisibilityTimeout": "1"})


def tearDownModule():
    AWS.stdin.close()
    AWS.wait(10)
    AWS.stdout.close()
    assert not FOLDER.exists(), "the folder was not deleted"


def emulator(path, **params):
    """Calls an endpoint of the emulator."""
    with urllib.request.urlopen(f"{URL}{path}?{urllib.parse.urlencode(params)}") as response:
        return json.load(response)


def received(function, since=0.0):
    """The events that a function received since a time."""
    path = FOLDER / f"findata-{function}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line["event"] for line in map(json.loads, lines) if line["at"] >= since]


def wait_for(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.05)
    return found


def drain(url, count=1):
    """Receives and deletes messages until there are at least `count`."""
    sqs, found = client(URL, "sqs"), []

    def receive():
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(found) >= count
    wait_for(receive)
    return found


def invoke(function, event):
    response = client(URL, "lambda").invoke(FunctionName=f"findata-{function}", Payload=json.dumps(event))
    return json.load(response["Payload"])


def invoke_async(function, event):
    client(URL, "lambda").invoke(
        FunctionName=f"findata-{function}", InvocationType="Event", Payload=json.dumps(event)
    )


def write(key, body=b"{}"):
    client(URL, "s3").put_object(Bucket=STACK["BucketName"], Key=f"home/{key}", Body=body)


class EventsTest(unittest.TestCase):
    def setUp(self):
        self.since = time.time()

    def received(self, function, matches=lambda event: True):
        return [event for event in received(function, self.since) if matches(event)]

    def test_a_direct_invocation_returns_the_response(self):
        self.assertEqual(invoke("fanout", {"symbols": ["AAPL"]}), {"outcomes": []})
        self.assertEqual(self.received("fanout")[-1], {"symbols": ["AAPL"]})

    def test_the_daily_schedule_passes_its_scheduled_time(self):
        emulator("/_tick", schedule="findata-daily", at="2026-03-02T11:00:00Z")
        event = wait_for(lambda: self.received("fanout", lambda e: "universe" in e))[0]
        self.assertEqual(event, {"universe": "sp500", "scheduled": "2026-03-02T11:00:00Z"})

    def test_the_sweep_schedule_requests_a_sweep(self):
        emulator("/_tick", schedule="findata-sweep")
        self.assertEqual(wait_for(lambda: self.received("fanout", lambda e: "sweep" in e))[0], {"sweep": True})

    def test_a_due_schedule_fires_on_its_own(self):
        scheduler = client(URL, "scheduler")
        schedule = scheduler.get_schedule(Name="findata-daily")
        unchanged = {key: schedule[key] for key in ("Name", "FlexibleTimeWindow", "Target")}
        try:
            scheduler.update_schedule(**unchanged, ScheduleExpression="at(2020-01-01T00:00:00)")
            event = wait_for(lambda: self.received("fanout", lambda e: "universe" in e))[0]
            self.assertRegex(event["scheduled"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:00Z$")
        finally:
            scheduler.update_schedule(**unchanged, ScheduleExpression="cron(0 6 ? * MON-FRI *)",
                                      ScheduleExpressionTimezone="America/New_York")

    def test_a_request_on_the_bus_reaches_fanout_unchanged(self):
        detail = {"symbols": ["MSFT"], "run_id": "on-demand-1"}
        entry = {
            "Source": "findata",
            "DetailType": "RunRequested",
            "EventBusName": STACK["BusName"],
            "Detail": json.dumps(detail),
        }
        self.assertEqual(client(URL, "events").put_events(Entries=[entry])["FailedEntryCount"], 0)
        event = wait_for(lambda: self.received("fanout", lambda e: "detail" in e))[0]
        self.assertEqual(
            (event["source"], event["detail-type"], event["detail"]), ("findata", "RunRequested", detail)
        )

    def test_other_events_on_the_bus_invoke_nothing(self):
        for source, detail_type in (("findata", "RunCompleted"), ("elsewhere", "RunRequested")):
            entry = {
                "Source": source,
                "DetailType": detail_type,
                "EventBusName": STACK["BusName"],
                "Detail": "{}",
            }
            client(URL, "events").put_events(Entries=[entry])
        time.sleep(1)
        self.assertEqual(self.received("fanout", lambda e: "detail" in e), [])

    def test_only_staged_and_loaded_invoke_load_and_analytics(self):
        for key in (
            "runs/r1/staged.json",
            "runs/r1/loaded.json",
            "runs/r1/plan.json",
            "runs/r1/batches/0001.json",
            "state/staged.json",
            "landing/x/r1/staged.json",
        ):
            write(key)
        for function, key in (("load", "home/runs/r1/staged.json"), ("analytics", "home/runs/r1/loaded.json")):
            event = wait_for(
                lambda: self.received(function, lambda e: e.get("detail-type") == "Object Created")
            )[0]
            detail = event["detail"]
            self.assertEqual((detail["object"]["key"], detail["bucket"]["name"]), (key, STACK["BucketName"]))
        time.sleep(1)
        counts = [len(self.received(f, lambda e: "/r1/" in json.dumps(e))) for f in ("load", "analytics")]
        self.assertEqual(counts, [1, 1])

    def test_only_the_rejected_message_is_retried_and_then_dead_lettered(self):
        sqs = client(URL, "sqs")
        for body in ({"batch": "good"}, {"batch": "bad", "do": "reject"}):
            sqs.send_message(QueueUrl=STACK["QueueUrl"], MessageBody=json.dumps(body))

        def bodies(batch, queue_arn):
            return [r["body"] for e in self.received("extract", lambda e: "Records" in e) for r in e["Records"]
                    if batch in r["body"] and r["eventSourceARN"].endswith(queue_arn)]
        attributes = sqs.get_queue_attributes(QueueUrl=STACK["DeadLettersUrl"], AttributeNames=["QueueArn"])
        dead_letters = attributes["Attributes"]["QueueArn"]
        queue_name = lambda url: url.rsplit("/", 1)[-1]
        tasks = dead_letters.replace(queue_name(STACK["DeadLettersUrl"]), queue_name(STACK["QueueUrl"]))
        wait_for(lambda: bodies("bad", dead_letters), 30)
        self.assertEqual(
            (len(bodies("good", tasks)), len(bodies("bad", tasks)), len(bodies("good", dead_letters))),
            (1, 3, 0),
        )
        # A dead letter that extract cannot process goes to a queue that a person inspects.
        self.assertIn({"batch": "bad", "do": "reject"}, drain(STACK["FailedEventsUrl"]))

    def test_a_killed_function_is_invoked_again(self):
        write("runs/r2/staged.json")
        wait_for(lambda: self.received("load", lambda e: "/r2/" in json.dumps(e)))
        body = json.dumps({"batch": "slow", "do": "sleep", "seconds": 2})
        client(URL, "sqs").send_message(QueueUrl=STACK["QueueUrl"], MessageBody=body)
        slow = lambda: self.received("extract", lambda e: "slow" in json.dumps(e))
        wait_for(slow)
        self.assertEqual(len(emulator("/_kill", function="findata-extract")["killed"]), 1)
        wait_for(lambda: len(slow()) == 2)

    def test_a_failing_function_is_invoked_three_times_and_its_event_is_kept(self):
        for function in ("fanout", "load", "analytics"):
            command = {"do": "fail", "for": function}
            invoke_async(function, command)
            kept = wait_for(
                lambda: [m for m in drain(STACK["FailedEventsUrl"]) if m.get("requestPayload") == command]
            )
            self.assertEqual(kept[0]["responsePayload"]["errorMessage"], "failure requested")
            self.assertEqual(len(self.received(function, lambda e: e == command)), 3)

    def test_injected_duplicates_and_losses_of_events_take_effect(self):
        events_of = lambda run: lambda: self.received("load", lambda e: f"/{run}/" in json.dumps(e))
        emulator("/_deliver", rule="LoadStaged", copies=2)
        write("runs/duplicate/staged.json")
        wait_for(lambda: len(events_of("duplicate")()) == 2)
        emulator("/_deliver", rule="LoadStaged", copies=0)
        write("runs/lost/staged.json")
        write("runs/next/staged.json")
        wait_for(events_of("next"))
        self.assertEqual(events_of("lost")(), [])

    def test_load_runs_one_at_a_time_and_the_next_event_waits(self):
        for n in range(2):
            invoke_async("load", {"do": "sleep", "seconds": 1, "n": n, "for": "load"})
        wait_for(lambda: len(self.received("load", lambda e: e.get("for") == "load")) == 2)
        lines = [json.loads(line) for line in (FOLDER / "findata-load.jsonl").read_text().splitlines()]
        first, second = [line["at"] for line in lines if line["event"].get("for") == "load"][-2:]
        self.assertGreaterEqual(second - first, 1.0)


class AdoptionTest(unittest.TestCase):
    def test_a_new_stack_takes_over_a_kept_bucket(self):
        s3, cloudformation = client(URL, "s3"), client(URL, "cloudformation")
        s3.create_bucket(Bucket="kept")
        s3.put_object(Bucket="kept", Key="home/state/x.json", Body=b"{}")
        bucket = {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"}}}
        names = {"StackName": "adopted", "ChangeSetName": "adopt"}
        cloudformation.create_change_set(
            **names, ChangeSetType="IMPORT", TemplateBody=json.dumps(bucket),
            ResourcesToImport=[{"ResourceType": "AWS::S3::Bucket", "LogicalResourceId": "Bucket",
                                "ResourceIdentifier": {"BucketName": "kept"}}])
        cloudformation.get_waiter("change_set_create_complete").wait(**names, WaiterConfig={"Delay": 1})
        cloudformation.execute_change_set(**names)
        cloudformation.get_waiter("stack_import_complete").wait(StackName="adopted", WaiterConfig={"Delay": 1})
        zips = {name.capitalize(): FOLDER / "stub_function.zip" for name in FUNCTIONS}
        secrets = {"FmpSecretArn": FOLDER / "fmp", "SnowflakeSecretArn": FOLDER / "snowflake"}
        self.assertEqual(deploy(URL, "adopted", zips, secrets, PARAMETERS)["BucketName"], "kept")
        self.assertEqual(s3.get_object(Bucket="kept", Key="home/state/x.json")["Body"].read(), b"{}")


class PermissionsTest(unittest.TestCase):
    """A function gets its role's credentials, and calls that its policy does not allow are denied."""

    def outcomes(self, function, *calls):
        return invoke(function, {"do": "call", "calls": calls})["outcomes"]

    def test_each_function_reads_and_writes_only_its_own_folders(self):
        others = ("fanout", "load", "analytics")
        allowed = {"runs/x/plan.json": others, "runs/x/summary.json": others, "runs/x/loaded.json": others,
                   "runs/x/batches/b.json": FUNCTIONS, "runs/x/parts/b-0.json": FUNCTIONS,
                   "runs/x/staged.json": FUNCTIONS, "runs/x/calls.json": FUNCTIONS,
                   "state/x.json": ("fanout", "load"), "state/budget/k.json": ("fanout", "extract", "load"),
                   "state/bulk-refused.json": ("fanout", "extract", "load"),
                   "landing/d/r/b.ndjson.gz": ("extract",), "elsewhere": ()}
        reads_only = {("extract", path) for path in ("runs/x/plan.json", "runs/x/summary.json", "runs/x/loaded.json", "state/x.json")}
        for path, allowed_functions in allowed.items():
            for function in FUNCTIONS:
                key = {"Bucket": STACK["BucketName"], "Key": f"home/{path}"}
                outcomes = self.outcomes(
                    function,
                    ["s3", "put_object", {**key, "Body": "x"}],
                    ["s3", "get_object", key],
                    ["s3", "delete_object", key],
                )
                if (function, path) in reads_only:
                    expected = ["AccessDenied", "done", "AccessDenied"]
                else:
                    expected = (
                        ["done", "done", "AccessDenied"] if function in allowed_functions else ["AccessDenied"] * 3
                    )
                self.assertEqual(outcomes, expected, (function, path))

    def test_a_missing_object_is_not_found_and_listing_stays_in_the_folder(self):
        bucket = STACK["BucketName"]
        for function in FUNCTIONS:
            outcomes = self.outcomes(
                function,
                ["s3", "get_object", {"Bucket": bucket, "Key": "home/runs/no/plan.json"}],
                ["s3", "list_objects_v2", {"Bucket": bucket, "Prefix": "home/runs/"}],
                ["s3", "list_objects_v2", {"Bucket": bucket, "Prefix": "other/"}],
                ["s3", "list_objects_v2", {"Bucket": bucket}],
                ["s3", "list_objects_v2", {"Bucket": "artifacts"}],
            )
            self.assertEqual(outcomes, ["NoSuchKey", "done"] + ["AccessDenied"] * 3, function)

    def test_each_secret_is_readable_only_by_its_functions(self):
        secrets = {"FmpSecretArn": "the-key", "SnowflakeSecretArn": "the-pem"}
        arns = [put_secret(URL, f"findata/{name}", text) for name, text in secrets.items()]
        for function in FUNCTIONS:
            outcomes = self.outcomes(
                function, *[["secretsmanager", "get_secret_value", {"SecretId": arn}] for arn in arns]
            )
            uses_fmp = function in ("fanout", "extract")
            expected = (
                ["the-key", "AccessDeniedException"] if uses_fmp else ["AccessDeniedException", "the-pem"]
            )
            self.assertEqual(outcomes, expected, function)

    def test_queue_and_bus_accept_only_their_functions(self):
        entry = {"Source": "findata", "DetailType": "RunCompleted", "Detail": "{}"}
        for function in FUNCTIONS:
            outcomes = self.outcomes(
                function,
                ["sqs", "send_message", {"QueueUrl": STACK["QueueUrl"], "MessageBody": "{}"}],
                ["sqs", "send_message", {"QueueUrl": STACK["DeadLettersUrl"], "MessageBody": "{}"}],
                ["events", "put_events", {"Entries": [{**entry, "EventBusName": STACK["BusName"]}]}],
                ["events", "put_events", {"Entries": [entry]}],
                # No function requests a run, or speaks for somebody else.
                ["events", "put_events", {"Entries": [{**entry, "EventBusName": STACK["BusName"], "DetailType": "RunRequested"}]}],
                ["events", "put_events", {"Entries": [{**entry, "EventBusName": STACK["BusName"], "Source": "elsewhere"}]}],
            )
            expected = [function in ("fanout", "extract"), False, function != "extract", False, False, False]
            self.assertEqual([outcome == "done" for outcome in outcomes], expected, function)

    def test_calls_are_recorded_with_role_and_resource(self):
        before = len(emulator("/_calls"))
        key = {"Bucket": STACK["BucketName"], "Key": "home/state/recorded.json"}
        self.outcomes("load", ["s3", "put_object", {**key, "Body": "x"}],
                      ["sqs", "send_message", {"QueueUrl": STACK["QueueUrl"], "MessageBody": "{}"}])
        calls = [
            c
            for c in emulator("/_calls", since=before)
            if c["function"] == "findata-load" and c["by"] == "function"
        ]
        self.assertEqual(
            [(c["action"], c["allowed"]) for c in calls], [("s3:PutObject", True), ("sqs:SendMessage", False)]
        )
        self.assertEqual(calls[0]["resource"], f"arn:aws:s3:::{key['Bucket']}/{key['Key']}")
        self.assertIn("LoadRole", calls[0]["role"])

    def test_an_injected_failure_takes_effect_once(self):
        key = {"Bucket": STACK["BucketName"], "Key": "home/state/slow.json"}
        emulator("/_fail", action="s3:PutObject", match="slow", times=1)
        put = ["s3", "put_object", {**key, "Body": "x"}]
        self.assertEqual(self.outcomes("fanout", put, put), ["SlowDown", "done"])

    def test_the_bucket_denies_requests_without_tls(self):
        # A function makes the request, because the emulator denies the root keys nothing.
        write("state/x.json")
        url = f"{URL}/{STACK['BucketName']}/home/state/x.json"
        self.assertEqual(
            self.outcomes(
                "load", ["s3", "get_object", {"Bucket": STACK["BucketName"], "Key": "home/state/x.json"}]
            ),
            ["done"],
        )
        self.assertEqual(invoke("load", {"do": "plain", "url": url})["outcomes"], [403])

    def test_a_rule_without_permission_invokes_nothing_and_its_event_is_kept(self):
        functions = client(URL, "lambda")
        statement = json.loads(functions.get_policy(FunctionName="findata-analytics")["Policy"])["Statement"][0]
        functions.remove_permission(FunctionName="findata-analytics", StatementId=statement["Sid"])
        try:
            since = time.time()
            write("runs/refused/loaded.json")
            wait_for(lambda: [m for m in drain(STACK["FailedEventsUrl"]) if "refused" in json.dumps(m)])
            self.assertEqual([e for e in received("analytics", since) if "refused" in json.dumps(e)], [])
        finally:
            functions.add_permission(FunctionName="findata-analytics", StatementId=statement["Sid"],
                                     Action="lambda:InvokeFunction", Principal="events.amazonaws.com",
                                     SourceArn=list(statement["Condition"].values())[0]["AWS:SourceArn"])

    def test_the_comparison_finds_unused_permissions_and_denied_calls(self):
        # No caller assumes Snowflake's role in this test, so all of its permissions are unused.
        unused = {x["action"] for x in compare(URL, "findata")["unused"] if x["role"] == "SnowflakeRole"}
        self.assertEqual(
            unused, {"s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:GetBucketLocation"}
        )
        key = {"Bucket": STACK["BucketName"], "Key": "home/landing/compared/x"}
        self.outcomes(
            "extract",
            ["s3", "put_object", {**key, "Body": "x"}],
            ["s3", "get_object", key],
            ["s3", "delete_object", key],
        )
        after = compare(URL, "findata")
        self.assertEqual(
            [x for x in after["unused"] if x["role"] == "ExtractRole" and "landing" in x["resource"]], []
        )
        denied = [c["resource"].split("/", 1)[1] for c in after["refused"] if c["action"] == "s3:DeleteObject"]
        self.assertIn("home/landing/compared/x", denied)


if __name__ == "__main__":
    unittest.main()
