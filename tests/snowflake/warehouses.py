"""Snowflake's virtual warehouses with their resumes, which cost money, and locks on tables."""
import asyncio, re, time
from privileges import Denied


class Warehouses:
    def __init__(self, log):
        self.log, self.states = log, {}

    def state(self, name):
        return self.states.setdefault(name, {"auto_suspend": 60.0, "up": False, "running": 0, "ended": 0.0})

    def apply(self, statement):
        """Applies a successful CREATE, ALTER or DROP of a warehouse."""
        (name,), text = statement.name, statement.text
        if statement.verb == "DROP":
            self.states.pop(name, None)
            return
        is_new = name not in self.states or statement.replaces
        if statement.verb == "CREATE" and not is_new:
            return
        if statement.replaces:
            self.states.pop(name, None)
        state = self.state(name)
        if found := re.search(r"\bauto_suspend\s*=\s*(\d+|null)", text, re.I):
            never = found.group(1).lower() in ("0", "null")
            state["auto_suspend"] = float("inf") if never else float(found.group(1))
        if statement.verb == "CREATE":
            if not re.search(r"\binitially_suspended\s*=\s*true", text, re.I):
                self.resume(name, state)
        elif re.search(r"\bsuspend\b", text, re.I):
            state["up"] = False
        elif re.search(r"\bresume\b", text, re.I) and not self.is_up(state):
            self.resume(name, state)

    @staticmethod
    def is_up(state):
        idle = time.monotonic() - state["ended"]
        return state["up"] and (state["running"] > 0 or idle <= state["auto_suspend"])

    def resume(self, name, state):
        state.update(up=True, ended=time.monotonic())
        self.log.append(("resume", name))

    def begin(self, name):
        """Starts a statement on a warehouse. The caller passes the result to `end`."""
        state, before = self.state(name), None
        if not self.is_up(state):
            before = dict(state)
            self.resume(name, state)
        state["running"] += 1
        return name, before

    def end(self, started, compiled):
        name, before = started
        state = self.state(name)
        state["running"] -= 1
        if compiled or before is None:
            state["ended"] = time.monotonic()
        elif state["running"] == 0:
            # A statement that does not compile never reaches the warehouse, so its resume is
            # undone.
            state.update(up=False, ended=before["ended"])
            last = len(self.log) - 1 - self.log[::-1].index(("resume", name))
            del self.log[last]


class Locks:
    """The locks that transactions hold on tables. Inserts into one table do not block each other;
    any other change blocks all changes of the table."""

    def __init__(self, idle_after):
        self.held = {}          # table -> {session: whether it changed existing rows}
        self.idle_after = idle_after

    def is_free(self, session, table, changes_rows):
        return all(other is session or not (changes_rows or other_changes_rows)
                   for other, other_changes_rows in self.held.get(table, {}).items())

    async def take(self, session, table, changes_rows, lock_timeout, statement_timeout, cancelled):
        started = time.monotonic()
        while not self.is_free(session, table, changes_rows):
            for other in list(self.held[table]):
                # Snowflake rolls back a transaction that blocks others and has been idle for
                # minutes.
                idle = time.monotonic() - other.idle_since
                if other is not session and not other.running and idle >= self.idle_after:
                    other.end_transaction("rollback")
            if self.is_free(session, table, changes_rows):
                break
            waited = time.monotonic() - started
            if cancelled.is_set() or session.ended:
                raise Denied("000604", "57014", "SQL execution canceled")
            if waited >= statement_timeout:
                message = (
                    f"Statement reached its statement or warehouse timeout of {statement_timeout:g} second(s)"
                    " and was canceled."
                )
                raise Denied("000630", "57014", message)
            if waited >= lock_timeout:
                raise locked(table[-1])
            await asyncio.sleep(min(0.05, max(0.001, lock_timeout - waited)))
        held = self.held.setdefault(table, {})
        held[session] = held.get(session, False) or changes_rows

    def release(self, session):
        for held in self.held.values():
            held.pop(session, None)


def locked(table):
    message = (f"Statement '01b00000-0000-0000-0000-000000000000' has locked table '{table}' in transaction"
               " 1753000000000000000 and this lock has not yet been released.")
    return Denied("000625", "57014", message)
