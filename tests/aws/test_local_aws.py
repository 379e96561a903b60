"""The plumbing of the template on the local AWS, with stand-ins for the functions: python -m unittest test_local_aws.

What the real functions do is tested in Rust; here it is what calls them, with what, and what their roles let them do."""
import json, os, subprocess, sys, time, unittest, urllib.parse, urllib.request, zipfile
from pathlib import Path
from deploy import client, deploy, made_secret
from permissions import compared

HERE = Path(__file__).resolve().parent
FUNCTIONS = ("fanout", "extract", "load", "analytics")
PARAMETERS = {"SnowflakeAccount": "org-account", "Architecture": "x86_64", "Workers": "2"}


def setUpModule():
    global AWS, URL, FOLDER, STACK
    with open(os.environ.get("LOCAL_AWS_LOG_FILE", os.devnull), "w") as log:
        AWS = subprocess.Popen([sys.executable, HERE / "local_aws.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
    ready = json.loads(AWS.stdout.readline())
    URL, FOLDER = ready["url"], Path(ready["folder"])
    bootstrap = FOLDER / "stand_in.zip"
    with zipfile.ZipFile(bootstrap, "w") as file:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        text = (HERE / "stand_in.py").read_text().split("\n", 1)[1]
        file.writestr(entry, f"#!{sys.executable}\n{text}")
    for name, text in {"fmp": "the-key", "snowflake": "the-pem"}.items():
        (FOLDER / name).write_text(text)
    zips = {name.capitalize(): bootstrap for name in FUNCTIONS}
    secrets = {"FmpSecretArn": FOLDER / "fmp", "SnowflakeSecretArn": FOLDER / "snowflake"}
    STACK = deploy(URL, "findata", zips, secrets, PARAMETERS)
    # So that a test need not wait for half an hour.
    for queue in ("QueueUrl", "DeadLettersUrl"):
        client(URL, "sqs").set_queue_attributes(QueueUrl=STACK[queue], Attributes={"VisibilityTimeout": "1"})


def tearDownModule():
    AWS.stdin.close()
    AWS.wait(10)
    AWS.stdout.close()
    assert not FOLDER.exists(), "the folder stays"


def ask(path, **question):
    with urllib.request.urlopen(f"{URL}{path}?{urllib.parse.urlencode(question)}") as answer:
        return json.load(answer)


def given(function, since=0.0):
    """The events that a function got since a time."""
    path = FOLDER / f"findata-{function}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line["event"] for line in map(json.loads, lines) if line["at"] >= since]


def wait_for(what, seconds=20.0):
    ends = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < ends, "nothing came"
        time.sleep(0.05)
    return found


def taken(url, count=1):
    """Messages of a queue, taken out of it."""
    sqs, found = client(URL, "sqs"), []

    def take():
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(found) >= count
    wait_for(take)
    return found


def invoked(function, event):
    answer = client(URL, "lambda").invoke(FunctionName=f"findata-{function}", Payload=json.dumps(event))
    return json.load(answer["Payload"])


def write(key, body=b"{}"):
    client(URL, "s3").put_object(Bucket=STACK["BucketName"], Key=f"home/{key}", Body=body)


class Plumbing(unittest.TestCase):
    def setUp(self):
        self.since = time.time()

    def new(self, function, holds=lambda event: True):
        return [event for event in given(function, self.since) if holds(event)]

    def test_a_direct_invocation_answers(self):
        self.assertEqual(invoked("fanout", {"symbols": ["AAPL"]}), {"ends": []})
        self.assertEqual(self.new("fanout")[-1], {"symbols": ["AAPL"]})

    def test_a_tick_names_the_time_that_it_was_planned_for(self):
        ask("/_tick", schedule="findata-daily", at="2026-03-02T11:00:00Z")
        event = wait_for(lambda: self.new("fanout", lambda e: "universe" in e))[0]
        self.assertEqual(event, {"universe": "sp500", "scheduled": "2026-03-02T11:00:00Z"})

    def test_a_sweep_is_told_from_a_run(self):
        ask("/_tick", schedule="findata-sweep")
        self.assertEqual(wait_for(lambda: self.new("fanout", lambda e: "sweep" in e))[0], {"sweep": True})

    def test_the_clock_fires_a_schedule_too(self):
        scheduler = client(URL, "scheduler")
        schedule = scheduler.get_schedule(Name="findata-daily")
        keep = {key: schedule[key] for key in ("Name", "FlexibleTimeWindow", "Target")}
        try:
            scheduler.update_schedule(**keep, ScheduleExpression="at(2020-01-01T00:00:00)")
            event = wait_for(lambda: self.new("fanout", lambda e: "universe" in e))[0]
            self.assertRegex(event["scheduled"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:00Z$")
        finally:
            scheduler.update_schedule(**keep, ScheduleExpression="cron(0 6 ? * MON-FRI *)", ScheduleExpressionTimezone="America/New_York")

    def test_a_request_on_the_bus_reaches_fanout_whole(self):
        detail = {"symbols": ["MSFT"], "run_id": "on-demand-1"}
        entry = {"Source": "findata", "DetailType": "RunRequested", "EventBusName": STACK["BusName"], "Detail": json.dumps(detail)}
        self.assertEqual(client(URL, "events").put_events(Entries=[entry])["FailedEntryCount"], 0)
        event = wait_for(lambda: self.new("fanout", lambda e: "detail" in e))[0]
        self.assertEqual((event["source"], event["detail-type"], event["detail"]), ("findata", "RunRequested", detail))

    def test_other_events_on_the_bus_reach_nobody(self):
        for source, kind in (("findata", "RunCompleted"), ("elsewhere", "RunRequested")):
            entry = {"Source": source, "DetailType": kind, "EventBusName": STACK["BusName"], "Detail": "{}"}
            client(URL, "events").put_events(Entries=[entry])
        time.sleep(1)
        self.assertEqual(self.new("fanout", lambda e: "detail" in e), [])

    def test_the_ledger_calls_load_and_analytics_and_nothing_else_does(self):
        for key in ("runs/r1/staged.json", "runs/r1/loaded.json", "runs/r1/plan.json", "runs/r1/batches/0001.json", "state/staged.json",
                    "landing/x/r1/staged.json"):
            write(key)
        for function, key in (("load", "home/runs/r1/staged.json"), ("analytics", "home/runs/r1/loaded.json")):
            event = wait_for(lambda: self.new(function, lambda e: e.get("detail-type") == "Object Created"))[0]
            self.assertEqual((event["detail"]["object"]["key"], event["detail"]["bucket"]["name"]), (key, STACK["BucketName"]))
        time.sleep(1)
        self.assertEqual([len(self.new(f, lambda e: "/r1/" in json.dumps(e))) for f in ("load", "analytics")], [1, 1])

    def test_only_the_rejected_message_comes_again_and_then_as_a_dead_letter(self):
        send = lambda body: client(URL, "sqs").send_message(QueueUrl=STACK["QueueUrl"], MessageBody=json.dumps(body))
        send({"batch": "good"}), send({"batch": "bad", "do": "reject"})
        bodies = lambda name, queue: [r["body"] for e in self.new("extract", lambda e: "Records" in e) for r in e["Records"]
                                      if name in r["body"] and r["eventSourceARN"].endswith(queue)]
        dead = client(URL, "sqs").get_queue_attributes(QueueUrl=STACK["DeadLettersUrl"], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        wait_for(lambda: bodies("bad", dead), 30)
        tasks = dead.replace(STACK["DeadLettersUrl"].rsplit("/", 1)[-1], STACK["QueueUrl"].rsplit("/", 1)[-1])
        self.assertEqual((len(bodies("good", tasks)), len(bodies("bad", tasks)), len(bodies("good", dead))), (1, 3, 0))
        # What extract cannot work off even as a dead letter ends where a person looks.
        self.assertIn({"batch": "bad", "do": "reject"}, taken(STACK["FailedEventsUrl"]))

    def test_a_killed_function_is_called_again(self):
        write("runs/r2/staged.json")
        wait_for(lambda: self.new("load", lambda e: "/r2/" in json.dumps(e)))
        client(URL, "sqs").send_message(QueueUrl=STACK["QueueUrl"], MessageBody=json.dumps({"batch": "slow", "do": "sleep", "seconds": 2}))
        slow = lambda: self.new("extract", lambda e: "slow" in json.dumps(e))
        wait_for(slow)
        self.assertEqual(len(ask("/_kill", function="findata-extract")["killed"]), 1)
        wait_for(lambda: len(slow()) == 2)

    def test_a_failing_function_is_called_three_times_and_its_event_kept(self):
        for function in ("fanout", "load", "analytics"):
            order = {"do": "fail", "for": function}
            client(URL, "lambda").invoke(FunctionName=f"findata-{function}", InvocationType="Event", Payload=json.dumps(order))
            kept = wait_for(lambda: [m for m in taken(STACK["FailedEventsUrl"]) if m.get("requestPayload") == order])
            self.assertEqual(kept[0]["responsePayload"]["errorMessage"], "told to fail")
            self.assertEqual(len(self.new(function, lambda e: e == order)), 3)

    def test_a_doubled_event_comes_twice_and_a_lost_one_not_at_all(self):
        about = lambda run: lambda: self.new("load", lambda e: f"/{run}/" in json.dumps(e))
        ask("/_deliver", rule="LoadStaged", copies=2)
        write("runs/doubled/staged.json")
        wait_for(lambda: len(about("doubled")()) == 2)
        ask("/_deliver", rule="LoadStaged", copies=0)
        write("runs/lost/staged.json")
        write("runs/next/staged.json")
        wait_for(about("next"))
        self.assertEqual(about("lost")(), [])

    def test_one_load_at_a_time_and_the_next_waits(self):
        for n in range(2):
            order = {"do": "sleep", "seconds": 1, "n": n, "for": "load"}
            client(URL, "lambda").invoke(FunctionName="findata-load", InvocationType="Event", Payload=json.dumps(order))
        wait_for(lambda: len(self.new("load", lambda e: e.get("for") == "load")) == 2)
        lines = [json.loads(line) for line in (FOLDER / "findata-load.jsonl").read_text().splitlines()]
        first, second = [line["at"] for line in lines if line["event"].get("for") == "load"][-2:]
        self.assertGreaterEqual(second - first, 1.0)


class Permissions(unittest.TestCase):
    """A function gets its role's credentials, and what its policy lacks is refused."""

    def ends(self, function, *calls):
        return invoked(function, {"do": "call", "calls": calls})["ends"]

    def test_each_function_writes_and_reads_what_it_may_and_nothing_else(self):
        bucket = STACK["BucketName"]
        places = {"runs/x/plan.json": FUNCTIONS, "state/x.json": ("fanout", "extract", "load"), "landing/d/r/b.ndjson.gz": ("extract",), "elsewhere": ()}
        for place, allowed in places.items():
            for function in FUNCTIONS:
                key = {"Bucket": bucket, "Key": f"home/{place}"}
                ends = self.ends(function, ["s3", "put_object", {**key, "Body": "x"}], ["s3", "get_object", key], ["s3", "delete_object", key])
                wanted = ["done", "done", "AccessDenied"] if function in allowed else ["AccessDenied"] * 3
                self.assertEqual(ends, wanted, (function, place))

    def test_a_missing_object_is_missing_and_the_listing_stays_in_the_folder(self):
        bucket = STACK["BucketName"]
        for function in FUNCTIONS:
            ends = self.ends(function, ["s3", "get_object", {"Bucket": bucket, "Key": "home/runs/no/plan.json"}],
                             ["s3", "list_objects_v2", {"Bucket": bucket, "Prefix": "home/runs/"}],
                             ["s3", "list_objects_v2", {"Bucket": bucket, "Prefix": "other/"}],
                             ["s3", "list_objects_v2", {"Bucket": "artifacts"}])
            self.assertEqual(ends, ["NoSuchKey", "done", "AccessDenied", "AccessDenied"], function)

    def test_each_secret_only_for_its_functions(self):
        made = {name: made_secret(URL, f"findata/{name}", text) for name, text in (("FmpSecretArn", "the-key"), ("SnowflakeSecretArn", "the-pem"))}
        for function in FUNCTIONS:
            fmp = function in ("fanout", "extract")
            ends = self.ends(function, *[["secretsmanager", "get_secret_value", {"SecretId": arn}] for arn in made.values()])
            self.assertEqual(ends, ["the-key", "AccessDeniedException"] if fmp else ["AccessDeniedException", "the-pem"], function)

    def test_queue_and_bus_only_for_their_functions(self):
        entry = {"Source": "findata", "DetailType": "RunCompleted", "Detail": "{}"}
        for function in FUNCTIONS:
            ends = self.ends(function, ["sqs", "send_message", {"QueueUrl": STACK["QueueUrl"], "MessageBody": "{}"}],
                             ["sqs", "send_message", {"QueueUrl": STACK["DeadLettersUrl"], "MessageBody": "{}"}],
                             ["events", "put_events", {"Entries": [{**entry, "EventBusName": STACK["BusName"]}]}],
                             ["events", "put_events", {"Entries": [entry]}])
            yes = lambda allowed: "done" if allowed else None
            self.assertEqual([end if end == "done" else None for end in ends],
                             [yes(function in ("fanout", "extract")), None, yes(function != "extract"), None], function)

    def test_calls_are_recorded_with_role_and_resource(self):
        before = len(ask("/_calls"))
        key = {"Bucket": STACK["BucketName"], "Key": "home/state/recorded.json"}
        self.ends("load", ["s3", "put_object", {**key, "Body": "x"}], ["sqs", "send_message", {"QueueUrl": STACK["QueueUrl"], "MessageBody": "{}"}])
        mine = [c for c in ask("/_calls", since=before) if c["function"] == "findata-load" and c["by"] == "function"]
        self.assertEqual([(c["action"], c["allowed"]) for c in mine], [("s3:PutObject", True), ("sqs:SendMessage", False)])
        self.assertEqual(mine[0]["resource"], f"arn:aws:s3:::{key['Bucket']}/{key['Key']}")
        self.assertIn("LoadRole", mine[0]["role"])

    def test_a_failure_that_is_asked_for_comes(self):
        key = {"Bucket": STACK["BucketName"], "Key": "home/state/slow.json"}
        ask("/_fail", action="s3:PutObject", match="slow", times=1)
        put = ["s3", "put_object", {**key, "Body": "x"}]
        self.assertEqual(self.ends("fanout", put, put), ["SlowDown", "done"])

    def test_without_tls_the_bucket_says_no(self):
        # Not asked with the root keys, which this AWS refuses nothing.
        write("state/x.json")
        address = f"{URL}/{STACK['BucketName']}/home/state/x.json"
        answered = invoked("load", {"do": "call", "calls": [["s3", "get_object", {"Bucket": STACK["BucketName"], "Key": "home/state/x.json"}]]})
        self.assertEqual(answered["ends"], ["done"])
        answered = invoked("load", {"do": "plain", "url": address})
        self.assertEqual(answered["ends"], [403])

    def test_a_rule_without_permission_delivers_nothing_and_its_event_is_kept(self):
        functions = client(URL, "lambda")
        statement = json.loads(functions.get_policy(FunctionName="findata-analytics")["Policy"])["Statement"][0]
        functions.remove_permission(FunctionName="findata-analytics", StatementId=statement["Sid"])
        try:
            since = time.time()
            write("runs/refused/loaded.json")
            wait_for(lambda: [m for m in taken(STACK["FailedEventsUrl"]) if "refused" in json.dumps(m)])
            self.assertEqual([e for e in given("analytics", since) if "refused" in json.dumps(e)], [])
        finally:
            functions.add_permission(FunctionName="findata-analytics", StatementId=statement["Sid"], Action="lambda:InvokeFunction",
                                     Principal="events.amazonaws.com", SourceArn=list(statement["Condition"].values())[0]["AWS:SourceArn"])

    def test_declared_and_called_are_compared_both_ways(self):
        # Nothing here takes Snowflake's role, so all that it allows is unused.
        unused = {x["action"] for x in compared(URL, "findata")["unused"] if x["role"] == "SnowflakeRole"}
        self.assertEqual(unused, {"s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:GetBucketLocation"})
        key = {"Bucket": STACK["BucketName"], "Key": "home/landing/compared/x"}
        self.ends("extract", ["s3", "put_object", {**key, "Body": "x"}], ["s3", "get_object", key], ["s3", "delete_object", key])
        after = compared(URL, "findata")
        self.assertEqual([x for x in after["unused"] if x["role"] == "ExtractRole" and "landing" in x["resource"]], [])
        self.assertIn("home/landing/compared/x", [c["resource"].split("/", 1)[1] for c in after["refused"] if c["action"] == "s3:DeleteObject"])


if __name__ == "__main__":
    unittest.main()
