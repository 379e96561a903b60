"""HTTP endpoints of the emulator that AWS does not have. They list calls, fire schedules and inject
faults.

  /_calls[?since=N]
      All calls made with a role: {role, function, action, resource, allowed, by}. `by` is who made
      the call: "function", or a service that acts for the function ("lambda", "scheduler",
      "events").
  /_tick?schedule=NAME[&at=TIME]
      Fires a schedule now, as if scheduled for that time.
  /_deliver?rule=TEXT&copies=N&times=M
      Delivers each of the next M events of rules whose name contains TEXT N times. With N = 0 the
      events are lost.
  /_fail?action=s3:PutObject&match=REGEX&times=N&code=SlowDown&status=503[&after=1][&kill=NAME]
      Fails the next N calls of functions with this action and a path that matches REGEX. With
      after=1 the calls take effect, and only their response is lost; with kill=NAME the busy
      processes of this function are killed before they get it.
  /_kill?function=NAME
      Kills the busy processes of a function, like a crash.
  /_backlog
      The number of records of Kinesis streams that no function has accepted yet.
"""
import asyncio, json, os, re, time, urllib.parse

CALLS, DELIVERY_RULES, FAULT_RULES = [], [], []


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


def take_copies(rule_name):
    """Returns how many times to deliver the next event of a rule."""
    for rule in DELIVERY_RULES:
        if rule["rule"] in rule_name and rule["times"] > 0:
            rule["times"] -= 1
            return rule["copies"]
    return 1


def middleware(app):
    """Wraps the server: adds the endpoints for tests and the TLS header, and injects faults."""
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
            if fault["kill"]:
                await asyncio.to_thread(kill, fault["kill"])
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


def fail(action, match="", times="1", code="SlowDown", status="503", after="0", kill=""):
    fault = {
        "action": action,
        "match": match,
        "times": int(times),
        "code": code,
        "status": int(status),
        "after": after == "1",
        "kill": kill,
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
