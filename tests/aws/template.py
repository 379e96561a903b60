"""Reads infra/template.yaml as strictly as can be without an account: prints what it finds as JSON, and exits with 1 if that is anything.

usage: template.py [--plant FAULT]     --plant puts a known fault in first: it has to be found
       template.py --faults            the names of the known faults
cfn-lint reads the SAM source and the translated template; the checks below read the translated one for what cfn-lint lets
pass and AWS refuses, or takes and does not do.
"""
import argparse, json, re, subprocess, sys, tempfile
from pathlib import Path
from faults import FAULTS, planted
from translated import TEMPLATE, translated

# The functions' own metrics, as the code that writes them lists them.
WRITTEN = re.search(r"METRICS[^=]*=\s*\[(.*?)\]", (TEMPLATE.parents[1] / "shared/src/telemetry.rs").read_text(), re.S)[1]
METRICS = {"findata": set(re.findall(r'"(\w+)"', WRITTEN)),
           "AWS/SQS": {"NumberOfMessagesReceived", "ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
           "AWS/Lambda": {"Errors", "Throttles", "Duration", "Invocations"}}
ALL = {"FINDATA_STACK", "FINDATA_STAGE", "FINDATA_TODAY", "RUST_LOG"}
FMP = {"FINDATA_FMP_GIGABYTES", "FINDATA_FMP_PLAN", "FINDATA_FMP_SECRET", "FINDATA_FMP_URL", "FINDATA_QUEUE_URL"}
SNOWFLAKE = {"FINDATA_BUS", "FINDATA_SNOWFLAKE_SECRET"} | {
    f"SNOWFLAKE_{name}" for name in ("ACCOUNT", "DATABASE", "ROLE", "SCHEMA", "STAGE", "URL", "USER", "WAREHOUSE")}
ENVIRONMENT = {"Fanout": ALL | FMP | {"FINDATA_BUS", "FINDATA_INDEX", "FINDATA_TTL"}, "Extract": ALL | FMP | {"FINDATA_DEAD_LETTERS"},
               "Load": ALL | SNOWFLAKE, "Analytics": ALL | SNOWFLAKE}
OUTPUTS = {"BucketName", "StageUrl", "BusName", "QueueUrl", "FanoutName", "FanoutArn", "ExtractName", "LoadName", "AnalyticsName",
           "SnowflakeRoleArn", "DashboardUrl"}


class Template:
    def __init__(self, body):
        self.body, self.resources = body, body["Resources"]

    def of(self, kind):
        return {name: r.get("Properties", {}) for name, r in self.resources.items() if r["Type"] == f"AWS::{kind}"}

    def value(self, given):
        """A parameter's default where it is one, the first branch of a condition."""
        if isinstance(given, dict) and "Ref" in given and given["Ref"] in self.body["Parameters"]:
            return self.body["Parameters"][given["Ref"]].get("Default")
        if isinstance(given, dict) and "Fn::If" in given:
            return self.value(given["Fn::If"][1])
        return given

    def number(self, given, default=0):
        found = self.value(given)
        return int(found) if found is not None else default


def target(given):
    """The resource that a Ref or a GetAtt names."""
    if not isinstance(given, dict):
        return None
    if "Ref" in given:
        return given["Ref"]
    name = given.get("Fn::GetAtt")
    return (name.split(".") if isinstance(name, str) else name or [None])[0]


def listed(given):
    return given if isinstance(given, list) else [given]


def statements(role):
    return [s for policy in role.get("Policies", []) for s in listed(policy["PolicyDocument"]["Statement"])]


def allows(role, action, resource):
    return any(action in listed(s["Action"]) and resource in map(target, listed(s["Resource"])) for s in statements(role))


def mappings(t):
    queues, functions = t.of("SQS::Queue"), t.of("Lambda::Function")
    for name, m in t.of("Lambda::EventSourceMapping").items():
        queue, function = queues.get(target(m["EventSourceArn"])), functions[target(m["FunctionName"])]
        if t.number(m.get("BatchSize"), 10) > 10 and t.number(m.get("MaximumBatchingWindowInSeconds")) < 1:
            yield f"{name}: a BatchSize over 10 needs a batching window"
        if "ReportBatchItemFailures" not in m.get("FunctionResponseTypes", []):
            yield f"{name}: one bad message fails its whole batch"
        workers = m.get("ScalingConfig", {}).get("MaximumConcurrency")
        least = t.body["Parameters"].get(target(workers) or "", {}).get("MinValue", t.value(workers))
        if workers is None or int(least or 0) < 2:
            yield f"{name}: MaximumConcurrency is from 2 on"
        if t.number(queue.get("VisibilityTimeout"), 30) < 6 * t.number(function.get("Timeout"), 3):
            yield f"{name}: the queue's visibility is below six times the function's time limit"
        if "RedrivePolicy" not in queue:
            yield f"{name}: a message that always fails would come for ever"


def schedules(t):
    for name, s in t.of("Scheduler::Schedule").items():
        expression = t.value(s["ScheduleExpression"])
        rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)(s?)\)", expression)
        if not (rate and (int(rate[1]) == 1) == (rate[3] == "")) and not re.fullmatch(r"cron\((\S+ ){5}\S+\)", expression):
            yield f"{name}: {expression} is no schedule"
        if expression.startswith("cron(") and (expression.split()[2] == "?") == (expression.split()[4] == "?"):
            yield f"{name}: one of the days in {expression} is ?, and one only"
        role = t.resources[target(s["Target"]["RoleArn"])]["Properties"]
        if not allows(role, "lambda:InvokeFunction", target(s["Target"]["Arn"])):
            yield f"{name}: its role may not call the function"
        if (dead := s["Target"].get("DeadLetterConfig")) and not allows(role, "sqs:SendMessage", target(dead["Arn"])):
            yield f"{name}: its role may not send to its dead-letter queue"


def dead_letters(t):
    queues, policies = t.of("SQS::Queue"), t.of("SQS::QueuePolicy")
    for name, queue in queues.items():
        if redrive := queue.get("RedrivePolicy"):
            dead = queues.get(target(redrive["deadLetterTargetArn"]))
            if dead is None:
                yield f"{name}: its dead-letter queue is not in the template"
            elif t.number(dead.get("MessageRetentionPeriod"), 345600) < t.number(queue.get("MessageRetentionPeriod"), 345600):
                yield f"{name}: dead letters go before messages do"
        if not queue.get("SqsManagedSseEnabled"):
            yield f"{name}: not encrypted"
    for name, rule in t.of("Events::Rule").items():
        for aim in rule["Targets"]:
            queue = target(aim.get("DeadLetterConfig", {}).get("Arn"))
            if queue is None:
                yield f"{name}: what cannot be delivered is lost"
                continue
            ours = [p for p in policies.values() if queue in map(target, p["Queues"])]
            if len(ours) != 1:
                yield f"{name}: {queue} has {len(ours)} policies; it keeps only one"
            if not any(name in map(target, listed(s.get("Condition", {}).get("ArnEquals", {}).get("aws:SourceArn", [])))
                       for p in ours for s in p["PolicyDocument"]["Statement"] if s["Action"] == "sqs:SendMessage"):
                yield f"{name}: {queue} takes nothing from this rule"


def policies(t):
    roles = t.of("IAM::Role")
    for name, role in roles.items():
        if role.get("ManagedPolicyArns"):
            yield f"{name}: has managed policies"
        for s in statements(role):
            for action in listed(s["Action"]):
                if "*" in action:
                    yield f"{name}: allows {action}"
            for resource in listed(s["Resource"]):
                text = resource.get("Fn::Sub", "") if isinstance(resource, dict) else resource
                # A star stands for what is in a folder of ours, and for nothing else.
                if "*" in text and not re.fullmatch(r"\$\{Bucket\.Arn\}/\$\{StagePrefix\}/(landing(/[a-z0-9_]+)?|runs|state)/\*", text):
                    yield f"{name}: allows it on {text}"
            if listed(s["Action"]) == ["s3:ListBucket"] and "s3:prefix" not in json.dumps(s.get("Condition", {})):
                yield f"{name}: lists the whole bucket"


def functions(t):
    logs, roles, used = t.of("Logs::LogGroup"), t.of("IAM::Role"), {}
    destinations = {target(c["FunctionName"]): target(c.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"))
                    for c in t.of("Lambda::EventInvokeConfig").values()}
    called = {target(aim["Arn"]) for rule in t.of("Events::Rule").values() for aim in rule["Targets"]}
    called |= {target(s["Target"]["Arn"]) for s in t.of("Scheduler::Schedule").values()}
    for name, f in t.of("Lambda::Function").items():
        log, role = target(f.get("LoggingConfig", {}).get("LogGroup")), target(f["Role"])
        if log not in logs or not logs[log].get("RetentionInDays"):
            yield f"{name}: no log group that forgets"
        elif not all(allows(roles[role], f"logs:{action}", log) for action in ("CreateLogStream", "PutLogEvents")):
            yield f"{name}: may not write to its log"
        if role in used:
            yield f"{name}: shares its role with {used[role]}"
        used[role] = name
        if name in called and destinations.get(name) is None:
            yield f"{name}: an event that it fails on is lost"
        elif name in called and not allows(roles[role], "sqs:SendMessage", destinations[name]):
            yield f"{name}: may not send to its on-failure destination"
        has = set(f["Environment"]["Variables"])
        if has != ENVIRONMENT[name]:
            yield f"{name}: environment differs: {sorted(has ^ ENVIRONMENT[name])}"
        if (t.value(f.get("ReservedConcurrentExecutions")) == 1) != (name in ("Load", "Analytics")):
            yield f"{name}: load and analytics run one at a time, the others do not"
        if f.get("Runtime") != "provided.al2023" or t.value(f["Architectures"][0]) != "arm64":
            yield f"{name}: not provided.al2023 on arm64"


def rules(t):
    given = [(target(p["FunctionName"]), target(p.get("SourceArn")), p["Principal"]) for p in t.of("Lambda::Permission").values()]
    for name, rule in t.of("Events::Rule").items():
        for aim in rule["Targets"]:
            if (target(aim["Arn"]), name, "events.amazonaws.com") not in given:
                yield f"{name}: may not call {target(aim['Arn'])}"
        # S3 speaks on the default bus alone.
        if ("aws.s3" in rule["EventPattern"]["source"]) == ("EventBusName" in rule):
            yield f"{name}: listens on the wrong bus"
        if "aws.s3" in rule["EventPattern"]["source"] and "Bucket" not in json.dumps(rule["EventPattern"]["detail"]["bucket"]):
            yield f"{name}: listens to other buckets too"


def alarms(t):
    dimensions = {"AWS/SQS": "QueueName", "AWS/Lambda": "FunctionName", "findata": "stack"}
    for name, alarm in t.of("CloudWatch::Alarm").items():
        space = alarm["Namespace"]
        if alarm["MetricName"] not in METRICS.get(space, ()):
            yield f"{name}: nothing writes {space} {alarm['MetricName']}"
        if [d["Name"] for d in alarm["Dimensions"]] != [dimensions.get(space)]:
            yield f"{name}: nothing writes it with these dimensions"
        if target(alarm["Dimensions"][0]["Value"]) not in {*t.resources, "AWS::StackName"}:
            yield f"{name}: looks at nothing of this stack"
        if not alarm.get("AlarmActions"):
            yield f"{name}: tells nobody"
        if alarm.get("TreatMissingData") != "notBreaching":
            yield f"{name}: stays undecided while nothing happens"
    for name, dashboard in t.of("CloudWatch::Dashboard").items():
        shown = set(re.findall(r'"([A-Z][A-Za-z]+)"(?=, "(?:stack|QueueName|FunctionName|\.)")', dashboard["DashboardBody"]["Fn::Sub"]))
        if unknown := shown - set().union(*METRICS.values()):
            yield f"{name}: nothing writes {sorted(unknown)}"
        json.loads(dashboard["DashboardBody"]["Fn::Sub"])


def bucket(t):
    for name, b in t.of("S3::Bucket").items():
        if list(b.get("PublicAccessBlockConfiguration", {}).values()) != [True] * 4:
            yield f"{name}: not closed to the public"
        if "BucketEncryption" not in b:
            yield f"{name}: not encrypted"
        if not b.get("NotificationConfiguration", {}).get("EventBridgeConfiguration", {}).get("EventBridgeEnabled"):
            yield f"{name}: tells nobody that an object was created"
        rules = json.dumps(b.get("LifecycleConfiguration", {}))
        if missing := [part for part in ("/landing/", "/runs/", "/state/asked/", "AbortIncompleteMultipartUpload") if part not in rules]:
            yield f"{name}: keeps {missing} for ever"
        # Only who asked for what is past use once it is answered.
        if "/state/" in rules.replace("/state/asked/", ""):
            yield f"{name}: forgets its state"
        if t.resources[name].get("DeletionPolicy") != "Retain" or t.resources[name].get("UpdateReplacePolicy") != "Retain":
            yield f"{name}: goes with the stack"
        deny = [s for p in t.of("S3::BucketPolicy").values() if target(p["Bucket"]) == name for s in p["PolicyDocument"]["Statement"]]
        if not any(s["Effect"] == "Deny" and s.get("Condition") == {"Bool": {"aws:SecureTransport": False}} and len(s["Resource"]) == 2 for s in deny):
            yield f"{name}: takes requests without TLS"


def whole(t):
    # What has no tags, or costs nothing and gets them from the stack alone.
    untagged = {"S3::BucketPolicy", "SQS::QueuePolicy", "CloudWatch::Dashboard", "Lambda::EventInvokeConfig", "Lambda::Permission",
                "Scheduler::Schedule", "Events::Rule", "Lambda::EventSourceMapping"}
    for name, r in t.resources.items():
        if r["Type"].removeprefix("AWS::") not in untagged and "findata" not in json.dumps(r.get("Properties", {}).get("Tags", [])):
            yield f"{name}: has no tag Project"
    if missing := OUTPUTS - set(t.body["Outputs"]):
        yield f"outputs lack {sorted(missing)}"


CHECKS = (mappings, schedules, dead_letters, policies, functions, rules, alarms, bucket, whole)


def linted(path):
    done = subprocess.run([Path(sys.executable).with_name("cfn-lint"), "--format", "json", "--include-checks", "I", "--", str(path)], capture_output=True, text=True)
    if done.returncode and not done.stdout.strip().startswith("["):
        raise SystemExit(f"cfn-lint: {done.stderr}")
    return [f"{m['Rule']['Id']}: {m['Message']}" for m in json.loads(done.stdout or "[]")]


def findings(text, lint=True):
    """{who found it: what}. A template that cannot be translated is one finding."""
    try:
        body = translated(text)
    except Exception as e:
        return {"sam": [getattr(e, "message", str(e))]}
    found = {check.__name__: list(check(Template(body))) for check in CHECKS}
    if lint:
        with tempfile.TemporaryDirectory() as folder:
            for name, content in (("source.yaml", text), ("translated.json", json.dumps(body, default=str))):
                path = f"{folder}/{name}"
                with open(path, "w") as file:
                    file.write(content)
                found[f"cfn-lint of {name}"] = linted(path)
    return {check: what for check, what in found.items() if what}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plant", choices=[fault.name for fault in FAULTS])
    parser.add_argument("--faults", action="store_true")
    asked = parser.parse_args()
    if asked.faults:
        return print("\n".join(fault.name for fault in FAULTS))
    text = TEMPLATE.read_text()
    found = findings(planted(text, asked.plant) if asked.plant else text)
    print(json.dumps(found, indent=1))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
