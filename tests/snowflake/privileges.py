"""Roles, grants and ownership, as far as statements of this project need them."""
import datetime as dt, re
from statement import IDENT, KIND, NAME, kind, parts

SYSTEM = {"ACCOUNTADMIN": {"SYSADMIN", "SECURITYADMIN"}, "SECURITYADMIN": {"USERADMIN"}, "SYSADMIN": set(), "USERADMIN": set(), "PUBLIC": set()}
OF_SYSTEM = {"SYSADMIN": {"CREATE DATABASE", "CREATE WAREHOUSE"}, "SECURITYADMIN": {"MANAGE GRANTS"}, "USERADMIN": {"CREATE ROLE", "CREATE USER"}}
ALL = {"TABLE": ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES"], "VIEW": ["SELECT", "REFERENCES"],
       "DATABASE": ["USAGE", "MONITOR", "MODIFY", "CREATE SCHEMA"], "WAREHOUSE": ["USAGE", "OPERATE", "MONITOR", "MODIFY"],
       "SCHEMA": ["USAGE", "MONITOR", "MODIFY"] + [f"CREATE {k}" for k in ("TABLE", "VIEW", "STAGE", "FILE FORMAT", "SEQUENCE", "FUNCTION", "PROCEDURE", "TASK", "STREAM", "PIPE")]}
# Kinds that stand in a schema; the others stand in the account, a schema in its database.
IN_SCHEMA = {"TABLE", "VIEW", "STAGE", "FILE_FORMAT", "SEQUENCE", "FUNCTION", "PROCEDURE", "TASK", "STREAM", "PIPE"}


class Denied(Exception):
    def __init__(self, code, state, message): self.code, self.state, self.message = code, state, message
def insufficient(kind, name): return Denied("003001", "42501", f"SQL access control error:\nInsufficient privileges to operate on {kind.lower().replace('_', ' ')} '{name}'")
def unknown(name, what="Object"): return Denied("002003", "02000", f"SQL compilation error:\n{what} '{name}' does not exist or not authorized.")
def no_warehouse(): return Denied("000606", "57P03", "No active warehouse selected in the current session.  Select an active warehouse with the 'use warehouse' command.\n")


def full(session, kind, name):
    """A name with all of its parts."""
    database, schema = session.conn.database or "", session.conn.schema or ""
    depth = 3 if kind in IN_SCHEMA else 2 if kind == "SCHEMA" else 1
    return tuple([database, schema][:depth - 1][:depth - len(name)]) + tuple(name)


class Privileges:
    def __init__(self, catalog):
        self.catalog = catalog     # () -> {(database, schema, name): TABLE or VIEW}
        self.clear()
    def clear(self):
        self.roles = {name: set(of) for name, of in SYSTEM.items()}
        self.users = {}            # name -> roles
        self.defaults = {}         # user -> role
        self.held = {}             # (role, privilege, kind, name) -> (when, option, by)
        self.future = {}           # (role, privilege, kind, container kind, container) -> (when, option, by)
        self.owners = {}           # (kind, name) -> (role, when)

    # ------------------------------------------------------------ what a role may
    def of(self, role):
        """The role with all that it inherits."""
        seen, todo = set(), [role, "PUBLIC"]
        while todo:
            if (role := todo.pop()) not in seen:
                seen.add(role); todo += self.roles.get(role, ())
        return seen
    def may(self, role, privilege, kind, name):
        roles = self.of(role)
        if "ACCOUNTADMIN" in roles: return True
        if kind == "ACCOUNT" and any(privilege in OF_SYSTEM.get(r, ()) for r in roles): return True
        if self.owners.get((kind, name), ("",))[0] in roles: return True
        return any((r, privilege, kind, name) in self.held for r in roles)
    def sees(self, role, kind, name):
        """Whether the role has anything at all on an object; that is what USAGE on its containers is asked by."""
        return self.may(role, "USAGE", kind, name)
    def need(self, session, privilege, kind, name):
        if kind in IN_SCHEMA or kind == "SCHEMA":
            if not self.sees(session.role, "DATABASE", name[:1]): raise unknown(".".join(name))
        if kind in IN_SCHEMA:
            if not self.sees(session.role, "SCHEMA", name[:2]): raise unknown(".".join(name))
        if not self.may(session.role, privilege, kind, name): raise insufficient(kind, name[-1] if name else "")

    def check(self, session, s):
        """Raises `Denied` where the session's role may not run the statement."""
        if "ACCOUNTADMIN" not in self.of(session.role):
            self._check(session, s)
        if s.compute and not (session.warehouse and self.sees(session.role, "WAREHOUSE", (session.warehouse,))):
            raise no_warehouse()
    def _check(self, session, s):
        catalog = None
        for privilege, name in [("SELECT", n) for n in s.reads] + s.writes:
            if session.is_temporary(name) or "INFORMATION_SCHEMA" in name: continue
            name = full(session, "TABLE", name)
            if not (self.sees(session.role, "DATABASE", name[:1]) and self.sees(session.role, "SCHEMA", name[:2])): raise unknown(".".join(name))
            catalog = self.catalog() if catalog is None else catalog
            if name in catalog: self.need(session, privilege, catalog[name], name)
        if s.stage: self.need(session, "USAGE", "STAGE", full(session, "STAGE", s.stage))
        if s.file_format: self.need(session, "USAGE", "FILE_FORMAT", full(session, "FILE_FORMAT", s.file_format))
        if s.integration: self.need(session, "USAGE", "INTEGRATION", s.integration)
        if not s.kind or s.verb == "TRUNCATE": return
        name = full(session, s.kind, s.name)
        container = ("SCHEMA", name[:2]) if s.kind in IN_SCHEMA else ("DATABASE", name[:1]) if s.kind == "SCHEMA" else ("ACCOUNT", ())
        if s.verb == "CREATE":
            if s.kind in IN_SCHEMA and not self.sees(session.role, "DATABASE", name[:1]): raise unknown(".".join(name[:1]))
            if s.temporary and s.kind == "TABLE":
                if not self.sees(session.role, "SCHEMA", name[:2]): raise unknown(".".join(name[:2]))
                return
            if not self.sees(session.role, *container) and container[0] != "ACCOUNT": raise unknown(".".join(container[1]))
            self.need(session, "CREATE " + s.kind.replace("_", " "), *container)
            if s.replaces and self.exists(s.kind, name): self.need(session, "OWNERSHIP", s.kind, name)
        elif s.verb in ("DROP", "ALTER"):
            if s.kind == "TABLE" and session.is_temporary(s.name): return
            if s.verb == "DROP" and s.kind in IN_SCHEMA and self.owners.get(("SCHEMA", name[:2]), ("",))[0] in self.of(session.role): return
            operate = s.kind == "WAREHOUSE" and re.search(r"\b(suspend|resume)\b", s.text, re.I) and "OPERATE"
            if self.exists(s.kind, name): self.need(session, operate or "OWNERSHIP", s.kind, name)

    # ------------------------------------------------------------ what there is
    def exists(self, kind, name):
        if kind in ("TABLE", "VIEW"): return self.catalog().get(name) == kind
        return (kind, name) in self.owners or (kind == "ROLE" and name[0] in SYSTEM)
    def objects(self, kind, container):
        found = [n for n, k in self.catalog().items() if k == kind] if kind in ("TABLE", "VIEW") else [n for k, n in self.owners if k == kind]
        return sorted(n for n in found if n[:len(container)] == container)
    def made(self, role, kind, name):
        """An object is new: it belongs to the role, and grants on future ones hold for it."""
        self.gone(kind, name)
        now = dt.datetime.now(dt.UTC)
        self.owners[kind, name] = (role, now)
        if kind == "ROLE": self.roles.setdefault(name[0], set())
        if kind == "USER": self.users.setdefault(name[0], set())
        if kind == "DATABASE": self.owners.setdefault(("SCHEMA", (*name, "PUBLIC")), (role, now))
        grants = [(k, g) for k, g in self.future.items() if k[2] == kind]
        near = [x for x in grants if x[0][3] == "SCHEMA" and x[0][4] == name[:2]]
        # Those of the schema, where there are any, put those of the database aside.
        for (to, privilege, *_), (_, option, by) in near or [x for x in grants if x[0][3] == "DATABASE" and x[0][4] == name[:1]]:
            if privilege == "OWNERSHIP": self.owners[kind, name] = (to, now)
            else: self.held[to, privilege, kind, name] = (now, option, by)
    def gone(self, kind, name):
        inside = lambda k, n: (k == kind and n == name) or (kind in ("DATABASE", "SCHEMA") and n[:len(name)] == name and (k in IN_SCHEMA or k == "SCHEMA"))
        self.held = {k: v for k, v in self.held.items() if not inside(k[2], k[3]) and not (kind == "ROLE" and k[0] == name[0])}
        self.owners = {k: v for k, v in self.owners.items() if not inside(*k)}
        if kind in ("DATABASE", "SCHEMA"): self.future = {k: v for k, v in self.future.items() if k[4][:len(name)] != name}
        if kind == "ROLE":
            self.future = {k: v for k, v in self.future.items() if k[0] != name[0]}
            for has in [*self.roles.values(), *self.users.values()]: has.discard(name[0])
            self.roles.pop(name[0], None)
        if kind == "USER": self.users.pop(name[0], None)
    def moved(self, kind, old, new):
        self.held = {(r, p, k, new if (k, n) == (kind, old) else n): v for (r, p, k, n), v in self.held.items()}
        if owner := self.owners.pop((kind, old), None): self.owners[kind, new] = owner

    # ------------------------------------------------------------ GRANT and REVOKE
    def change(self, session, text, enforced):
        """Records a GRANT or REVOKE; `False` where it is of a form that is not known here."""
        flags = re.I | re.S
        word = text.split(None, 1)[0].upper()
        adds = word == "GRANT"
        end = r"(?:\s+with\s+grant\s+option|\s+(?:copy|revoke)\s+current\s+grants|\s+cascade|\s+restrict)*\s*\Z"
        now, by = dt.datetime.now(dt.UTC), session.role
        if m := re.match(rf"\w+\s+role\s+({IDENT})\s+(?:to|from)\s+(role|user)\s+({IDENT}){end}", text, flags):
            (role,), (to,) = parts(m.group(1)), parts(m.group(3))
            if enforced:
                if role not in self.roles: raise unknown(role, "Role")
                if m.group(2).lower() == "role" and to not in self.roles: raise unknown(to, "Role")
                if m.group(2).lower() == "user" and to not in self.users: raise unknown(to, "User")
                if not self.grants_all(session) and not self.may(session.role, "OWNERSHIP", "ROLE", (role,)): raise insufficient("role", role)
            has = (self.roles if m.group(2).lower() == "role" else self.users).setdefault(to, set())
            (has.add if adds else has.discard)(role)
            self.roles.setdefault(role, set())
            return True
        m = re.match(rf"\w+\s+(?:grant\s+option\s+for\s+)?(.+?)\s+on\s+(.+?)\s+(?:to|from)\s+(?:role\s+)?({IDENT}){end}", text, flags)
        if not m or re.search(r"\b(database|application)\s+role\b|\bshare\b", text, re.I): return False
        privileges = [re.sub(r"\s+", " ", p.strip()).upper() for p in m.group(1).split(",")]
        (role,) = parts(m.group(3))
        option = bool(re.search(r"with\s+grant\s+option", text, re.I))
        on = m.group(2).strip()
        if enforced and role not in self.roles: raise unknown(role, "Role")
        self.roles.setdefault(role, set())
        if o := re.match(rf"(all|future)\s+(\w+(?:\s+\w+)?)\s+in\s+(schema|database)\s+({NAME})\Z", on, flags):
            of = kind(re.sub(r"s\Z", "", o.group(2), flags=re.I)); inside = o.group(3).upper()
            container = full(session, inside, parts(o.group(4)))
            self._known(session, enforced, inside, container)
            if o.group(1).lower() == "future":
                if enforced and not self.grants_all(session): raise insufficient(inside, container[-1])
                for p in self._each(privileges, of):
                    if adds: self.future[role, p, of, inside, container] = (now, option, by)
                    else: self.future.pop((role, p, of, inside, container), None)
                return True
            targets = [(of, name) for name in self.objects(of, container)]
        elif re.match(r"account\Z", on, flags):
            targets = [("ACCOUNT", ())]
        elif o := re.match(rf"({KIND})\s+({NAME})(?:\s*\(.*\))?\Z", on, flags):
            of = kind(o.group(1)); name = full(session, of, parts(o.group(2)))
            if of in ("TABLE", "VIEW") and (found := self.catalog().get(name)): of = found       # a view may be called a table
            self._known(session, enforced, of, name)
            targets = [(of, name)]
        else:
            return False
        for of, name in targets:
            if enforced and not self.grants_all(session) and self.owners.get((of, name), ("",))[0] not in self.of(session.role): raise insufficient(of, name[-1] if name else "ACCOUNT")
            for p in self._each(privileges, of):
                key = (role, p, of, name)
                if p == "OWNERSHIP":
                    if adds: self.owners[of, name] = (role, now)
                elif not adds: self.held.pop(key, None)
                elif key not in self.held or option: self.held[key] = (now, option, by)
        return True
    def _each(self, privileges, of):
        return ALL.get(of, ["USAGE"]) if privileges[0] in ("ALL", "ALL PRIVILEGES") else privileges
    def _known(self, session, enforced, kind, name):
        if enforced and kind != "ACCOUNT" and not self.exists(kind, name): raise unknown(".".join(name), kind.capitalize())
    def grants_all(self, session):
        return bool({"ACCOUNTADMIN", "SECURITYADMIN"} & self.of(session.role)) or self.may(session.role, "MANAGE GRANTS", "ACCOUNT", ())

    # ------------------------------------------------------------ SHOW GRANTS
    def shown(self, session, text):
        """Columns and rows of a SHOW GRANTS; `None` for another statement."""
        if m := re.match(rf"show\s+future\s+grants\s+(?:(to)\s+role|in\s+(schema|database))\s+({NAME})", text, re.I):
            wanted = parts(m.group(3))
            if not m.group(1): wanted = full(session, m.group(2).upper(), wanted)
            mine = lambda k: k[0] == wanted[0] if m.group(1) else (k[3], k[4]) == (m.group(2).upper(), wanted)
            rows = [(v[0], k[1], k[2], ".".join(k[4]) + f".<{k[2]}>", "ROLE", k[0], str(v[1]).lower()) for k, v in self.future.items() if mine(k)]
            return ("created_on", "privilege", "grant_on", "name", "grant_to", "grantee_name", "grant_option"), sorted(rows, key=lambda r: r[1:])
        if m := re.match(rf"show\s+grants\s+(?:to\s+user|of\s+role)\s+({IDENT})", text, re.I):
            (name,) = parts(m.group(1)); of = re.match(r"show\s+grants\s+of", text, re.I)
            pairs = [(r, "USER", u) for u, has in self.users.items() for r in has] + [(r, "ROLE", p) for p, has in self.roles.items() for r in has if of]
            now = dt.datetime.now(dt.UTC)
            return ("created_on", "role", "granted_to", "grantee_name", "granted_by"), sorted((now, *p, "") for p in pairs if (p[0] if of else p[2]) == name)
        owned = [(when, "OWNERSHIP", k, n, role, True, role) for (k, n), (role, when) in self.owners.items()]
        held = [(when, p, k, n, role, option, by) for (role, p, k, n), (when, option, by) in self.held.items()]
        now = dt.datetime.now(dt.UTC)
        inherited = [(now, "USAGE", "ROLE", (r,), role, False, "") for role, has in self.roles.items() for r in has]
        if m := re.match(rf"show\s+grants\s+to\s+role\s+({IDENT})", text, re.I):
            (role,) = parts(m.group(1))
            if role not in self.roles: raise unknown(role, "Role")
            rows = [r for r in owned + held + inherited if r[4] == role]
        elif m := re.match(rf"show\s+grants\s+on\s+({KIND})\s+({NAME})", text, re.I):
            of = kind(m.group(1)); name = full(session, of, parts(m.group(2)))
            rows = [r for r in owned + held if (r[2], r[3]) == (of, name)]
        else:
            return None
        rows = [(when, p, k, ".".join(n), "ROLE", role, str(option).lower(), by) for when, p, k, n, role, option, by in rows]
        return ("created_on", "privilege", "granted_on", "name", "granted_to", "grantee_name", "grant_option", "granted_by"), sorted(rows, key=lambda r: (r[2], r[3], r[1]))
