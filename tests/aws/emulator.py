"""Patches ministack 1.5.33 where it behaves differently from AWS, records calls and injects faults.

  Roles      Event source mappings, on-failure destinations, log streams and schedules need the
             permission of their role; rules need a permission in the function's resource policy.
             Without it nothing is delivered, and the event goes to the rule's dead-letter queue.
  Delivery   Rules and schedules invoke functions asynchronously: two retries, then the on-failure
             destination. Events wait while the function is at its reserved concurrency.
  Schedules  Placeholders such as <aws.scheduler.scheduled-time> are replaced. Schedules are checked
             every second. An updated schedule can fire again.
  Stacks     The reserved concurrency of functions is applied, and the concurrency of an event
             source mapping may come from a parameter.
  TLS        Requests count as TLS unless they carry the header "x-forwarded-proto: http".

HTTP endpoints for tests, next to the AWS API:
  /_calls[?since=N]
      All calls made with a role: {role, function, action, resource, allowed, by}. `by` is who made
      the call: "function", or a service that acts for the function ("lambda", "scheduler",
      "events").
  /_tick?schedule=NAME[&at=TIME]
      Fires a schedule now, as if scheduled for that time.
  /_deliver?rule=TEXT&copies=N&times=M
      Delivers each of the next M events of rules whose name contains TEXT N times. With N = 0 the
      events are lost.
  /_fail?action=s3:PutObject&match=REGEX&times=N&code=SlowDown&status=503[&after=1]
      Fails the next N calls of functions with this action and a path that matches REGEX. With
      after=1 the calls take effect, and only their response is lost.
  /_kill?function=NAME
      Kills the busy processes of a function, like a crash.
"""
import asyncio, contextvars, json, os, re, time, urllib.parse
from datetime import datetime, timezone

CALLS, DELIVERY_RULES, FAULT_RULES = [], [], []
# True while an asynchronous event is delivered. Such an event waits until the function is below its
# reserved concurrency. Synchronous callers and queues get the throttling error instead.
IS_ASYNC = contextvars.ContextVar("is_async", default=False)


def record(role, function, action, resource, allowed, by):
    CALLS.append(
        {
            "role": role,
            "function": function,
            "action": action,
            "resource": resource,
            "allowed": allowed,
            "by": by,
        }
    )
    if not allowed:
        print(f"emulator: denied: {by} for {function or role}: {action} on {resource}", flush=True)
    return allowed


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


def take_copies(rule_name):
    """Returns how many times to deliver the next event of a rule."""
    for rule in DELIVERY_RULES:
        if rule["rule"] in rule_name and rule["times"] > 0:
            rule["times"] -= 1
            return rule["copies"]
    return 1


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


def reset_updated_schedules(scheduler):
    original_update = scheduler._update_schedule

    def update_schedule(name, body):
        key = f"{body.get('GroupName', 'default')}/{name}"
        for fired in [fired for fired in scheduler._schedule_last_fired if fired[-1] == key]:
            del scheduler._schedule_last_fired[fired]
        return original_update(name, body)
    scheduler._update_schedule, scheduler._SCHEDULE_TICK_INTERVAL = update_schedule, 1


def patch_cloudformation(handlers, functions):
    function, mapping = handlers["AWS::Lambda::Function"], handlers["AWS::Lambda::EventSourceMapping"]

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
    for step in ("create", "update"):
        function[step], mapping[step] = (
            with_reserved_concurrency(function[step]),
            with_numeric_scaling(mapping[step]),
        )


def install():
    from ministack import app
    from ministack.services import eventbridge, lambda_svc, scheduler, sqs
    from ministack.services.cloudformation import provisioners
    reset_updated_schedules(scheduler)
    patch_cloudformation(provisioners._RESOURCE_HANDLERS, lambda_svc)
    record_function_calls()
    patch_event_delivery(eventbridge, lambda_svc, sqs)
    patch_lambda(lambda_svc)
    app.app = middleware(app.app)


def middleware(app):
    """Adds the endpoints for tests, the TLS header, and the injected faults."""
    async def handle(scope, receive, send):
        if scope["type"] != "http":
            return await app(scope, receive, send)
        if scope["path"].startswith("/_") and not scope["path"].startswith("/_ministack"):
            params = dict(urllib.parse.parse_qsl(scope["query_string"].decode()))
            try:
                status, body = 200, await asyncio.to_thread(ENDPOINTS[scope["path"]], **params)
            except Exception as e:
                status, body = 400, {"error": f"{type(e).__name__}: {e}"}
            return await respond(send, status, "application/json", json.dumps(body).encode())
        if not any(name == b"x-forwarded-proto" for name, _ in scope["headers"]):
            scope = {**scope, "headers": [*scope["headers"], (b"x-forwarded-proto", b"https")]}
        if FAULT_RULES and (fault := await asyncio.to_thread(take_fault, scope)):
            if fault["after"]:
                async def discard(_): pass
                await app(scope, receive, discard)
            s3 = fault["action"].startswith("s3:")
            body = (f"<Error><Code>{fault['code']}</Code><Message>injected</Message></Error>" if s3
                    else json.dumps({"__type": fault["code"], "message": "injected"}))
            content_type = "application/xml" if s3 else "application/x-amz-json-1.0"
            return await respond(send, fault["status"], content_type, body.encode())
        await app(scope, receive, send)
    return handle


async def respond(send, status, content_type, body):
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def take_fault(scope):
    """Returns the injected fault that matches a request, or None. The action of an S3 request
    follows from its method and path, that of other requests from a header."""
    headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
    # Only functions use temporary credentials (ASIA). The root keys of the tests get no faults.
    if "ASIA" not in headers.get("authorization", ""):
        return None
    if target := headers.get("x-amz-target"):
        service = {"AmazonSQS": "sqs", "secretsmanager": "secretsmanager", "AWSEvents": "events"}.get(
            target.split(".")[0], "?"
        )
        action = f"{service}:{target.rsplit('.', 1)[-1]}"
    elif scope["method"] == "GET" and b"list-type" in scope["query_string"]:
        action = "s3:ListBucket"
    else:
        action = "s3:" + {"GET": "GetObject", "PUT": "PutObject", "HEAD": "HeadObject"}.get(
            scope["method"], "?"
        )
    for fault in FAULT_RULES:
        if fault["action"] == action and fault["times"] > 0 and re.search(fault["match"], scope["path"]):
            fault["times"] -= 1
            return fault
    return None


def calls(since="0"):
    return CALLS[int(since):]


def tick(schedule, at=None):
    from ministack.core.responses import set_request_account_id, set_request_region
    from ministack.services import eventbridge, scheduler
    for (account, region, key), found in list(scheduler._schedules._data.items()):
        if key.split("/")[-1] == schedule:
            set_request_account_id(account)
            set_request_region(region)
            event = {
                "Source": "aws.scheduler",
                "DetailType": "Scheduled Event",
                "Detail": "{}",
                "Time": time.time(),
                "EventId": os.urandom(8).hex(),
                "Resources": [found["Arn"]],
                "Account": account,
                "Region": region,
            }
            eventbridge._invoke_target(
                found["Target"], event, {**found, "_scheduled_time": at} if at else found
            )
            return {"fired": found["Arn"]}
    raise KeyError(schedule)


def deliver(rule, copies, times="1"):
    DELIVERY_RULES.append({"rule": rule, "copies": int(copies), "times": int(times)})
    return DELIVERY_RULES


def fail(action, match="", times="1", code="SlowDown", status="503", after="0"):
    fault = {
        "action": action,
        "match": match,
        "times": int(times),
        "code": code,
        "status": int(status),
        "after": after == "1",
    }
    FAULT_RULES.append(fault)
    return FAULT_RULES


def processes():
    from ministack.core import lambda_runtime
    for worker in [worker for pool in list(lambda_runtime._workers.values()) for worker in pool]:
        process = getattr(worker, "_proc", None)
        if process and process.poll() is None:
            yield worker, process


def kill(function):
    killed = [process for worker, process in processes() if worker.func_name == function and worker.in_use]
    for process in killed:
        process.kill()
    return {"killed": [process.pid for process in killed]}


def stop_functions():
    """Kills the processes of all functions and waits for their end."""
    for _, process in list(processes()):
        process.kill()
        process.wait()


ENDPOINTS = {"/_calls": calls, "/_tick": tick, "/_deliver": deliver, "/_fail": fail, "/_kill": kill}
