"""Checks infra/template.yaml without an account: prints findings as JSON and exits with 1 if there
are any.

usage: template_lint.py [--mutate NAME]     applies a known mutation first, which must be detected
       template_lint.py --list-mutations    prints the names of the mutations
cfn-lint checks the SAM source and the translated template. The checks below read the translated
template. They find faults that cfn-lint accepts: properties that AWS rejects, or ignores.
"""
import argparse, json, re, subprocess, sys, tempfile
from pathlib import Path
from mutations import MUTATIONS, mutate
from sam_translation import TEMPLATE, translate


def written_metrics():
    """The metrics of the functions, as listed in the Rust code that writes them."""
    sources = (path.read_text() for path in (TEMPLATE.parents[1] / "shared").rglob("telemetry.rs"))
    listed = next(
        found[1] for found in (re.search(r"METRICS[^=]*=\s*\[(.*?)\]", text, re.S) for text in sources) if found
    )
    return set(re.findall(r'"(\w+)"', listed))


METRICS = {
    "findata": written_metrics(),
    "AWS/SQS": {
        "NumberOfMessagesReceived",
        "ApproximateNumberOfMessagesVisible",
        "ApproximateAgeOfOldestMessage",
    },
    "AWS/Lambda": {"Errors", "Throttles", "Duration", "Invocations"},
}
COMMON = {"FINDATA_STACK", "FINDATA_STAGE", "FINDATA_TODAY", "RUST_LOG"}
FMP = {
    "FINDATA_FMP_BURST",
    "FINDATA_FMP_GIGABYTES",
    "FINDATA_FMP_PLAN",
    "FINDATA_FMP_SECRET",
    "FINDATA_FMP_URL",
    "FINDATA_QUEUE_URL",
}
SNOWFLAKE = {"FINDATA_BUS", "FINDATA_SNOWFLAKE_SECRET"} | {
    f"SNOWFLAKE_{name}"
    for name in ("ACCOUNT", "DATABASE", "ROLE", "SCHEMA", "STAGE", "URL", "USER", "WAREHOUSE")
}
ENVIRONMENT = {"Fanout": COMMON | FMP | {"FINDATA_BUS", "FINDATA_INDEX", "FINDATA_TTL"},
               "Extract": COMMON | FMP | {"FINDATA_DEAD_LETTERS"},
               "Load": COMMON | SNOWFLAKE, "Analytics": COMMON | SNOWFLAKE}
OUTPUTS = {
    "BucketName",
    "StageUrl",
    "BusName",
    "QueueUrl",
    "FanoutName",
    "FanoutArn",
    "ExtractName",
    "LoadName",
    "AnalyticsName",
    "SnowflakeRoleArn",
    "DashboardUrl",
}
SQS_DEFAULT_RETENTION = 345600


class Template:
    def __init__(self, body):
        self.body, self.resources = body, body["Resources"]

    def properties(self, resource_type):
        """Returns the resources of a type: {logical id: properties}."""
        return {
            name: r.get("Properties", {})
            for name, r in self.resources.items()
            if r["Type"] == f"AWS::{resource_type}"
        }

    def resolve(self, value):
        """Replaces a Ref to a parameter with the parameter's default, and an If with its first branch."""
        if isinstance(value, dict) and "Ref" in value and value["Ref"] in self.body["Parameters"]:
            return self.body["Parameters"][value["Ref"]].get("Default")
        if isinstance(value, dict) and "Fn::If" in value:
            return self.resolve(value["Fn::If"][1])
        return value

    def number(self, value, default=0):
        resolved = self.resolve(value)
        return int(resolved) if resolved is not None else default


def referenced(value):
    """The logical id that a Ref or a GetAtt refers to."""
    if not isinstance(value, dict):
        return None
    if "Ref" in value:
        return value["Ref"]
    name = value.get("Fn::GetAtt")
    return (name.split(".") if isinstance(name, str) else name or [None])[0]


def as_list(value):
    return value if isinstance(value, list) else [value]


def statements(role):
    return [s for policy in role.get("Policies", []) for s in as_list(policy["PolicyDocument"]["Statement"])]


def allows(role, action, resource):
    return any(action in as_list(s["Action"]) and resource in map(referenced, as_list(s["Resource"]))
               for s in statements(role))


def event_source_mappings(t):
    queues, functions = t.properties("SQS::Queue"), t.properties("Lambda::Function")
    for name, m in t.properties("Lambda::EventSourceMapping").items():
        queue, function = queues.get(referenced(m["EventSourceArn"])), functions[referenced(m["FunctionName"])]
        if t.number(m.get("BatchSize"), 10) > 10 and t.number(m.get("MaximumBatchingWindowInSeconds")) < 1:
            yield f"{name}: a BatchSize over 10 needs a batching window"
        if "ReportBatchItemFailures" not in m.get("FunctionResponseTypes", []):
            yield f"{name}: without ReportBatchItemFailures one bad message fails its whole batch"
        workers = m.get("ScalingConfig", {}).get("MaximumConcurrency")
        minimum = t.body["Parameters"].get(referenced(workers) or "", {}).get("MinValue", t.resolve(workers))
        if workers is None or int(minimum or 0) < 2:
            yield f"{name}: MaximumConcurrency must be at least 2"
        if t.number(queue.get("VisibilityTimeout"), 30) < 6 * t.number(function.get("Timeout"), 3):
            yield f"{name}: the queue's VisibilityTimeout is below six times the function's timeout"
        if "RedrivePolicy" not in queue:
            yield f"{name}: without a RedrivePolicy a message that always fails is retried forever"


def schedules(t):
    for name, s in t.properties("Scheduler::Schedule").items():
        expression = t.resolve(s["ScheduleExpression"])
        rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)(s?)\)", expression)
        if not (rate and (int(rate[1]) == 1) == (rate[3] == "")) and not re.fullmatch(
            r"cron\((\S+ ){5}\S+\)", expression
        ):
            yield f"{name}: {expression} is not a valid schedule"
        if expression.startswith("cron(") and (expression.split()[2] == "?") == (expression.split()[4] == "?"):
            yield f"{name}: exactly one of the two day fields in {expression} must be ?"
        role = t.resources[referenced(s["Target"]["RoleArn"])]["Properties"]
        if not allows(role, "lambda:InvokeFunction", referenced(s["Target"]["Arn"])):
            yield f"{name}: its role may not invoke the function"
        dead_letters = s["Target"].get("DeadLetterConfig")
        if dead_letters and not allows(role, "sqs:SendMessage", referenced(dead_letters["Arn"])):
            yield f"{name}: its role may not send to its dead-letter queue"


def dead_letter_queues(t):
    queues, policies = t.properties("SQS::Queue"), t.properties("SQS::QueuePolicy")
    for name, queue in queues.items():
        if redrive := queue.get("RedrivePolicy"):
            dead_letters = queues.get(referenced(redrive["deadLetterTargetArn"]))
            retention = lambda q: t.number(q.get("MessageRetentionPeriod"), SQS_DEFAULT_RETENTION)
            if dead_letters is None:
                yield f"{name}: its dead-letter queue is not in the template"
            elif retention(dead_letters) < retention(queue):
                yield f"{name}: its dead-letter queue has a shorter retention"
        if not queue.get("SqsManagedSseEnabled"):
            yield f"{name}: not encrypted"
    for name, rule in t.properties("Events::Rule").items():
        for rule_target in rule["Targets"]:
            queue = referenced(rule_target.get("DeadLetterConfig", {}).get("Arn"))
            if queue is None:
                yield f"{name}: no dead-letter queue, so undeliverable events are lost"
                continue
            queue_policies = [p for p in policies.values() if queue in map(referenced, p["Queues"])]
            if len(queue_policies) != 1:
                yield f"{name}: {queue} has {len(queue_policies)} policies instead of one"
            sources = [
                s.get("Condition", {}).get("ArnEquals", {}).get("aws:SourceArn", [])
                for p in queue_policies
                for s in p["PolicyDocument"]["Statement"]
                if s["Action"] == "sqs:SendMessage"
            ]
            if not any(name in map(referenced, as_list(source)) for source in sources):
                yield f"{name}: the policy of {queue} does not allow this rule"


def policies(t):
    for name, role in t.properties("IAM::Role").items():
        if role.get("ManagedPolicyArns"):
            yield f"{name}: has managed policies"
        for s in statements(role):
            for action in as_list(s["Action"]):
                if "*" in action:
                    yield f"{name}: allows {action}"
            for resource in as_list(s["Resource"]):
                text = resource.get("Fn::Sub", "") if isinstance(resource, dict) else resource
                # A wildcard may only match the contents of one of findata's own folders.
                own_folder = r"\$\{Bucket\.Arn\}/\$\{StagePrefix\}/(landing(/(\*_)?[a-z0-9_]+)?|runs|state)/\*"
                if "*" in text and not re.fullmatch(own_folder, text):
                    yield f"{name}: allows access to {text}"
            if as_list(s["Action"]) == ["s3:ListBucket"] and "s3:prefix" not in json.dumps(
                s.get("Condition", {})
            ):
                yield f"{name}: may list the whole bucket"


def functions(t):
    logs, roles, role_owners = t.properties("Logs::LogGroup"), t.properties("IAM::Role"), {}
    destinations = {
        referenced(c["FunctionName"]): referenced(
            c.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        )
        for c in t.properties("Lambda::EventInvokeConfig").values()
    }
    async_functions = {referenced(rule_target["Arn"])
                       for rule in t.properties("Events::Rule").values() for rule_target in rule["Targets"]}
    async_functions |= {referenced(s["Target"]["Arn"]) for s in t.properties("Scheduler::Schedule").values()}
    for name, f in t.properties("Lambda::Function").items():
        log, role = referenced(f.get("LoggingConfig", {}).get("LogGroup")), referenced(f["Role"])
        if log not in logs or not logs[log].get("RetentionInDays"):
            yield f"{name}: no log group with a retention"
        elif not all(
            allows(roles[role], f"logs:{action}", log) for action in ("CreateLogStream", "PutLogEvents")
        ):
            yield f"{name}: may not write to its log group"
        if role in role_owners:
            yield f"{name}: shares its role with {role_owners[role]}"
        role_owners[role] = name
        if name in async_functions and destinations.get(name) is None:
            yield f"{name}: no on-failure destination, so failed events are lost"
        elif name in async_functions and not allows(roles[role], "sqs:SendMessage", destinations[name]):
            yield f"{name}: may not send to its on-failure destination"
        variables = set(f["Environment"]["Variables"])
        if variables != ENVIRONMENT[name]:
            yield f"{name}: environment differs: {sorted(variables ^ ENVIRONMENT[name])}"
        if (t.resolve(f.get("ReservedConcurrentExecutions")) == 1) != (name in ("Load", "Analytics")):
            yield f"{name}: only load and analytics must have a reserved concurrency of 1"
        if f.get("Runtime") != "provided.al2023" or t.resolve(f["Architectures"][0]) != "arm64":
            yield f"{name}: not provided.al2023 on arm64"


def rules(t):
    permissions = [(referenced(p["FunctionName"]), referenced(p.get("SourceArn")), p["Principal"])
                   for p in t.properties("Lambda::Permission").values()]
    for name, rule in t.properties("Events::Rule").items():
        for rule_target in rule["Targets"]:
            if (referenced(rule_target["Arn"]), name, "events.amazonaws.com") not in permissions:
                yield f"{name}: may not invoke {referenced(rule_target['Arn'])}"
        # S3 publishes only on the default bus, so exactly the rules for S3 events must use it.
        if ("aws.s3" in rule["EventPattern"]["source"]) == ("EventBusName" in rule):
            yield f"{name}: is on the wrong bus"
        if "aws.s3" in rule["EventPattern"]["source"] and "Bucket" not in json.dumps(
            rule["EventPattern"]["detail"]["bucket"]
        ):
            yield f"{name}: does not match the stack's bucket"


def alarms(t):
    dimensions = {"AWS/SQS": "QueueName", "AWS/Lambda": "FunctionName", "findata": "stack"}
    for name, alarm in t.properties("CloudWatch::Alarm").items():
        namespace = alarm["Namespace"]
        if alarm["MetricName"] not in METRICS.get(namespace, ()):
            yield f"{name}: nothing writes the metric {namespace} {alarm['MetricName']}"
        if [d["Name"] for d in alarm["Dimensions"]] != [dimensions.get(namespace)]:
            yield f"{name}: nothing writes the metric with these dimensions"
        if referenced(alarm["Dimensions"][0]["Value"]) not in {*t.resources, "AWS::StackName"}:
            yield f"{name}: does not refer to this stack"
        if not alarm.get("AlarmActions"):
            yield f"{name}: has no action"
        if alarm.get("TreatMissingData") != "notBreaching":
            yield f"{name}: has insufficient data between runs"
    for name, dashboard in t.properties("CloudWatch::Dashboard").items():
        body = dashboard["DashboardBody"]["Fn::Sub"]
        shown = set(re.findall(r'"([A-Z][A-Za-z]+)"(?=, "(?:stack|QueueName|FunctionName|\.)")', body))
        if unknown := shown - set().union(*METRICS.values()):
            yield f"{name}: nothing writes the metrics {sorted(unknown)}"
        json.loads(body)


def bucket(t):
    for name, b in t.properties("S3::Bucket").items():
        if list(b.get("PublicAccessBlockConfiguration", {}).values()) != [True] * 4:
            yield f"{name}: does not block public access"
        if "BucketEncryption" not in b:
            yield f"{name}: not encrypted"
        if (
            not b.get("NotificationConfiguration", {})
            .get("EventBridgeConfiguration", {})
            .get("EventBridgeEnabled")
        ):
            yield f"{name}: does not publish events"
        lifecycle = json.dumps(b.get("LifecycleConfiguration", {}))
        expiring = ("/state/asked/", "AbortIncompleteMultipartUpload")
        if missing := [part for part in expiring if part not in lifecycle]:
            yield f"{name}: never deletes {missing}"
        # A rebuild of the warehouse needs landing files and ledgers of any age.
        if needed := [part for part in ("/landing/", "/runs/") if part in lifecycle]:
            yield f"{name}: deletes {needed}"
        # Under state/, only the ids of direct invocations may expire.
        if "/state/" in lifecycle.replace("/state/asked/", ""):
            yield f"{name}: deletes its state"
        if any(
            t.resources[name].get(policy) != "Retain" for policy in ("DeletionPolicy", "UpdateReplacePolicy")
        ):
            yield f"{name}: is deleted with the stack"
        denials = [s for p in t.properties("S3::BucketPolicy").values() if referenced(p["Bucket"]) == name
                   for s in p["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        if not any(
            s.get("Condition") == {"Bool": {"aws:SecureTransport": False}} and len(s["Resource"]) == 2
            for s in denials
        ):
            yield f"{name}: accepts requests without TLS"


def stack(t):
    # Types that cannot be tagged, and types that cost nothing and get only the stack's own tags.
    untagged = {"S3::BucketPolicy", "SQS::QueuePolicy", "CloudWatch::Dashboard", "Lambda::EventInvokeConfig",
                "Lambda::Permission", "Scheduler::Schedule", "Events::Rule", "Lambda::EventSourceMapping"}
    for name, r in t.resources.items():
        tags = json.dumps(r.get("Properties", {}).get("Tags", []))
        if r["Type"].removeprefix("AWS::") not in untagged and "findata" not in tags:
            yield f"{name}: has no tag Project"
    if missing := OUTPUTS - set(t.body["Outputs"]):
        yield f"missing outputs: {sorted(missing)}"


CHECKS = (
    event_source_mappings,
    schedules,
    dead_letter_queues,
    policies,
    functions,
    rules,
    alarms,
    bucket,
    stack,
)


def cfn_lint(path):
    command = [
        Path(sys.executable).with_name("cfn-lint"),
        "--format",
        "json",
        "--include-checks",
        "I",
        "--",
        str(path),
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode and not result.stdout.strip().startswith("["):
        raise SystemExit(f"cfn-lint: {result.stderr}")
    return [f"{m['Rule']['Id']}: {m['Message']}" for m in json.loads(result.stdout or "[]")]


def findings(text, lint=True):
    """Returns {check: [findings]}. A template that cannot be translated is a single finding."""
    try:
        body = translate(text)
    except Exception as e:
        return {"sam": [getattr(e, "message", str(e))]}
    found = {check.__name__: list(check(Template(body))) for check in CHECKS}
    if lint:
        with tempfile.TemporaryDirectory() as folder:
            for name, content in (("source.yaml", text), ("translated.json", json.dumps(body, default=str))):
                path = f"{folder}/{name}"
                with open(path, "w") as file:
                    file.write(content)
                found[f"cfn-lint of {name}"] = cfn_lint(path)
    return {check: messages for check, messages in found.items() if messages}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutate", choices=[mutation.name for mutation in MUTATIONS])
    parser.add_argument("--list-mutations", action="store_true")
    args = parser.parse_args()
    if args.list_mutations:
        return print("\n".join(mutation.name for mutation in MUTATIONS))
    text = TEMPLATE.read_text()
    found = findings(mutate(text, args.mutate) if args.mutate else text)
    print(json.dumps(found, indent=1))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
