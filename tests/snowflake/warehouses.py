"""Virtual warehouses, which are billed from each resume on, and locks on tables."""
import asyncio, re, time
from privileges import Denied


class Warehouses:
    def __init__(self, log): self.log, self.all = log, {}
    def get(self, name): return self.all.setdefault(name, {"auto_suspend": 60.0, "up": False, "running": 0, "ended": 0.0})
    def changed(self, s):
        """A CREATE, ALTER or DROP of one was done."""
        (name,) = s.name
        if s.verb == "DROP": self.all.pop(name, None); return
        new = name not in self.all or s.replaces
        if s.verb == "CREATE" and not new: return
        if s.replaces: self.all.pop(name, None)
        w = self.get(name)
        if m := re.search(r"\bauto_suspend\s*=\s*(\d+|null)", s.text, re.I): w["auto_suspend"] = float("inf") if m.group(1).lower() in ("0", "null") else float(m.group(1))
        if s.verb == "CREATE":
            if not re.search(r"\binitially_suspended\s*=\s*true", s.text, re.I): self._resume(name, w)
        elif re.search(r"\bsuspend\b", s.text, re.I): w["up"] = False
        elif re.search(r"\bresume\b", s.text, re.I) and not self._is_up(w): self._resume(name, w)
    def _is_up(self, w): return w["up"] and (w["running"] > 0 or time.monotonic() - w["ended"] <= w["auto_suspend"])
    def _resume(self, name, w):
        w.update(up=True, ended=time.monotonic()); self.log.append(("resume", name))
    def begin(self, name):
        """A statement needs it; gives what `end` is to be told."""
        w, was = self.get(name), None
        if not self._is_up(w):
            was = dict(w); self._resume(name, w)
        w["running"] += 1
        return name, was
    def end(self, begun, compiled):
        name, was = begun
        w = self.get(name); w["running"] -= 1
        if compiled or was is None: w["ended"] = time.monotonic()
        elif w["running"] == 0:      # what does not compile never comes to its warehouse
            w.update(up=False, ended=was["ended"])
            last = len(self.log) - 1 - self.log[::-1].index(("resume", name)); del self.log[last]


class Locks:
    """A table that a transaction has changed is its own until it ends; only rows that are added do not stand in each other's way."""
    def __init__(self, idle_after):
        self.held = {}          # table -> {session: changes rows that are there}
        self.idle_after = idle_after
    def _free(self, session, table, changes):
        return all(other is session or not (changes or held) for other, held in self.held.get(table, {}).items())
    async def take(self, session, table, changes, lock_timeout, statement_timeout, cancelled):
        begun = time.monotonic()
        while not self._free(session, table, changes):
            for other in list(self.held[table]):        # who stands in the way and says nothing for minutes is rolled back
                if other is not session and not other.running and time.monotonic() - other.idle_since >= self.idle_after: other.end_transaction("rollback")
            if self._free(session, table, changes): break
            waited = time.monotonic() - begun
            if cancelled.is_set() or session.ended: raise Denied("000604", "57014", "SQL execution canceled")
            if waited >= statement_timeout: raise Denied("000630", "57014", f"Statement reached its statement or warehouse timeout of {statement_timeout:g} second(s) and was canceled.")
            if waited >= lock_timeout: raise locked(table[-1])
            await asyncio.sleep(min(0.05, max(0.001, lock_timeout - waited)))
        held = self.held.setdefault(table, {})
        held[session] = held.get(session, False) or changes
    def release(self, session):
        for held in self.held.values(): held.pop(session, None)


def locked(table):
    return Denied("000625", "57014", f"Statement '01b00000-0000-0000-0000-000000000000' has locked table '{table}' in transaction 1753000000000000000 and this lock has not yet been released.")
