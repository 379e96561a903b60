"""Checks of events, queues, functions and parameters."""
import json, re
from template_model import allows, as_list, referenced

COMMON = {"FINDATA_STACK", "FINDATA_STAGE", "FINDATA_TODAY", "OTEL_EXPORTER_OTLP_ENDPOINT", "RUST_LOG"}
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
ENVIRONMENT = {"Fanout": COMMON | FMP | {"FINDATA_BUS", "FINDATA_INDEX", "FINDATA_LATE_MINUTES", "FINDATA_SILENT_DAYS", "FINDATA_TTL"},
               "Extract": COMMON | FMP | {"FINDATA_DEAD_LETTERS", "FINDATA_RETRY_PAUSE"},
               "Stream": COMMON, "Load": COMMON | SNOWFLAKE, "Analytics": COMMON | SNOWFLAKE}
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
# The parts of a notice, as in shared/pipeline/src/notice.rs.
NOTICE = ("what", "scope", "since", "next")


def event_source_mappings(t):
    queues, functions = t.properties("SQS::Queue"), t.properties("Lambda::Function")
    for name, m in t.properties("Lambda::EventSourceMapping").items():
        if referenced(m["EventSourceArn"]) in t.properties("Kinesis::Stream"):
            yield from stream_mapping(t, name, m)
            continue
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


def stream_mapping(t, name, m):
    """A batch that keeps failing must end, must not fail whole, and must be reported. Otherwise it stops its shard
    until its records expire, or they are lost without a trace."""
    if (m["BatchSize"], m["MaximumBatchingWindowInSeconds"]) != (1000, 30):
        yield f"{name}: must flush every 1,000 records or 30 seconds"
    if "ReportBatchItemFailures" not in m.get("FunctionResponseTypes", []) or not m.get("BisectBatchOnFunctionError"):
        yield f"{name}: one bad record fails its whole batch"
    if m.get("StartingPosition") != "TRIM_HORIZON":
        yield f"{name}: skips the records from before its creation"
    hours = t.properties("Kinesis::Stream")[referenced(m["EventSourceArn"])]["RetentionPeriodHours"]
    if not 0 < m.get("MaximumRecordAgeInSeconds", -1) < 3600 * hours or not 0 < m.get("MaximumRetryAttempts", -1):
        yield f"{name}: tries a batch until its records expire"
    role = t.properties("IAM::Role")[referenced(t.properties("Lambda::Function")[referenced(m["FunctionName"])]["Role"])]
    destination = referenced(m.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"))
    if not allows(role, "sqs:SendMessage", destination):
        yield f"{name}: has no on-failure destination, or may not send to it"
    if not allows(role, "kinesis:GetRecords", referenced(m["EventSourceArn"])):
        yield f"{name}: may not read the stream"


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
        reserved = 1 if name in ("Load", "Analytics") and t.holds({"Condition": "Reserves"}) else None
        if f.get("ReservedConcurrentExecutions") != reserved:
            yield f"{name}: only load and analytics may reserve a concurrency of 1, if the account allows it"
        # `sam build` compiles for the default of a parameter, whatever is deployed.
        if f.get("Runtime") != "provided.al2023" or f["Architectures"] != ["arm64"]:
            yield f"{name}: not provided.al2023 on a fixed arm64"
        # Only extract sends to the queue that invokes it.
        if ("RecursiveLoop" in f) != (name == "Extract") or f.get("RecursiveLoop", "Allow") != "Allow":
            yield f"{name}: Lambda must not stop extract's chain of messages, and must stop any other loop"


def notices(t, name, topic, transformer):
    """A notice has all its lines, and its topic accepts it. The user sets the policy of their own topic."""
    lines = transformer["InputTemplate"].split("\n")
    if transformer["InputPathsMap"] != {part: f"$.detail.notice.{part}" for part in NOTICE}:
        yield f"{name}: does not read the parts of a notice"
    if lines != [f'"<{part}>"' for part in NOTICE]:
        yield f"{name}: does not send the parts of a notice, each in a line"
    if topic in t.body["Parameters"]:
        return
    statements = [s for p in t.properties("SNS::TopicPolicy").values() if topic in map(referenced, p["Topics"])
                  for s in p["PolicyDocument"]["Statement"]]
    sources = {s["Principal"]["Service"]: s["Condition"] for s in statements if s["Action"] == "sns:Publish"}
    source = sources.get("events.amazonaws.com", {}).get("ArnEquals", {}).get("aws:SourceArn")
    if referenced(source) != name or "cloudwatch.amazonaws.com" not in sources:
        yield f"{name}: the policy of {topic} does not allow this rule and the alarms"


def rules(t):
    permissions = [(referenced(p["FunctionName"]), referenced(p.get("SourceArn")), p["Principal"])
                   for p in t.properties("Lambda::Permission").values()]
    for name, rule in t.properties("Events::Rule").items():
        for rule_target in rule["Targets"]:
            arn = referenced(rule_target["Arn"])
            if arn in t.properties("SNS::Topic") or arn in t.body["Parameters"]:
                yield from notices(t, name, arn, rule_target["InputTransformer"])
            elif (arn, name, "events.amazonaws.com") not in permissions:
                yield f"{name}: may not invoke {referenced(rule_target['Arn'])}"
        # S3 publishes only on the default bus, so exactly the rules for S3 events must use it.
        if ("aws.s3" in rule["EventPattern"]["source"]) == ("EventBusName" in rule):
            yield f"{name}: is on the wrong bus"
        if "aws.s3" in rule["EventPattern"]["source"] and "Bucket" not in json.dumps(
            rule["EventPattern"]["detail"]["bucket"]
        ):
            yield f"{name}: does not match the stack's bucket"


def defaults(t):
    """The template deploys with its defaults into a new account, and nothing starts before Snowflake is set up."""
    daily = next(s for s in t.properties("Scheduler::Schedule").values() if "universe" in json.dumps(s["Target"]["Input"]))
    runs = t.resolve(daily["State"]) == "ENABLED"
    if runs != t.holds({"Condition": "TrustsSnowflake"}):
        yield f"the daily run is {'on' if runs else 'off'}, though Snowflake {'cannot' if runs else 'can'} read the bucket"
    if t.body["Parameters"]["ReserveConcurrency"]["Default"] != "false":
        yield "a new account cannot reserve concurrency: Lambda keeps 100 of its limit of 10 unreserved"


def parameters(t):
    """Each parameter is checked before a resource is created, and is in one group of the console's form."""
    required = {name for name, p in t.body["Parameters"].items() if "Default" not in p}
    if required != {"FmpSecretArn", "SnowflakeSecretArn", "SnowflakeAccount"}:
        yield f"asks for {sorted(required)}"
    for name, p in t.body["Parameters"].items():
        if not {"AllowedPattern", "AllowedValues", "MinValue"} & set(p) or "Description" not in p:
            yield f"{name}: accepts any text, or is not described"
    groups = t.body["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    if sorted(grouped) != sorted(t.body["Parameters"]):
        yield f"not in exactly one group: {sorted({*grouped} ^ {*t.body['Parameters']}) or 'a repeated parameter'}"


def stack(t):
    # Types that cannot be tagged, and types that cost nothing and get only the stack's own tags.
    untagged = {"S3::BucketPolicy", "SQS::QueuePolicy", "SNS::TopicPolicy", "CloudWatch::Dashboard", "Lambda::EventInvokeConfig",
                "Lambda::Permission", "Scheduler::Schedule", "Events::Rule", "Lambda::EventSourceMapping"}
    for name, r in t.resources.items():
        tags = json.dumps(r.get("Properties", {}).get("Tags", []))
        if r["Type"].removeprefix("AWS::") not in untagged and "findata" not in tags:
            yield f"{name}: has no tag Project"
    if missing := OUTPUTS - set(t.body["Outputs"]):
        yield f"missing outputs: {sorted(missing)}"


CHECKS = (event_source_mappings, schedules, dead_letter_queues, functions, rules, defaults, parameters, stack)
