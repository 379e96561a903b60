"""Snowflake's roles, grants and ownership, limited to the statements that this project uses."""
import datetime as dt, re
from statement import IDENTIFIER, KIND, NAME, name_parts, object_kind

SYSTEM_ROLES = {
    "ACCOUNTADMIN": {"SYSADMIN", "SECURITYADMIN"},
    "SECURITYADMIN": {"USERADMIN"},
    "SYSADMIN": set(),
    "USERADMIN": set(),
    "PUBLIC": set(),
}
SYSTEM_PRIVILEGES = {"SYSADMIN": {"CREATE DATABASE", "CREATE WAREHOUSE"}, "SECURITYADMIN": {"MANAGE GRANTS"},
                     "USERADMIN": {"CREATE ROLE", "CREATE USER"}}
# Kinds of objects that belong to a schema. A schema belongs to its database, and all other kinds to
# the account.
IN_SCHEMA = {
    "TABLE",
    "VIEW",
    "STAGE",
    "FILE_FORMAT",
    "SEQUENCE",
    "FUNCTION",
    "PROCEDURE",
    "TASK",
    "STREAM",
    "PIPE",
}
ALL_PRIVILEGES = {
    "TABLE": ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES"],
    "VIEW": ["SELECT", "REFERENCES"],
    "DATABASE": ["USAGE", "MONITOR", "MODIFY", "CREATE SCHEMA"],
    "WAREHOUSE": ["USAGE", "OPERATE", "MONITOR", "MODIFY"],
    "SCHEMA": ["USAGE", "MONITOR", "MODIFY"]
    + [f"CREATE {kind.replace('_', ' ')}" for kind in sorted(IN_SCHEMA)],
}
GRANT_COLUMNS = ("created_on", "privilege", "granted_on", "name", "granted_to", "grantee_name", "grant_option",
                 "granted_by")
FUTURE_GRANT_COLUMNS = (
    "created_on",
    "privilege",
    "grant_on",
    "name",
    "grant_to",
    "grantee_name",
    "grant_option",
)
ROLE_GRANT_COLUMNS = ("created_on", "role", "granted_to", "grantee_name", "granted_by")


class Denied(Exception):
    def __init__(self, code, state, message):
        self.code, self.state, self.message = code, state, message


def insufficient_privileges(kind, name):
    message = f"Insufficient privileges to operate on {kind.lower().replace('_', ' ')} '{name}'"
    return Denied("003001", "42501", f"SQL access control error:\n{message}")


def does_not_exist(name, what="Object"):
    message = f"SQL compilation error:\n{what} '{name}' does not exist or not authorized."
    return Denied("002003", "02000", message)


def no_warehouse():
    message = ("No active warehouse selected in the current session.  Select an active warehouse with the"
               " 'use warehouse' command.\n")
    return Denied("000606", "57P03", message)


def full_name(session, kind, name):
    """Completes a name with the session's database and schema."""
    database, schema = session.conn.database or "", session.conn.schema or ""
    depth = 3 if kind in IN_SCHEMA else 2 if kind == "SCHEMA" else 1
    return tuple([database, schema][:depth - 1][:depth - len(name)]) + tuple(name)


class Privileges:
    def __init__(self, catalog):
        self.catalog = catalog  # () -> {(database, schema, name): TABLE or VIEW}
        self.roles = {
            name: set(granted) for name, granted in SYSTEM_ROLES.items()
        }  # role -> roles granted to it
        self.users = {}             # user -> roles granted to it
        self.default_roles = {}     # user -> role
        self.grants = {}            # (role, privilege, kind, name) -> (when, grant option, granted by)
        self.future_grants = {}     # (role, privilege, kind, container kind, container) -> like grants
        self.owners = {}            # (kind, name) -> (role, when)

    # ------------------------------------------------------------ checks
    def inherited(self, role):
        """Returns the role and all roles that it inherits."""
        seen, todo = set(), [role, "PUBLIC"]
        while todo:
            if (role := todo.pop()) not in seen:
                seen.add(role)
                todo += self.roles.get(role, ())
        return seen

    def owner(self, kind, name):
        return self.owners.get((kind, name), ("",))[0]

    def has_privilege(self, role, privilege, kind, name):
        roles = self.inherited(role)
        if "ACCOUNTADMIN" in roles or self.owner(kind, name) in roles:
            return True
        if kind == "ACCOUNT" and any(privilege in SYSTEM_PRIVILEGES.get(r, ()) for r in roles):
            return True
        return any((r, privilege, kind, name) in self.grants for r in roles)

    def has_usage(self, role, kind, name):
        return self.has_privilege(role, "USAGE", kind, name)

    def require_usage(self, role, kind, container, name):
        """Raises "does not exist" for an object if the role has no USAGE on the object's container."""
        if not self.has_usage(role, kind, container):
            raise does_not_exist(".".join(name))

    def require(self, session, privilege, kind, name):
        if kind in IN_SCHEMA or kind == "SCHEMA":
            self.require_usage(session.role, "DATABASE", name[:1], name)
        if kind in IN_SCHEMA:
            self.require_usage(session.role, "SCHEMA", name[:2], name)
        if not self.has_privilege(session.role, privilege, kind, name):
            raise insufficient_privileges(kind, name[-1] if name else "")

    def check(self, session, statement):
        """Raises `Denied` if the session's role may not run the statement."""
        if "ACCOUNTADMIN" not in self.inherited(session.role):
            self.check_tables(session, statement)
            self.check_references(session, statement)
            if statement.kind and statement.verb == "CREATE":
                self.check_create(session, statement)
            elif statement.kind and statement.verb in ("DROP", "ALTER"):
                self.check_change(session, statement)
        warehouse = session.warehouse
        if statement.compute and not (warehouse and self.has_usage(session.role, "WAREHOUSE", (warehouse,))):
            raise no_warehouse()

    def check_tables(self, session, statement):
        catalog = None
        for privilege, name in [("SELECT", name) for name in statement.reads] + statement.writes:
            if session.is_temporary(name) or "INFORMATION_SCHEMA" in name:
                continue
            name = full_name(session, "TABLE", name)
            self.require_usage(session.role, "DATABASE", name[:1], name)
            self.require_usage(session.role, "SCHEMA", name[:2], name)
            catalog = self.catalog() if catalog is None else catalog
            if name in catalog:
                self.require(session, privilege, catalog[name], name)

    def check_references(self, session, statement):
        for kind, name in (("STAGE", statement.stage), ("FILE_FORMAT", statement.file_format)):
            if name:
                self.require(session, "USAGE", kind, full_name(session, kind, name))
        if statement.integration:
            self.require(session, "USAGE", "INTEGRATION", statement.integration)

    def check_create(self, session, statement):
        kind, name, role = statement.kind, full_name(session, statement.kind, statement.name), session.role
        if kind in IN_SCHEMA:
            container = ("SCHEMA", name[:2])
            self.require_usage(role, "DATABASE", name[:1], name[:1])
        else:
            container = ("DATABASE", name[:1]) if kind == "SCHEMA" else ("ACCOUNT", ())
        if container[0] != "ACCOUNT":
            self.require_usage(role, *container, container[1])
        if statement.temporary and kind == "TABLE":
            return
        self.require(session, "CREATE " + kind.replace("_", " "), *container)
        if statement.replaces and self.exists(kind, name):
            self.require(session, "OWNERSHIP", kind, name)

    def check_change(self, session, statement):
        kind, name = statement.kind, full_name(session, statement.kind, statement.name)
        if kind == "TABLE" and session.is_temporary(statement.name):
            return
        # The owner of a schema may drop objects that other roles own in it.
        owns_schema = kind in IN_SCHEMA and self.owner("SCHEMA", name[:2]) in self.inherited(session.role)
        if statement.verb == "DROP" and owns_schema:
            return
        operates = kind == "WAREHOUSE" and re.search(r"\b(suspend|resume)\b", statement.text, re.I)
        if self.exists(kind, name):
            self.require(session, "OPERATE" if operates else "OWNERSHIP", kind, name)

    # ------------------------------------------------------------ objects
    def exists(self, kind, name):
        if kind in ("TABLE", "VIEW"):
            return self.catalog().get(name) == kind
        return (kind, name) in self.owners or (kind == "ROLE" and name[0] in SYSTEM_ROLES)

    def objects(self, kind, container):
        if kind in ("TABLE", "VIEW"):
            found = [name for name, k in self.catalog().items() if k == kind]
        else:
            found = [name for k, name in self.owners if k == kind]
        return sorted(name for name in found if name[:len(container)] == container)

    def created(self, role, kind, name):
        """Records a new object: the role owns it, and future grants apply to it."""
        self.dropped(kind, name)
        now = dt.datetime.now(dt.UTC)
        self.owners[kind, name] = (role, now)
        if kind == "ROLE":
            self.roles.setdefault(name[0], set())
        if kind == "USER":
            self.users.setdefault(name[0], set())
        if kind == "DATABASE":
            self.owners.setdefault(("SCHEMA", (*name, "PUBLIC")), (role, now))
        future = [(key, grant) for key, grant in self.future_grants.items() if key[2] == kind]
        on_schema = [x for x in future if x[0][3:] == ("SCHEMA", name[:2])]
        on_database = [x for x in future if x[0][3:] == ("DATABASE", name[:1])]
        # Future grants on the schema, if there are any, override those on the database.
        for (grantee, privilege, *_), (_, option, by) in on_schema or on_database:
            if privilege == "OWNERSHIP":
                self.owners[kind, name] = (grantee, now)
            else:
                self.grants[grantee, privilege, kind, name] = (now, option, by)

    def dropped(self, kind, name):
        def is_inside(other_kind, other):
            in_container = kind in ("DATABASE", "SCHEMA") and (
                other_kind in IN_SCHEMA or other_kind == "SCHEMA"
            )
            return (other_kind, other) == (kind, name) or (in_container and other[:len(name)] == name)
        is_of_role = lambda grantee: kind == "ROLE" and grantee == name[0]
        self.grants = {
            k: v for k, v in self.grants.items() if not is_inside(k[2], k[3]) and not is_of_role(k[0])
        }
        self.owners = {k: v for k, v in self.owners.items() if not is_inside(*k)}
        if kind in ("DATABASE", "SCHEMA"):
            self.future_grants = {k: v for k, v in self.future_grants.items() if k[4][:len(name)] != name}
        if kind == "ROLE":
            self.future_grants = {k: v for k, v in self.future_grants.items() if k[0] != name[0]}
            for granted in [*self.roles.values(), *self.users.values()]:
                granted.discard(name[0])
            self.roles.pop(name[0], None)
        if kind == "USER":
            self.users.pop(name[0], None)

    def renamed(self, kind, old, new):
        rename = lambda k, name: new if (k, name) == (kind, old) else name
        self.grants = {(r, p, k, rename(k, name)): grant for (r, p, k, name), grant in self.grants.items()}
        if owner := self.owners.pop((kind, old), None):
            self.owners[kind, new] = owner

    # ------------------------------------------------------------ GRANT and REVOKE
    def grant_or_revoke(self, session, text, enforced):
        """Applies a GRANT or REVOKE. Returns False for a form that is not supported here."""
        flags = re.I | re.S
        is_grant = text.split(None, 1)[0].upper() == "GRANT"
        end = r"(?:\s+with\s+grant\s+option|\s+(?:copy|revoke)\s+current\s+grants|\s+cascade|\s+restrict)*\s*\Z"
        if m := re.match(
            rf"\w+\s+role\s+({IDENTIFIER})\s+(?:to|from)\s+(role|user)\s+({IDENTIFIER}){end}", text, flags
        ):
            (role,), (grantee,) = name_parts(m.group(1)), name_parts(m.group(3))
            self.change_role_grant(session, is_grant, role, m.group(2).lower(), grantee, enforced)
            return True
        m = re.match(r"\w+\s+(?:grant\s+option\s+for\s+)?(.+?)\s+on\s+(.+?)\s+(?:to|from)\s+(?:role\s+)?"
                     rf"({IDENTIFIER}){end}", text, flags)
        if not m or re.search(r"\b(database|application)\s+role\b|\bshare\b", text, re.I):
            return False
        privileges = [re.sub(r"\s+", " ", p.strip()).upper() for p in m.group(1).split(",")]
        (role,), on = name_parts(m.group(3)), m.group(2).strip()
        grant = (dt.datetime.now(dt.UTC), bool(re.search(r"with\s+grant\s+option", text, re.I)), session.role)
        if enforced and role not in self.roles:
            raise does_not_exist(role, "Role")
        self.roles.setdefault(role, set())
        if o := re.match(rf"(all|future)\s+(\w+(?:\s+\w+)?)\s+in\s+(schema|database)\s+({NAME})\Z", on, flags):
            kind = object_kind(re.sub(r"s\Z", "", o.group(2), flags=re.I))
            container_kind = o.group(3).upper()
            container = full_name(session, container_kind, name_parts(o.group(4)))
            self.require_existing(enforced, container_kind, container)
            if o.group(1).lower() == "future":
                if enforced and not self.manages_grants(session):
                    raise insufficient_privileges(container_kind, container[-1])
                for privilege in self.expand(privileges, kind):
                    key = (role, privilege, kind, container_kind, container)
                    if is_grant:
                        self.future_grants[key] = grant
                    else:
                        self.future_grants.pop(key, None)
                return True
            targets = [(kind, name) for name in self.objects(kind, container)]
        elif re.match(r"account\Z", on, flags):
            targets = [("ACCOUNT", ())]
        elif o := re.match(rf"({KIND})\s+({NAME})(?:\s*\(.*\))?\Z", on, flags):
            kind = object_kind(o.group(1))
            name = full_name(session, kind, name_parts(o.group(2)))
            if kind in ("TABLE", "VIEW"):
                kind = self.catalog().get(name, kind)      # GRANT .. ON TABLE accepts a view
            self.require_existing(enforced, kind, name)
            targets = [(kind, name)]
        else:
            return False
        for kind, name in targets:
            self.change_grant(session, is_grant, role, privileges, kind, name, grant, enforced)
        return True

    def change_role_grant(self, session, is_grant, role, grantee_kind, grantee, enforced):
        if enforced:
            if role not in self.roles:
                raise does_not_exist(role, "Role")
            if grantee not in (self.roles if grantee_kind == "role" else self.users):
                raise does_not_exist(grantee, grantee_kind.capitalize())
            if not self.manages_grants(session) and not self.has_privilege(
                session.role, "OWNERSHIP", "ROLE", (role,)
            ):
                raise insufficient_privileges("role", role)
        granted = (self.roles if grantee_kind == "role" else self.users).setdefault(grantee, set())
        (granted.add if is_grant else granted.discard)(role)
        self.roles.setdefault(role, set())

    def change_grant(self, session, is_grant, role, privileges, kind, name, grant, enforced):
        if (
            enforced
            and not self.manages_grants(session)
            and self.owner(kind, name) not in self.inherited(session.role)
        ):
            raise insufficient_privileges(kind, name[-1] if name else "ACCOUNT")
        when, option, _ = grant
        for privilege in self.expand(privileges, kind):
            key = (role, privilege, kind, name)
            if privilege == "OWNERSHIP":
                if is_grant:
                    self.owners[kind, name] = (role, when)
            elif not is_grant:
                self.grants.pop(key, None)
            elif key not in self.grants or option:
                self.grants[key] = grant

    @staticmethod
    def expand(privileges, kind):
        """Replaces ALL with the privileges that exist for a kind of object."""
        return ALL_PRIVILEGES.get(kind, ["USAGE"]) if privileges[0] in ("ALL", "ALL PRIVILEGES") else privileges

    def require_existing(self, enforced, kind, name):
        if enforced and kind != "ACCOUNT" and not self.exists(kind, name):
            raise does_not_exist(".".join(name), kind.capitalize())

    def manages_grants(self, session):
        return (bool({"ACCOUNTADMIN", "SECURITYADMIN"} & self.inherited(session.role))
                or self.has_privilege(session.role, "MANAGE GRANTS", "ACCOUNT", ()))

    # ------------------------------------------------------------ SHOW GRANTS
    def show_grants(self, session, text):
        """Returns columns and rows of a SHOW GRANTS statement; None for other statements."""
        if m := re.match(
            rf"show\s+future\s+grants\s+(?:(to)\s+role|in\s+(schema|database))\s+({NAME})", text, re.I
        ):
            to_role, kind, name = m.group(1), (m.group(2) or "").upper(), name_parts(m.group(3))
            container = None if to_role else full_name(session, kind, name)
            selected = lambda key: key[0] == name[0] if to_role else key[3:] == (kind, container)
            rows = [
                (
                    grant[0],
                    key[1],
                    key[2],
                    ".".join(key[4]) + f".<{key[2]}>",
                    "ROLE",
                    key[0],
                    str(grant[1]).lower(),
                )
                for key, grant in self.future_grants.items()
                if selected(key)
            ]
            return FUTURE_GRANT_COLUMNS, sorted(rows, key=lambda row: row[1:])
        now = dt.datetime.now(dt.UTC)
        if m := re.match(rf"show\s+grants\s+(to\s+user|of\s+role)\s+({IDENTIFIER})", text, re.I):
            of_role, (name,) = m.group(1).lower().startswith("of"), name_parts(m.group(2))
            pairs = [(role, "USER", user) for user, granted in self.users.items() for role in granted]
            if of_role:
                pairs += [
                    (role, "ROLE", grantee) for grantee, granted in self.roles.items() for role in granted
                ]
            rows = [(now, *pair, "") for pair in pairs if (pair[0] if of_role else pair[2]) == name]
            return ROLE_GRANT_COLUMNS, sorted(rows)
        owned = [
            (when, "OWNERSHIP", kind, name, role, True, role)
            for (kind, name), (role, when) in self.owners.items()
        ]
        granted = [(when, privilege, kind, name, role, option, by)
                   for (role, privilege, kind, name), (when, option, by) in self.grants.items()]
        roles = [(now, "USAGE", "ROLE", (role,), grantee, False, "")
                 for grantee, granted_roles in self.roles.items() for role in granted_roles]
        if m := re.match(rf"show\s+grants\s+to\s+role\s+({IDENTIFIER})", text, re.I):
            (role,) = name_parts(m.group(1))
            if role not in self.roles:
                raise does_not_exist(role, "Role")
            rows = [row for row in owned + granted + roles if row[4] == role]
        elif m := re.match(rf"show\s+grants\s+on\s+({KIND})\s+({NAME})", text, re.I):
            kind = object_kind(m.group(1))
            name = full_name(session, kind, name_parts(m.group(2)))
            rows = [row for row in owned + granted if row[2:4] == (kind, name)]
        else:
            return None
        rows = [(when, privilege, kind, ".".join(name), "ROLE", role, str(option).lower(), by)
                for when, privilege, kind, name, role, option, by in rows]
        return GRANT_COLUMNS, sorted(rows, key=lambda row: (row[2], row[3], row[1]))
