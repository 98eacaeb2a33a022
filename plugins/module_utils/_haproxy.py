# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server of HAProxy out of service and back, by HAProxy's runtime commands.

The answers are those of HAProxy's management guide, chapter 9.3: "show servers state" for what was asked of a server
and whether it runs, "show stat" for its sessions. Both name their columns, and newer releases put more at the end.
"""

import csv
import re
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError

# SRV_ADMF_* in HAProxy's include/haproxy/server-t.h. Of these only what was asked for by command or configuration can
# be taken back here; the others come from the server that this one tracks, or from the resolver.
_FORCED_MAINT = 0x01
_FORCED_DRAIN = 0x08
_OUT_OF_SERVICE = 0x01 | 0x02 | 0x08 | 0x10 | 0x20 | 0x40
# CHK_ST_CONFIGURED and CHK_ST_ENABLED in include/haproxy/check-t.h.
_CHECKED = 0x02 | 0x04
# SRV_ST_STARTING (slow start) and SRV_ST_RUNNING.
_RUNS = (1, 2)

_POLL_SECONDS = 0.25
_WORD = re.compile(r"[^\s/;\\]+")

_SENTENCES = {
    "Permission denied": "the socket does not allow it: give it `level admin` at `stats socket` in haproxy.cfg",
    "No such server.": "there is no such server any more",
    "No such backend.": "there is no such backend any more",
}


class Server(NamedTuple):
    """A server of a backend."""

    backend: str
    name: str
    admin: int
    runs: bool
    checked: bool
    """Whether it has a health check of its own, rather than none or that of a server that it tracks."""
    sessions: int
    """Those at the server, and those that wait for it in the queue."""
    status: str
    """What the statistics page says, with the last check's answer."""

    @property
    def path(self) -> str:
        """Its name in a command."""
        return "%s/%s" % (self.backend, self.name)

    @property
    def state(self) -> str:
        """What was asked of it: ready, drain or maint."""
        if self.admin & _FORCED_MAINT:
            return "maint"
        return "drain" if self.admin & _FORCED_DRAIN else "ready"

    @property
    def serves(self) -> bool:
        """Whether it gets requests."""
        return self.runs and not self.admin & _OUT_OF_SERVICE


class Runtime:
    """What is needed of the load balancer: its runtime commands, and time to wait."""

    def __init__(
        self, ask: Callable[[str], str], now: Callable[[], float], sleep: Callable[[float], None], place: str
    ) -> None:
        self.ask = ask
        self.now = now
        self.sleep = sleep
        self.place = place
        """The socket, for sentences."""


def parse_servers(states: str, statistics: str, place: str) -> List[Server]:
    """The servers in the answers to "show servers state" and "show stat -1 4 -1"; raises KexecError."""
    try:
        numbers = {(row["# pxname"], row["svname"]): row for row in csv.DictReader(statistics.splitlines())}
        return [_server(row, numbers[row["be_name"], row["srv_name"]]) for row in _states(states)]
    except (KeyError, ValueError, TypeError):
        said = " ".join((states if "srv_name" not in states else statistics).split())[:200]
        raise KexecError("%s does not answer as HAProxy's runtime socket does, but: %s" % (place, said or "nothing"))


def _states(text: str) -> List[Dict[str, str]]:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or not lines[1].startswith("# "):
        raise ValueError("no table")
    columns = lines[1][2:].split()
    return [dict(zip(columns, line.split())) for line in lines[2:]]


def _server(state: Dict[str, str], numbers: Dict[str, str]) -> Server:
    check = " ".join(word for word in (numbers["check_status"], numbers["last_chk"]) if word)
    return Server(
        backend=state["be_name"],
        name=state["srv_name"],
        admin=int(state["srv_admin_state"]),
        runs=int(state["srv_op_state"]) in _RUNS,
        checked=int(state["srv_check_state"]) & _CHECKED == _CHECKED,
        sessions=int(numbers["scur"]) + int(numbers["qcur"]),
        status=numbers["status"] + (" (last check: %s)" % check if check else ""),
    )


def choose(servers: Sequence[Server], name: str, backends: Sequence[str], place: str) -> List[Server]:
    """Those of that name in these backends, or in all; raises KexecError where one is missing."""
    for word in [name, *backends]:
        if _WORD.fullmatch(word) is None:
            raise KexecError("%r cannot be the name of a server or backend in HAProxy; correct the task" % word)
    found = [server for server in servers if server.name == name and (not backends or server.backend in backends)]
    if not backends and not found:
        known = sorted({server.name for server in servers})
        raise KexecError(
            "HAProxy at %s has no server %s in any backend; its servers are %s"
            % (place, name, ", ".join(known) or "none at all")
        )
    for backend in backends:
        if backend not in {server.backend for server in found}:
            known = sorted(server.name for server in servers if server.backend == backend)
            raise KexecError(
                "HAProxy at %s has no server %s in the backend %s; its servers there are %s"
                % (place, name, backend, ", ".join(known) or "none at all")
            )
    return found


class Plan:
    """What is, what is wanted, and the way between."""

    def __init__(self, runtime: Runtime, name: str, backends: Sequence[str], state: str) -> None:
        self._runtime = runtime
        self._name = name
        self._backends = backends
        self._wanted = {"drained": "maint", "ready": "ready"}[state]
        self.before = self._look()
        self.changed = any(server.state != self._wanted for server in self.before)

    def diff(self) -> Dict[str, str]:
        """For Ansible's --diff."""
        return {
            "before": "".join("%s: %s\n" % (server.path, server.state) for server in self.before),
            "after": "".join("%s: %s\n" % (server.path, self._wanted) for server in self.before),
        }

    def result(self) -> Dict[str, Any]:
        """What the module returns of it."""
        return {
            "servers": [
                {
                    "backend": server.backend,
                    "server": server.name,
                    "state": server.state,
                    "status": server.status,
                    "sessions": server.sessions,
                }
                for server in self.before
            ]
        }

    def drain(self, timeout: float, proceed: bool) -> List[str]:
        """No new sessions, wait for those that are there, then maintenance.

        :param timeout: in seconds; after it the servers are as they were, and KexecError is raised.
        :param proceed: go into maintenance then all the same.
        :returns: warnings.
        """
        deadline = self._deadline(timeout)
        self._set("drain", [server for server in self.before if server.state == "ready"])
        left = self._wait(deadline, lambda server: not server.sessions)
        if not left or proceed:
            # A session that came by a cookie in the meantime is let end as well.
            self._set("maint", [server for server in self.before if server.state != "maint"])
            left = self._wait(deadline, lambda server: not server.sessions)
        if not left:
            return []
        still = ", ".join("%s has %d" % (server.path, server.sessions) for server in left)
        if proceed:
            return ["sessions were left at the end of drain_timeout, after %g s: %s" % (timeout, still)]
        self._put_back()
        raise KexecError(
            "HAProxy at %s: the sessions did not end within %g s: %s. The server is as it was before. "
            "Raise drain_timeout, or go on regardless with on_drain_timeout: proceed"
            % (self._runtime.place, timeout, still)
        )

    def make_ready(self, timeout: float) -> None:
        """Back into service, and wait until it is; raises KexecError.

        A server that leaves maintenance counts as up until its check finds otherwise, and would get requests at once.
        So one that has a check is told to be down, for its check to bring it up. Without one nothing would.
        """
        deadline = self._deadline(timeout)
        for server in self.before:
            if server.state != "ready":
                self._make_ready(server)
        left = self._wait(deadline, lambda server: server.serves)
        if left:
            raise KexecError(
                "HAProxy at %s does not send requests to it after %g s: %s. See why its health check fails; the server "
                "stays switched on, and serves as soon as the check passes"
                % (self._runtime.place, timeout, ", ".join("%s is %s" % (one.path, one.status) for one in left))
            )

    def _deadline(self, timeout: float) -> float:
        if timeout < 0:
            raise KexecError("a timeout of %g s is in the past; correct the task" % timeout)
        return self._runtime.now() + timeout

    def _look(self) -> List[Server]:
        states = self._runtime.ask("show servers state")
        statistics = self._runtime.ask("show stat -1 4 -1")
        servers = parse_servers(states, statistics, self._runtime.place)
        return choose(servers, self._name, self._backends, self._runtime.place)

    def _wait(self, deadline: float, done: Callable[[Server], bool]) -> List[Server]:
        """Those that are not there yet at the deadline."""
        while True:
            left = [server for server in self._look() if not done(server)]
            if not left or self._runtime.now() >= deadline:
                return left
            self._runtime.sleep(_POLL_SECONDS)

    def _set(self, state: str, servers: Sequence[Server]) -> None:
        for server in servers:
            self._tell("set server %s state %s" % (server.path, state))

    def _make_ready(self, server: Server) -> None:
        commands = ["state drain", "health down", "state ready"] if server.checked else ["state ready"]
        # On one line, so that nothing comes in between.
        self._tell("; ".join("set server %s %s" % (server.path, command) for command in commands))

    def _put_back(self) -> None:
        before = {server.path: server for server in self.before}
        for server in self._look():
            state = before[server.path].state
            if state == server.state:
                continue
            if server.state == "maint" and state == "ready":
                self._make_ready(server)
            else:
                self._set(state, [server])

    def _tell(self, command: str) -> None:
        said = self._runtime.ask(command).split("\n")
        complaint = next((line.strip() for line in said if line.strip()), "")
        if complaint:
            reason = _SENTENCES.get(complaint, "it says: %s" % complaint)
            raise KexecError("HAProxy at %s did not carry out `%s`: %s" % (self._runtime.place, command, reason))
