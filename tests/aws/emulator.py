"""Patches ministack 1.5.33 where it behaves differently from AWS. controls.py records calls and injects
faults.

  Roles      Event source mappings, on-failure destinations, log streams and schedules need the
             permission of their role; rules need a permission in the function's resource policy.
             Without it nothing is delivered, and the event goes to the rule's dead-letter queue.
  Delivery   Rules and schedules invoke functions asynchronously: two retries, then the on-failure
             destination. Events wait while the function is at its reserved concurrency.
  Schedules  Placeholders such as <aws.scheduler.scheduled-time> are replaced. Schedules are checked
             every second. An updated schedule can fire again.
  Stacks     The reserved concurrency of functions and the time zone of schedules are applied, and
             the concurrency of an event source mapping may come from a parameter.
  Alarms     Responses in XML contain the description and the actions of an alarm.
  Streams    kinesis_mapping.py delivers the records of streams.
  TLS        Requests count as TLS unless they carry the header "x-forwarded-proto: http".
  Events     Policies may restrict the source and the type of the events that a caller puts.
"""
import contextvars, json, os, re, time
from datetime import datetime, timezone
from xml.sax.saxutils import escape

import kinesis_mapping
from controls import ENDPOINTS, middleware, record, take_copies

# True while an asynchronous event is delivered. Such an event waits until the function is below its
# reserved concurrency. Synchronous callers and queues get the throttling error instead.
IS_ASYNC = contextvars.ContextVar("is_async", default=False)


def role_allows(role_arn, action, resource):
    """Evaluates the policies of a role."""
    from ministack.core import iam_evaluator as iam
    role, account = role_arn.rsplit("/", 1)[-1], role_arn.split(":")[4]
    principal = f"arn:aws:sts::{account}:assumed-role/{role}/service"
    context = iam.EvalContext(principal, "AssumedRole", account, action, resource, "us-east-1")
    return iam.evaluate(context, iam._gather_role_policies(role, account)).decision == "Allow"


def resource_policy_allows(policy, service, source, action, resource):
    """Evaluates a resource policy for a service that acts on behalf of `source`."""
    from ministack.core import iam_evaluator as iam

    context = iam.EvalContext(
        f"arn:aws:iam::{source.split(':')[4]}:service",
        "Service",
        "",
        action,
        resource,
        "us-east-1",
        service_context={"aws:sourcearn": source},
    )
    return iam.evaluate_resource_policy(policy, context, service=service).decision == "Allow"


def function_role_allows(config, action, resource, by="lambda"):
    role = config.get("Role", "")
    allowed = role_allows(role, action, resource)
    return record(role.rsplit("/", 1)[-1], config.get("FunctionName", ""), action, resource, allowed, by)


def record_function_calls():
    from ministack.core import iam_evaluator as iam
    from ministack.services import sts
    enforce = iam.enforce

    def enforce_and_record(access_key_id, iam_action, service, region, resource_arn="*", service_context=None):
        # IAM has no separate action for batches:
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
        iam_action = {"sqs:SendMessageBatch": "sqs:SendMessage"}.get(iam_action, iam_action)
        denial = enforce(
            access_key_id,
            iam_action,
            service,
            region,
            resource_arn=resource_arn,
            service_context=service_context,
        )
        session = sts._sessions.get(access_key_id) if access_key_id else None
        if session is not None:
            _, role, function = session["Arn"].rsplit(":", 1)[-1].split("/", 2)
            record(role, function, iam_action, resource_arn, denial is None, "function")
        return denial
    iam.enforce = enforce_and_record


def add_event_conditions(actions):
    """Adds the condition keys of events:PutEvents to a request, which has one entry in findata."""
    original = actions.request_tag_context

    def context(service, iam_action, body, *args, **kwargs):
        keys = original(service, iam_action, body, *args, **kwargs)
        if iam_action == "events:PutEvents":
            entry = json.loads(body)["Entries"][0]
            keys = {**keys, "events:source": [entry.get("Source", "")], "events:detail-type": entry.get("DetailType", "")}
        return keys
    actions.request_tag_context = context


def patch_event_delivery(events, functions, queues):
    """Makes rules and schedules check permissions, invoke functions asynchronously and use the
    dead-letter queue."""
    original_invoke = events._invoke_target

    def send_to_queue(queue_arn, body, source, role=None):
        if role:
            allowed = role_allows(role, "sqs:SendMessage", queue_arn)
        else:
            policy = queues._queue_by_arn(queue_arn)["attributes"].get("Policy")
            allowed = resource_policy_allows(
                policy, "events.amazonaws.com", source, "sqs:SendMessage", queue_arn
            )
        if record(role or source, "", "sqs:SendMessage", queue_arn, allowed, "scheduler" if role else "events"):
            events._dispatch_to_sqs(events.parse_arn(queue_arn), body)

    def invoke_target(target, event, rule, view=None):
        arn, source, role = target.get("Arn", ""), rule.get("Arn", ""), target.get("RoleArn")
        if ":function:" not in arn:
            return original_invoke(target, event, rule, view)
        function = arn.rsplit(":", 1)[-1]
        if "FlexibleTimeWindow" in rule:
            target = {**target, "Input": fill_placeholders(target.get("Input") or "{}", rule)}
            allowed = record(role.rsplit("/", 1)[-1], function, "lambda:InvokeFunction", arn,
                             role_allows(role, "lambda:InvokeFunction", arn), "scheduler")
        else:
            policy, _ = functions.function_policy_for_arn(arn) or ({}, "")
            allowed = record(
                source,
                function,
                "lambda:InvokeFunction",
                arn,
                resource_policy_allows(policy, "events.amazonaws.com", source, "lambda:InvokeFunction", arn),
                "events",
            )
        if allowed:
            for _ in range(take_copies(rule.get("Name", ""))):
                original_invoke(target, event, rule, view)
        elif dead_letters := (target.get("DeadLetterConfig") or {}).get("Arn"):
            view = view or events._pattern_event_view(event)
            send_to_queue(
                dead_letters, target.get("Input") or json.dumps(view.event_with_detail()), source, role
            )

    def dispatch_to_lambda(arn, payload):
        func, config, name = functions._get_func_record_for_ref(arn)
        if config:
            functions.invoke_async_with_retry(
                functions._execution_record_for_config(func, config), json.loads(payload)
            )
        else:
            print(f"emulator: function not found: {name}", flush=True)
    events._invoke_target, events._dispatch_to_lambda = invoke_target, dispatch_to_lambda


def fill_placeholders(text, schedule):
    scheduled_time = schedule.get("_scheduled_time") or datetime.now(timezone.utc).strftime(
        "%Y-%m-%dT%H:%M:00Z"
    )
    for name, value in {
        "scheduled-time": scheduled_time,
        "schedule-arn": schedule["Arn"],
        "attempt-number": "1",
        "execution-id": os.urandom(16).hex(),
    }.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def patch_lambda(functions):
    """Makes Lambda check the permissions of a function's role, and makes throttled asynchronous
    events wait."""
    original_execute, original_run_batch = functions._execute_function, functions._run_sqs_batch
    original_route_failure, original_emit_logs = functions._route_async_failure, functions._emit_lambda_logs
    original_invoke_async = functions.invoke_async_with_retry

    def execute(func, event):
        result = original_execute(func, event)
        while result.get("throttle") and IS_ASYNC.get():
            time.sleep(0.1)
            result = original_execute(func, event)
        return result

    def invoke_async(func, event):
        def run():
            IS_ASYNC.set(True)
            original_invoke_async(func, event)
        contextvars.copy_context().run(run)

    def run_batch(mapping, func_record, event, messages, queue_url, queue_name):
        config, source = func_record.get("config") or func_record, mapping["EventSourceArn"]
        # A list instead of a generator: all three permissions are checked, so every missing one is
        # recorded.
        if all([function_role_allows(config, f"sqs:{action}", source)
                for action in ("ReceiveMessage", "GetQueueAttributes", "DeleteMessage")]):
            original_run_batch(mapping, func_record, event, messages, queue_url, queue_name)

    def route_failure(target, name, event, result):
        config = (functions._functions.get(name) or {}).get("config") or {}
        if function_role_allows(config, "sqs:SendMessage", target):
            original_route_failure(target, name, event, result)

    def emit_logs(func, *args, **kwargs):
        config = func.get("config") or func
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
        region, account = config["FunctionArn"].split(":")[3:5]
        stream = f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:x"
        if all(
            [
                function_role_allows(config, f"logs:{action}", stream)
                for action in ("CreateLogStream", "PutLogEvents")
            ]
        ):
            original_emit_logs(func, *args, **kwargs)

    functions._execute_function, functions.invoke_async_with_retry, functions._run_sqs_batch = (
        execute,
        invoke_async,
        run_batch,
    )
    functions._route_async_failure, functions._emit_lambda_logs = route_failure, emit_logs


def patch_streams(functions, streams, events):
    """Makes event source mappings of Kinesis streams follow kinesis_mapping.py."""
    def may_read(config, source):
        # A list, so that every missing permission is recorded.
        return all([function_role_allows(config, f"kinesis:{action}", source) for action in kinesis_mapping.ACTIONS])

    def give_up(mapping, config, shard, batch):
        target = mapping["DestinationConfig"]["OnFailure"]["Destination"]
        numbers = {"shardId": shard, "startSequenceNumber": batch[0]["SequenceNumber"],
                   "endSequenceNumber": batch[-1]["SequenceNumber"], "batchSize": len(batch),
                   "streamArn": mapping["EventSourceArn"]}
        if function_role_allows(config, "sqs:SendMessage", target):
            events._dispatch_to_sqs(events.parse_arn(target), json.dumps({"KinesisBatchInfo": numbers}))

    functions._poll_kinesis = kinesis_mapping.Poller(functions, streams._streams, may_read, give_up).poll
    ENDPOINTS["/_backlog"] = lambda: {"records": kinesis_mapping.backlog(streams._streams)}


def reset_updated_schedules(scheduler):
    original_update = scheduler._update_schedule

    def update_schedule(name, body):
        key = f"{body.get('GroupName', 'default')}/{name}"
        for fired in [fired for fired in scheduler._schedule_last_fired if fired[-1] == key]:
            del scheduler._schedule_last_fired[fired]
        return original_update(name, body)
    scheduler._update_schedule, scheduler._SCHEDULE_TICK_INTERVAL = update_schedule, 1


def patch_cloudformation(handlers, functions, scheduler):
    function, mapping = handlers["AWS::Lambda::Function"], handlers["AWS::Lambda::EventSourceMapping"]
    schedule = handlers["AWS::Scheduler::Schedule"]

    def with_reserved_concurrency(handler):
        def handle(*args, **kwargs):
            # A create handler gets (name, properties, stack), an update handler (name, old, new,
            # stack). The new properties are the second-to-last argument of both.
            properties, (name, attributes) = args[-2], handler(*args, **kwargs)
            functions._functions[name]["concurrency"] = (
                int(properties["ReservedConcurrentExecutions"])
                if "ReservedConcurrentExecutions" in properties
                else None
            )
            return name, attributes
        return handle

    def with_numeric_scaling(handler):
        def handle(*args, **kwargs):
            scaling = args[-2].get("ScalingConfig") or {}
            scaling.update({name: int(value) for name, value in scaling.items()})
            return handler(*args, **kwargs)
        return handle

    def with_time_zone(handler):
        def handle(*args, **kwargs):
            zone, (name, attributes) = args[-2].get("ScheduleExpressionTimezone", "UTC"), handler(*args, **kwargs)
            scheduler._schedules[f"default/{name}"]["ScheduleExpressionTimezone"] = zone
            return name, attributes
        return handle
    for step in ("create", "update"):
        function[step], mapping[step], schedule[step] = (
            with_reserved_concurrency(function[step]),
            with_numeric_scaling(mapping[step]),
            with_time_zone(schedule[step]),
        )


def complete_alarms(cloudwatch):
    original = cloudwatch._xml

    def with_details(match):
        alarm = cloudwatch._alarms.get(match[1]) or {}
        actions = "".join(f"<member>{escape(action)}</member>" for action in alarm.get("AlarmActions") or [])
        description = escape(alarm.get("AlarmDescription") or "")
        return f"{match[0]}<AlarmDescription>{description}</AlarmDescription><AlarmActions>{actions}</AlarmActions>"

    def xml(status, name, body):
        if name == "DescribeAlarmsResponse":
            body = re.sub("<AlarmName>(.*?)</AlarmName>", with_details, body)
        return original(status, name, body)
    cloudwatch._xml = xml


def install():
    from ministack import app
    from ministack.core import iam_actions
    from ministack.services import cloudwatch, eventbridge, kinesis, lambda_svc, scheduler, sqs
    from ministack.services.cloudformation import provisioners
    reset_updated_schedules(scheduler)
    patch_cloudformation(provisioners._RESOURCE_HANDLERS, lambda_svc, scheduler)
    record_function_calls()
    add_event_conditions(iam_actions)
    patch_event_delivery(eventbridge, lambda_svc, sqs)
    patch_lambda(lambda_svc)
    complete_alarms(cloudwatch)
    patch_streams(lambda_svc, kinesis, eventbridge)
    app.app = middleware(app.app)
