"""Checks of alarms and the dashboard."""
import json, re
from sam_translation import TEMPLATE
from template_model import as_list, referenced


ROOT = TEMPLATE.parents[1]


def written_metrics():
    """The metrics of the functions and their units, as listed in the Rust code that writes them."""
    text = (ROOT / "shared/pipeline/src/telemetry.rs").read_text()
    listed = re.search(r"METRICS[^=]*=\s*\[(.*?)\n\];", text, re.S)[1]
    return dict(re.findall(r'\("(\w+)", "([\w/]+)", "[\w, ]+"\)', listed))


def emitted_metrics():
    """The names that the code passes to a metric line, outside of the list and of tests."""
    sources = [*(ROOT / "functions").glob("*/src/**/*.rs"), ROOT / "shared/pipeline/src/telemetry.rs", *(ROOT / "shared/aws").glob("src/**/*.rs")]
    text = "".join(path.read_text().split("#[cfg(test)]")[0] for path in sources)
    return set(re.findall(r'"(\w+)"', re.sub(r"METRICS[^=]*=\s*\[.*?\n\];", "", text, flags=re.S)))


WRITTEN = written_metrics()
METRICS = {
    "findata": set(WRITTEN),
    "AWS/SQS": {
        "NumberOfMessagesSent",
        "NumberOfMessagesReceived",
        "NumberOfMessagesDeleted",
        "ApproximateNumberOfMessagesVisible",
        "ApproximateAgeOfOldestMessage",
    },
    "AWS/Lambda": {"Errors", "Throttles", "Duration", "Invocations", "IteratorAge"},
}
DIMENSIONS = {"AWS/SQS": "QueueName", "AWS/Lambda": "FunctionName", "findata": "stack"}
# Ends of a run that a person must know about. A rejected request is the requester's mistake.
ALARMED, NOT_ALARMED = {"RunsFailed", "RunsPartial", "RunsBudget", "RunsToRetry"}, {"RequestsRejected"}
# What the title of a chart must contain, because the number alone could be taken for another unit.
IN_TITLE = {"Seconds": "(seconds)", "Percent": "%", "Count/Second": "per second"}
UNITS = {
    **{name: IN_TITLE[unit] for name, unit in WRITTEN.items() if unit in IN_TITLE},
    "Duration": "(ms)", "IteratorAge": "(ms)", "OpenRunMinutes": "(minutes)", "ApproximateAgeOfOldestMessage": "(seconds)",
}
# A ratio or a state has no sum, and a sum of counts has no average.
SUMMED = {"RunsCompleted", "RunsPartial", "RunsBudget", "RunsFailed", "RunsToRetry", "RequestsRejected", "Calls", "Rows", "Ticks", "TicksQuarantined", "TicksLate"}


def alarms(t):
    found = t.properties("CloudWatch::Alarm")
    for name, alarm in found.items():
        namespace, metric = alarm["Namespace"], alarm["MetricName"]
        if metric not in METRICS.get(namespace, ()):
            yield f"{name}: nothing writes the metric {namespace} {metric}"
        if namespace == "findata" and alarm.get("Unit", WRITTEN.get(metric)) != WRITTEN.get(metric):
            yield f"{name}: the metric {metric} has the unit {WRITTEN.get(metric)}"
        if [d["Name"] for d in alarm["Dimensions"]] != [DIMENSIONS.get(namespace)]:
            yield f"{name}: nothing writes the metric with these dimensions"
        if referenced(alarm["Dimensions"][0]["Value"]) not in {*t.resources, "AWS::StackName"}:
            yield f"{name}: does not refer to this stack"
        if t.holds({"Condition": "HasEmail"}) and not alarm.get("AlarmActions"):
            yield f"{name}: has no action"
        is_silence = alarm["ComparisonOperator"] == "LessThanThreshold"
        if alarm.get("TreatMissingData") != ("breaching" if is_silence else "notBreaching"):
            yield f"{name}: treats missing data as the opposite of what it means"
        # A count returns to OK after its period, so that the next failure raises the alarm again. An
        # alarm on a state stays raised, so its end must be reported.
        is_count = alarm["Statistic"] == "Sum" and not is_silence
        if is_count and t.number(alarm["Period"]) > 300:
            yield f"{name}: is not raised again by a failure within {alarm['Period']} seconds"
        if is_count == ("OKActions" in alarm) and t.holds({"Condition": "HasEmail"}):
            yield f"{name}: {'reports the end of a count' if is_count else 'does not report the end of a state'}"
        if metric == "ApproximateNumberOfMessagesVisible":
            yield f"{name}: is not raised again while a message waits; count the sent messages"
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
        periods = t.body["Parameters"].get(referenced(alarm["EvaluationPeriods"]) or "", {}).get("MaxValue")
        period = t.number(alarm["Period"])
        if period * int(periods or t.number(alarm["EvaluationPeriods"])) > (604800 if period >= 3600 else 86400):
            yield f"{name}: evaluates more than seven days, or a day with periods below an hour"


def metrics(t):
    """Each listed metric is written by the code, and described in the README with its unit and functions."""
    text = (ROOT / "shared/pipeline/src/telemetry.rs").read_text()
    for name in sorted(set(WRITTEN) - emitted_metrics()):
        yield f"{name}: listed, but no code writes it"
    readme = (ROOT / "infra/README.md").read_text()
    described = dict(re.findall(r"^\| `(\w+)` \| ([\w/]+ \| [\w, ]+) \|", readme, re.M))
    listed = {name: f"{unit} | {by}" for name, unit, by in re.findall(r'\("(\w+)", "([\w/]+)", "([\w, ]+)"\)', text)}
    if described != listed:
        yield f"infra/README.md describes other metrics: {sorted(set(described.items()) ^ set(listed.items()))}"


def alarm_coverage(t):
    """Every way in which work can be lost has an alarm."""
    found = t.properties("CloudWatch::Alarm").values()
    watched = {(a["MetricName"], referenced(a["Dimensions"][0]["Value"])): a for a in found}
    stack = "AWS::StackName"
    for metric in sorted(ALARMED | NOT_ALARMED):
        if ((metric, stack) in watched) != (metric in ALARMED):
            yield f"{metric}: {'no alarm' if metric in ALARMED else 'an alarm, though nothing failed'}"
    queues = t.properties("SQS::Queue")
    redriven = {referenced(q["RedrivePolicy"]["deadLetterTargetArn"]) for q in queues.values() if "RedrivePolicy" in q}
    consumed = {referenced(m["EventSourceArn"]) for m in t.properties("Lambda::EventSourceMapping").values()}
    # SQS does not count a message that it moves itself as sent.
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    for queue in sorted(redriven):
        metrics = ["NumberOfMessagesDeleted"] if queue in consumed else ["NumberOfMessagesSent", "ApproximateAgeOfOldestMessage"]
        for metric in metrics:
            if (metric, queue) not in watched:
                yield f"{queue}: no alarm on {metric}"
    for metric in [("IteratorAge", "Stream"), ("TicksQuarantined", stack), ("TicksLate", stack)]:
        if t.holds({"Condition": "StreamsPrices"}) != (metric in watched):
            yield f"{metric[0]}: its alarm must exist exactly if prices are streamed"
    invocations = watched.get(("Invocations", "Fanout"), {}).get("ComparisonOperator")
    if invocations != "LessThanThreshold":
        yield "no alarm if the sweeper stops"
    if t.holds({"Condition": "RunsDaily"}) != (("RunSeconds", stack) in watched):
        yield "the alarm for missing runs must exist exactly if the daily run is on"
    if t.number(watched.get(("Errors", "Extract"), {}).get("Threshold"), 99) > 1:
        yield "no alarm on the first error of extract"
    # A sweep reports the age of open runs, so a period must contain at least two sweeps.
    sweep = next(s for s in t.properties("Scheduler::Schedule").values() if "sweep" in json.dumps(s["Target"].get("Input")))
    minutes = int((re.match(r"rate\((\d+) minute", sweep["ScheduleExpression"]) or [0, 0])[1])
    if t.number(watched.get(("OpenRunMinutes", stack), {}).get("Period")) < 2 * 60 * minutes:
        yield "OpenRunMinutes: the alarm's period is shorter than two sweeps, so the alarm flaps"


def dashboard(t):
    for name, board in t.properties("CloudWatch::Dashboard").items():
        widgets = [w["properties"] for w in json.loads(board["DashboardBody"]["Fn::Sub"])["widgets"]]
        shown = set()
        for widget in widgets:
            previous = []
            for line in widget["metrics"]:
                line = [part for part in line if isinstance(part, str)]
                if line[0] == "...":
                    line = [*previous[: 1 - len(line)], *line[1:]]
                line = [previous[i] if part == "." else part for i, part in enumerate(line)]
                previous, (namespace, metric, dimension, _) = line, line
                if metric not in METRICS.get(namespace, ()) or dimension != DIMENSIONS[namespace]:
                    yield f"{name}: nothing writes {namespace} {metric} by {dimension}"
                if UNITS.get(metric, "") not in widget["title"]:
                    yield f"{name}: the title {widget['title']!r} does not name the unit {UNITS[metric]}"
                if namespace == "findata" and (widget["stat"] == "Sum") != (metric in SUMMED):
                    yield f"{name}: {metric} has no {widget['stat']}"
                shown.add((namespace, metric))
        if missing := METRICS["findata"] - {metric for _, metric in shown}:
            yield f"{name}: does not show {sorted(missing)}"
        boxes = [(w["x"], w["y"]) for w in json.loads(board["DashboardBody"]["Fn::Sub"])["widgets"]]
        if len(set(boxes)) != len(boxes):
            yield f"{name}: two widgets are in the same place"


CHECKS = (metrics, alarms, alarm_coverage, dashboard)
