"""Logins, session tokens and sessions of the fake Snowflake."""
import asyncio, base64, gzip, hashlib, json, sys, time, uuid
import duckdb
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from starlette.requests import Request
from starlette.responses import JSONResponse
import fakesnow.server  # noqa: F401
from copy_into import forget_pending_loads
from privileges import full_name
from protocol import failure, success
from statement import name_parts

server = sys.modules["fakesnow.server"]
MASTER_TOKEN_SECONDS = 14400


async def read_body(request):
    body = await request.body()
    return json.loads(gzip.decompress(body) if request.headers.get("content-encoding") == "gzip" else body)


def with_body(request, body):
    """Returns a copy of the request with another body, for fakesnow."""
    async def receive():
        return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}
    replaced = (b"content-encoding", b"content-length")
    headers = [(k, v) for k, v in request.scope["headers"] if k not in replaced]
    return Request({**request.scope, "headers": headers}, receive)


def token_of(request):
    """Returns the token in the header `Authorization: Snowflake Token="..."`."""
    return request.headers.get("authorization", "")[17:-1]


class KeyPair:
    """A key pair that checks JWTs as Snowflake documents them for key-pair authentication."""
    def __init__(self, path):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.public = key.public_key()
        with open(path, "wb") as file:
            file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                         serialization.NoEncryption()))

    def check(self, token, user, account):
        decode = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        header, payload, signature = token.split(".")
        self.public.verify(
            decode(signature), f"{header}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256()
        )
        claims = json.loads(decode(payload))
        der = self.public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        fingerprint = base64.b64encode(hashlib.sha256(der).digest()).decode()
        subject = f"{account.split('.')[0].upper()}.{user.upper()}"
        assert claims["iss"] == f"{subject}.SHA256:{fingerprint}", f"iss {claims['iss']}"
        assert claims["sub"] == subject, f"sub {claims['sub']}"
        assert claims["iat"] <= time.time() + 60 and claims["exp"] > time.time(), "exp"


class Session:
    def __init__(self, conn, locks, user, role, warehouse, parameters):
        self.conn, self.locks, self.user, self.role, self.warehouse = conn, locks, user, role, warehouse
        self.parameters = parameters
        conn.__dict__["_fake_parameters"] = parameters      # for cursors
        self.temporary, self.wrote, self.running, self.ended = set(), False, 0, False
        self.failed_batches = {}    # query id -> query id, code and message of the statement that failed
        self.idle_since = time.monotonic()

    def is_temporary(self, name):
        return full_name(self, "TABLE", name) in self.temporary or (len(name) == 1 and name in self.temporary)

    def in_transaction(self):
        return bool(self.conn.__dict__.get("_fake_in_transaction") or self.conn._in_transaction)

    def value(self, name, parameters, default):
        """Returns a parameter of the statement, or else of the session."""
        given = {**self.parameters, **{key.upper(): value for key, value in (parameters or {}).items()}}
        return given.get(name, default)

    def seconds(self, name, parameters, default):
        """Returns a parameter of the statement, or else of the session, in seconds."""
        try:
            return float(self.value(name, parameters, None))
        except (KeyError, TypeError, ValueError):
            return default

    def end_transaction(self, action):
        """Commits or rolls back DuckDB's transaction (`action`) without a statement of the session."""
        if self.in_transaction():
            try:
                getattr(self.conn._duck_conn, action)()
            except duckdb.Error:
                pass
        if action == "rollback":
            forget_pending_loads(self.conn)
        state = self.conn.__dict__
        state["_fake_pending_loads"] = []
        state["_fake_in_transaction"] = self.conn._in_transaction = self.wrote = False
        self.locks.release(self)


class Sessions:
    def __init__(self, privileges, enforced, locks, log, ttl, key_pair, account_parameters):
        self.account_parameters = account_parameters
        self.privileges, self.enforced, self.locks, self.log, self.ttl = privileges, enforced, locks, log, ttl
        self.key_pair = key_pair
        self.logins = {}        # token -> {master, issued, json, token, session}
        self.closing = set()    # keeps references to running tasks

    def find(self, request):
        return self.logins.get(token_of(request))

    def has_role(self, user, role):
        """Returns whether a user may use a role. A user that was never created may use every existing
        role, so tests can set up the account."""
        if user not in self.privileges.users:
            return role in self.privileges.roles
        granted = self.privileges.users[user]
        return role == "PUBLIC" or any(role in self.privileges.inherited(r) for r in granted)

    def authenticate(self, data):
        """Returns the response to a rejected login, or None."""
        if self.key_pair is None:
            return None
        if data.get("AUTHENTICATOR") != "SNOWFLAKE_JWT":
            method = {"authnMethod": "USERNAME_PASSWORD"}
            return failure("390100", "Incorrect username or password was specified.", method)
        try:
            self.key_pair.check(data["TOKEN"], data["LOGIN_NAME"], data["ACCOUNT_NAME"])
        except Exception as e:
            return failure("390144", f"JWT token is invalid. [{e}]", {"authnMethod": "KEYPAIR"})

    async def login(self, request):
        body = await read_body(request)
        data, query = body["data"], request.query_params
        data.setdefault("SESSION_PARAMETERS", {})
        self.log.append(
            ("login", {k: v for k, v in data.items() if k not in ("TOKEN", "PASSWORD")}, dict(query))
        )
        if failed := self.authenticate(data):
            return failed
        identifier = lambda text: (name_parts(text or "") or (None,))[0]
        user, warehouse = (data.get("LOGIN_NAME") or "").upper(), identifier(query.get("warehouse"))
        role = identifier(query.get("roleName")) or self.privileges.default_roles.get(user) or "PUBLIC"
        if self.enforced and not self.has_role(user, role):
            message = (
                f"Role '{role}' specified in the connect string is not granted to this user. Contact your local"
                " system administrator, or attempt to login with another role, e.g. PUBLIC."
            )
            return failure("390189", message, {"authnMethod": "KEYPAIR"})
        parameters = dict(self.account_parameters)
        parameters.update((str(k).upper(), v) for k, v in data["SESSION_PARAMETERS"].items())
        if self.enforced and parameters.get("CLIENT_VALIDATE_DEFAULT_PARAMETERS") is True:
            if missing := self.missing_object(role, query):
                message = f"The requested {missing} does not exist or not authorized."
                return failure("390201", message, {"authnMethod": "KEYPAIR"})
        answer = json.loads((await server.login_request(with_body(request, body))).body)
        token, master = answer["data"]["token"], "m-" + uuid.uuid4().hex
        session = Session(server.sessions[token], self.locks, user, role, warehouse, parameters)
        # Clients that send no CLIENT_APP_ID get JSON rowsets.
        self.logins[token] = {"master": master, "issued": time.time(), "json": "CLIENT_APP_ID" not in data,
                              "token": token, "session": session}
        answer["data"].update(
            masterToken=master,
            validityInSeconds=int(self.ttl),
            sessionId=len(self.logins),
            masterValidityInSeconds=MASTER_TOKEN_SECONDS,
            displayUserName=data.get("LOGIN_NAME"),
        )
        answer["data"]["sessionInfo"].update(warehouseName=warehouse, roleName=role)
        answer.update(code=None, message=None)
        return JSONResponse(answer)

    def missing_object(self, role, query):
        """Returns the kind of the login's first object that the role may not use, or None."""
        names = {kind: name_parts(query.get(parameter) or "") for kind, parameter in
                 (("WAREHOUSE", "warehouse"), ("DATABASE", "databaseName"), ("SCHEMA", "schemaName"))}
        names["SCHEMA"] = names["DATABASE"] + names["SCHEMA"] if names["SCHEMA"] else ()
        for kind, name in names.items():
            if name and not self.privileges.has_usage(role, kind, name):
                return kind.lower()

    async def copy_of(self, login):
        """Returns the login of another session with the same user, role and database."""
        session, conn = login["session"], login["session"].conn
        token = "o-" + uuid.uuid4().hex
        server.sessions[token] = server.shared_fs.connect(conn.database, conn.schema)
        other = Session(server.sessions[token], self.locks, session.user, session.role, session.warehouse,
                        session.parameters)
        self.logins[token] = {**login, "token": token, "session": other, "issued": time.time()}
        return self.logins[token]

    @staticmethod
    def request_of(request, login):
        """Returns a request with the token of another session."""
        headers = [(k, v) for k, v in request.scope["headers"] if k != b"authorization"]
        headers.append((b"authorization", f'Snowflake Token="{login["token"]}"'.encode()))
        return Request({**request.scope, "headers": headers}, request.receive)

    async def renew(self, request):
        await read_body(request)
        self.log.append(("renew", request.url.path))
        master = token_of(request)
        for login in list(self.logins.values()):
            if login["master"] == master:
                token = "t-" + uuid.uuid4().hex
                self.logins[token] = {**login, "issued": time.time()}
                server.sessions[token] = server.sessions[login["token"]]
                return success(
                    {
                        "sessionToken": token,
                        "validityInSecondsST": int(self.ttl),
                        "masterToken": master,
                        "validityInSecondsMT": MASTER_TOKEN_SECONDS,
                        "sessionId": 1,
                    }
                )
        return failure("390114", "Authentication token has expired. The user must authenticate again.")

    async def session(self, request):
        """Handles a heartbeat or the end of a session."""
        self.log.append(("session", dict(request.query_params)))
        if request.query_params.get("delete") and (login := self.find(request)):
            await self.end(login["session"])
        return success()

    async def forget(self, request):
        """Ends every session, as if its master token had expired."""
        for session in {login["session"] for login in self.logins.values()}:
            await self.end(session)
        return JSONResponse({})

    async def end(self, session):
        """Ends a session after its running statement: rolls its transaction back and drops its
        temporary tables."""
        session.ended = True
        for token, login in list(self.logins.items()):
            if login["session"] is session:
                self.logins.pop(token)
                server.sessions.pop(token, None)

        async def close():
            while session.running:
                await asyncio.sleep(0.02)
            session.end_transaction("rollback")
            session.conn.close()
        if session.running:
            self.closing.add(task := asyncio.create_task(close()))
            task.add_done_callback(self.closing.discard)
        else:
            await close()
