"""What AWS does and ministack 1.5.33 does not, and a record of what was called.

  Roles      An event source mapping, an on-failure destination, a log stream and a schedule need the role's permission; a rule
             needs the function's. Without it nothing is delivered, and the rule's dead-letter queue gets the event.
  Delivery   A rule or a schedule calls a function asynchronously: two more tries, then the on-failure destination. A function at its
             reserved concurrency keeps the event waiting.
  Schedules  <aws.scheduler.scheduled-time> and its like are filled in; what is due is looked for every second; an updated one starts anew.
  Stacks     A function's reserved concurrency is set, and a mapping's concurrency may come from a parameter.
  TLS        Requests count as made over TLS, unless they say "x-forwarded-proto: http" themselves.

Asked for over HTTP, beside the AWS API:
  /_calls[?since=N]                 every call in a role's name: {role, function, action, resource, allowed, by}; by is "function", or the
                                    service that acts for it ("lambda", "scheduler", "events": then the resource is the function)
  /_tick?schedule=NAME[&at=TIME]    fires a schedule now, as if planned for that time
  /_deliver?rule=TEXT&copies=N&times=M   the next M events of rules with TEXT in their name are delivered N times; 0 loses them
  /_fail?action=s3:PutObject&match=REGEX&times=N&code=SlowDown&status=503[&after=1]   the next such calls of functions fail;
                                    with after=1 they are done first and the answer is lost
  /_kill?function=NAME              kills the processes of a function that are at work, as a crash would
"""
import asyncio, contextvars, json, os, re, time, urllib.parse
from datetime import datetime, timezone

CALLS, DELIVERIES, FAILURES = [], [], []
# Set where an event was taken and its caller is gone: it waits for a free function. A caller of its own, and a queue, see the throttle.
QUEUED = contextvars.ContextVar("queued", default=False)


def record(role, function, action, resource, allowed, by):
    CALLS.append({"role": role, "function": function, "action": action, "resource": resource, "allowed": allowed, "by": by})
    if not allowed:
        print(f"as_aws: refused: {by} for {function or role}: {action} on {resource}", flush=True)
    return allowed


def role_may(role_arn, action, resource):
    """Whether the policies of a role allow it."""
    from ministack.core import iam_evaluator as iam
    role, account = role_arn.rsplit("/", 1)[-1], role_arn.split(":")[4]
    who = f"arn:aws:sts::{account}:assumed-role/{role}/service"
    context = iam.EvalContext(who, "AssumedRole", account, action, resource, "us-east-1")
    return iam.evaluate(context, iam._gather_role_policies(role, account)).decision == "Allow"


def service_may(policy, service, source, action, resource):
    """Whether a resource's own policy lets a service in that acts for a source."""
    from ministack.core import iam_evaluator as iam
    context = iam.EvalContext(f"arn:aws:iam::{source.split(':')[4]}:service", "Service", "", action, resource, "us-east-1",
                              service_context={"aws:sourcearn": source})
    return iam.evaluate_resource_policy(policy, context, service=service).decision == "Allow"


def as_role(config, action, resource, by="lambda"):
    role = config.get("Role", "")
    return record(role.rsplit("/", 1)[-1], config.get("FunctionName", ""), action, resource, role_may(role, action, resource), by)


def record_functions_calls():
    from ministack.core import iam_evaluator as iam
    from ministack.services import sts
    enforce = iam.enforce

    def recording(access_key_id, iam_action, service, region, resource_arn="*", service_context=None):
        # IAM knows no action of its own for batches: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
        iam_action = {"sqs:SendMessageBatch": "sqs:SendMessage"}.get(iam_action, iam_action)
        refused = enforce(access_key_id, iam_action, service, region, resource_arn=resource_arn, service_context=service_context)
        session = sts._sessions.get(access_key_id) if access_key_id else None
        if session is not None:
            _, role, function = session["Arn"].rsplit(":", 1)[-1].split("/", 2)
            record(role, function, iam_action, resource_arn, refused is None, "function")
        return refused
    iam.enforce = recording


def deliver_as_events(events, functions, queues):
    """Rules and schedules: permission, asynchronous call, dead-letter queue."""
    invoke = events._invoke_target

    def send_to(queue_arn, body, source, role=None):
        queue = queues._queue_by_arn(queue_arn)
        allowed = role_may(role, "sqs:SendMessage", queue_arn) if role else service_may(
            queue["attributes"].get("Policy"), "events.amazonaws.com", source, "sqs:SendMessage", queue_arn)
        if record(role or source, "", "sqs:SendMessage", queue_arn, allowed, "scheduler" if role else "events"):
            events._dispatch_to_sqs(events.parse_arn(queue_arn), body)

    def call(target, event, rule, view=None):
        arn, source, role = target.get("Arn", ""), rule.get("Arn", ""), target.get("RoleArn")
        if ":function:" not in arn:
            return invoke(target, event, rule, view)
        function = arn.rsplit(":", 1)[-1]
        if "FlexibleTimeWindow" in rule:
            target = {**target, "Input": filled(target.get("Input") or "{}", rule)}
            allowed = record(role.rsplit("/", 1)[-1], function, "lambda:InvokeFunction", arn,
                             role_may(role, "lambda:InvokeFunction", arn), "scheduler")
        else:
            policy, _ = functions.function_policy_for_arn(arn) or ({}, "")
            allowed = record(source, function, "lambda:InvokeFunction", arn,
                             service_may(policy, "events.amazonaws.com", source, "lambda:InvokeFunction", arn), "events")
        if allowed:
            for _ in range(copies(rule.get("Name", ""))):
                invoke(target, event, rule, view)
        elif dead := (target.get("DeadLetterConfig") or {}).get("Arn"):
            view = view or events._pattern_event_view(event)
            send_to(dead, target.get("Input") or json.dumps(view.event_with_detail()), source, role)

    def to_function(arn, payload):
        func, config, name = functions._get_func_record_for_ref(arn)
        if config:
            functions.invoke_async_with_retry(functions._execution_record_for_config(func, config), json.loads(payload))
        else:
            print(f"as_aws: no function {name}", flush=True)
    events._invoke_target, events._dispatch_to_lambda = call, to_function


def copies(rule):
    for wish in DELIVERIES:
        if wish["rule"] in rule and wish["times"] > 0:
            wish["times"] -= 1
            return wish["copies"]
    return 1


def filled(text, schedule):
    planned = schedule.get("_planned") or datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:00Z")
    for name, value in {"scheduled-time": planned, "schedule-arn": schedule["Arn"], "attempt-number": "1",
                        "execution-id": os.urandom(16).hex()}.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def act_as_lambda(functions):
    """What Lambda does in the name of a function's role, and that a throttled event waits."""
    execute, batch, failed, logs = (functions._execute_function, functions._run_sqs_batch, functions._route_async_failure,
                                    functions._emit_lambda_logs)
    retry = functions.invoke_async_with_retry

    def waiting(func, event):
        result = execute(func, event)
        while result.get("throttle") and QUEUED.get():
            time.sleep(0.1)
            result = execute(func, event)
        return result

    def queued(func, event):
        def run():
            QUEUED.set(True)
            retry(func, event)
        contextvars.copy_context().run(run)

    def run_batch(esm, func_rec, event, messages, queue_url, queue_name):
        config, source = func_rec.get("config") or func_rec, esm["EventSourceArn"]
        # All three are looked at, so that all that lack are told of.
        if all([as_role(config, f"sqs:{action}", source) for action in ("ReceiveMessage", "GetQueueAttributes", "DeleteMessage")]):
            batch(esm, func_rec, event, messages, queue_url, queue_name)

    def to_destination(target, name, event, result):
        config = (functions._functions.get(name) or {}).get("config") or {}
        if as_role(config, "sqs:SendMessage", target):
            failed(target, name, event, result)

    def log(func, *args, **kwargs):
        config = func.get("config") or func
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
        region, account = config["FunctionArn"].split(":")[3:5]
        stream = f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:x"
        if all([as_role(config, f"logs:{action}", stream) for action in ("CreateLogStream", "PutLogEvents")]):
            logs(func, *args, **kwargs)
    functions._execute_function, functions.invoke_async_with_retry, functions._run_sqs_batch = waiting, queued, run_batch
    functions._route_async_failure, functions._emit_lambda_logs = to_destination, log


def start_updated_schedules_anew(scheduler):
    update = scheduler._update_schedule

    def updated(name, body):
        key = f"{body.get('GroupName', 'default')}/{name}"
        for fired in [fired for fired in scheduler._schedule_last_fired if fired[-1] == key]:
            del scheduler._schedule_last_fired[fired]
        return update(name, body)
    scheduler._update_schedule, scheduler._SCHEDULE_TICK_INTERVAL = updated, 1


def make_stacks_whole(handlers, functions):
    function, mapping = handlers["AWS::Lambda::Function"], handlers["AWS::Lambda::EventSourceMapping"]

    def reserved(make):
        def made(*args, **kwargs):
            # Properties are the last but one: (name, properties, stack) and (name, old, new, stack).
            properties, (name, attributes) = args[-2], make(*args, **kwargs)
            functions._functions[name]["concurrency"] = (
                int(properties["ReservedConcurrentExecutions"]) if "ReservedConcurrentExecutions" in properties else None)
            return name, attributes
        return made

    def numbered(make):
        def made(*args, **kwargs):
            scaling = args[-2].get("ScalingConfig") or {}
            scaling.update({name: int(value) for name, value in scaling.items()})
            return make(*args, **kwargs)
        return made
    for step in ("create", "update"):
        function[step], mapping[step] = reserved(function[step]), numbered(mapping[step])


def install():
    from ministack import app
    from ministack.services import eventbridge, lambda_svc, scheduler, sqs
    from ministack.services.cloudformation import provisioners
    start_updated_schedules_anew(scheduler)
    make_stacks_whole(provisioners._RESOURCE_HANDLERS, lambda_svc)
    record_functions_calls()
    deliver_as_events(eventbridge, lambda_svc, sqs)
    act_as_lambda(lambda_svc)
    app.app = beside(app.app)


def beside(app):
    """Our own questions, the header that says TLS, and the failures that were asked for."""
    async def handle(scope, receive, send):
        if scope["type"] != "http":
            return await app(scope, receive, send)
        if scope["path"].startswith("/_") and not scope["path"].startswith("/_ministack"):
            asked = dict(urllib.parse.parse_qsl(scope["query_string"].decode()))
            try:
                status, answer = 200, await asyncio.to_thread(QUESTIONS[scope["path"]], **asked)
            except Exception as e:
                status, answer = 400, {"error": f"{type(e).__name__}: {e}"}
            return await reply(send, status, "application/json", json.dumps(answer).encode())
        if not any(name == b"x-forwarded-proto" for name, _ in scope["headers"]):
            scope = {**scope, "headers": [*scope["headers"], (b"x-forwarded-proto", b"https")]}
        if FAILURES and (wish := await asyncio.to_thread(failure_for, scope)):
            if wish["after"]:
                async def swallow(_): pass
                await app(scope, receive, swallow)
            s3 = wish["action"].startswith("s3:")
            body = (f"<Error><Code>{wish['code']}</Code><Message>asked for</Message></Error>" if s3
                    else json.dumps({"__type": wish["code"], "message": "asked for"}))
            return await reply(send, wish["status"], "application/xml" if s3 else "application/x-amz-json-1.0", body.encode())
        await app(scope, receive, send)
    return handle


async def reply(send, status, kind, body):
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def failure_for(scope):
    """The failure that was asked for a call like this one. Its name is told by method and path on S3, by header elsewhere."""
    headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
    if "ASIA" not in headers.get("authorization", ""):
        return None
    if target := headers.get("x-amz-target"):
        service = {"AmazonSQS": "sqs", "secretsmanager": "secretsmanager", "AWSEvents": "events"}.get(target.split(".")[0], "?")
        action = f"{service}:{target.rsplit('.', 1)[-1]}"
    else:
        lists = scope["method"] == "GET" and b"list-type" in scope["query_string"]
        action = "s3:" + ("ListBucket" if lists else {"GET": "GetObject", "PUT": "PutObject", "HEAD": "HeadObject"}.get(scope["method"], "?"))
    for wish in FAILURES:
        if wish["action"] == action and wish["times"] > 0 and re.search(wish["match"], scope["path"]):
            wish["times"] -= 1
            return wish
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
            event = {"Source": "aws.scheduler", "DetailType": "Scheduled Event", "Detail": "{}", "Time": time.time(),
                     "EventId": os.urandom(8).hex(), "Resources": [found["Arn"]], "Account": account, "Region": region}
            eventbridge._invoke_target(found["Target"], event, {**found, "_planned": at} if at else found)
            return {"fired": found["Arn"]}
    raise KeyError(schedule)


def deliver(rule, copies, times="1"):
    DELIVERIES.append({"rule": rule, "copies": int(copies), "times": int(times)})
    return DELIVERIES


def fail(action, match="", times="1", code="SlowDown", status="503", after="0"):
    FAILURES.append({"action": action, "match": match, "times": int(times), "code": code, "status": int(status), "after": after == "1"})
    return FAILURES


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


def end_all():
    """Ends every function's process and waits for it."""
    for _, process in list(processes()):
        process.kill()
        process.wait()


QUESTIONS = {"/_calls": calls, "/_tick": tick, "/_deliver": deliver, "/_fail": fail, "/_kill": kill}
