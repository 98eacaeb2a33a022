# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Staging together with its rollback net, as one plan that is then carried out."""

import sys
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils import _installation, _kexec, _staging, _watchdog
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.detect import read_boot_loader
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine
from ansible_collections.fleetops.kexec.plugins.module_utils._net import guard, one_shot, program
from ansible_collections.fleetops.kexec.plugins.module_utils._net.end import end
from ansible_collections.fleetops.kexec.plugins.module_utils._net.fallback import find_fallback
from ansible_collections.fleetops.kexec.plugins.module_utils._net.state import Net, OneShot, read_net, write_net
from ansible_collections.fleetops.kexec.plugins.module_utils._running import Running, read_running
from ansible_collections.fleetops.kexec.plugins.module_utils._watchdog import Watchdog, read_watchdog

AUTO, ALWAYS, NEVER = "auto", "true", "false"

Make = Callable[[], bytes]
"""Gives the guard's program."""


class Request(NamedTuple):
    """What the operator asks for."""

    rollback: str
    """auto, true or false."""
    seconds: int

    @classmethod
    def of(cls, params: Dict[str, Any]) -> "Request":
        """From kexec_load's parameters; raises KexecError."""
        if params["rollback_seconds"] <= 0:
            raise KexecError("rollback_seconds is %d; it must be more than 0" % params["rollback_seconds"])
        return cls(params["rollback"], params["rollback_seconds"])


class Plan(NamedTuple):
    """What is staged and secured, and what is to be. Check mode, diff and ``changed`` all come from here."""

    staging: _staging.Plan
    running: Running
    before: Optional[Net]
    """The net of an earlier run."""
    fallback: Optional[OneShot]
    """What is to be armed; None for no net."""
    reason: str
    """Why there is to be none, as a sentence."""
    watchdog: Optional[Watchdog]
    request: Request
    is_armed: bool
    """Whether the boot loader is to start once what the net of the earlier run says."""
    is_guarded: bool
    """Whether anything of a guard is on the host."""
    slot_free: bool

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return self.staging.changed or self._changes_net()

    def _changes_net(self) -> bool:
        if self.fallback is None:
            return self.before is not None or self.is_guarded
        if self.before is None or not self.is_armed or not self.is_guarded:
            return True
        record = self.staging.record
        known = (self.before.boot_id, self.before.one_shot, self.before.seconds, self.before.token)
        return known != (self.running.boot_id, self.fallback, self.request.seconds, record and record.token)

    def apply(self, machine: Machine, syscall: str, make: Make) -> Dict[str, Any]:
        """Carry it out; returns what is then staged and secured. Raises KexecError.

        An image is staged only when its net is armed, so that at no moment it is there without.
        """
        record = self.staging.record
        token = _staging.new_token() if self.staging.changed or record is None else record.token
        net, reason = self._try_to_arm(machine, token, make)
        try:
            staged = self.staging.apply(machine, syscall, token)
        except KexecError:
            if net is not None:
                self._put_back(machine)
            raise
        if net is not None:
            self._check_still_armed(machine, net)
            return {"staged": staged, "net": self._as_result(net.one_shot, self._keep_watchdog(machine))}
        if self.before is not None or self.is_guarded:
            end(machine, self.before, self.running)
        return {"staged": staged, "net": _no_net(reason)}

    def _check_still_armed(self, machine: Machine, net: Net) -> None:
        """The guard's time counts while a kernel is staged. Raises KexecError, with nothing staged, where it was over.

        In the order in which the guard takes away: the image, the entry, the record.
        """
        is_armed = one_shot.is_set(machine, net.one_shot) and read_net(machine) == net
        if is_armed and _kexec.is_loaded(machine):
            return
        if _kexec.is_loaded(machine):
            _staging.unload(machine)
        end(machine, read_net(machine), self.running)
        raise KexecError(
            "the rollback net was taken down again before the kernel was staged, because the time it was given "
            "(rollback_seconds: %d) was over by then; nothing is staged; give it more" % self.request.seconds
        )

    def _try_to_arm(self, machine: Machine, token: str, make: Make) -> Tuple[Optional[Net], str]:
        """The armed net; or why there is none. Raises KexecError where there has to be one."""
        if self.fallback is None:
            return None, self.reason
        try:
            return self._arm(machine, self.fallback, token, make), ""
        except KexecError as error:
            self._put_back(machine)
            if self.request.rollback == ALWAYS:
                raise KexecError("nothing was staged, because the rollback net cannot be armed: %s" % error)
            return None, "arming failed: %s" % error

    def _arm(self, machine: Machine, fallback: OneShot, token: str, make: Make) -> Net:
        """First the guard, then the record, then the entry: so each is guarded before it is there."""
        wanted = self.staging.wanted
        net = Net(
            boot_id=self.running.boot_id,
            since=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            seconds=self.request.seconds,
            token=token,
            staged_release=None if wanted is None else wanted.target.release,
            release=self.running.release,
            build=self.running.version,
            one_shot=fallback,
            slot_free=self.slot_free,
            watchdog=self._sets_watchdog(),
        )
        if self.before is not None and self.before.one_shot != fallback:
            one_shot.remove_if_set(machine, self.before.one_shot)
        guard.install(machine, guard.files(machine, sys.executable, self.request.seconds, make()))
        write_net(machine, net)
        if not one_shot.is_set(machine, fallback):
            one_shot.set_once(machine, fallback)
        return net

    def _sets_watchdog(self) -> bool:
        """Whether systemd is told, or was told in this boot, to keep the watchdog running."""
        if self.before is not None and self.before.watchdog and self.before.boot_id == self.running.boot_id:
            return True
        return self.watchdog is not None and self.watchdog.seconds > 0

    def _keep_watchdog(self, machine: Machine) -> Optional[Watchdog]:
        """The net holds without it, so a failure is told and no more."""
        if self.watchdog is None or not self.watchdog.seconds:
            return self.watchdog
        try:
            _watchdog.keep_at_kexec(machine, self.watchdog.seconds)
        except KexecError as error:
            return self.watchdog._replace(kept=False, reason=str(error))
        return self.watchdog

    def _put_back(self, machine: Machine) -> None:
        """Nothing new is staged: what an earlier run has staged in this boot keeps its net."""
        before = self.before
        if before is not None and before.boot_id == self.running.boot_id and self.staging.record is not None:
            write_net(machine, before)
        else:
            end(machine, read_net(machine), self.running)

    def preview(self) -> Dict[str, Any]:
        """What apply would return, as far as it can be known before."""
        net = _no_net(self.reason) if self.fallback is None else self._as_result(self.fallback, self.watchdog)
        return {"staged": self.staging.preview(), "net": net}

    def _as_result(self, fallback: OneShot, watchdog: Optional[Watchdog]) -> Dict[str, Any]:
        return {
            "armed": True,
            "reason": None,
            "entry": fallback.value,
            "release": self.running.release,
            "seconds": self.request.seconds,
            "watchdog": None if watchdog is None else watchdog.as_result(),
        }

    def warnings(self) -> List[str]:
        """What an operator should know before this is booted."""
        found = self.staging.warnings()
        wanted = self.staging.wanted
        if self.fallback is not None and wanted is not None and not wanted.resets_on_panic():
            found.append(
                "the staged kernel does not reset the machine when it panics, so the rollback net waits for somebody "
                "who does; panic_seconds should be more than 0"
            )
        return found

    def diff(self) -> Dict[str, str]:
        """Before and after as Ansible shows them with --diff."""
        shown = self.staging.diff()
        if self.before is not None and self.is_armed:
            shown["before"] += _line(self.before.one_shot, self.before.release)
        if self.fallback is not None:
            shown["after"] += _line(self.fallback, self.running.release)
        return shown


def _no_net(reason: str) -> Dict[str, Any]:
    return {"armed": False, "reason": reason, "entry": None, "release": None, "seconds": None, "watchdog": None}


def _line(fallback: OneShot, release: str) -> str:
    return "net: %s (%s)\n" % (fallback.value, release)


def guard_program() -> bytes:
    """The guard's program, of the code that this process runs."""
    return _installation.program(sys.executable, program.__name__)


def plan_for(machine: Machine, wanted: _staging.Request, request: Request) -> Plan:
    """Compare what is with what is asked for. Raises KexecError."""
    staging = _staging.plan_for(machine, wanted)
    running = read_running(machine)
    before = read_net(machine)
    fallback, watchdog, reason = None, None, "nothing is staged"
    if wanted.loaded:
        try:
            fallback = _fallback(machine, staging, running, before, request)
            watchdog, reason = read_watchdog(machine), ""
        except KexecError as error:
            reason = str(error)
            if request.rollback == ALWAYS:
                raise KexecError("the rollback net that was asked for cannot be armed: %s" % error)
    return Plan(
        staging=staging,
        running=running,
        before=before,
        fallback=fallback,
        reason=reason,
        watchdog=watchdog,
        request=request,
        is_armed=before is not None and one_shot.is_set(machine, before.one_shot),
        is_guarded=guard.is_installed(machine),
        slot_free=staging.record is not None or not _kexec.is_loaded(machine),
    )


def _fallback(
    machine: Machine, staging: _staging.Plan, running: Running, before: Optional[Net], request: Request
) -> OneShot:
    """What is to be armed; raises KexecError for why there is to be no net."""
    if request.rollback == NEVER:
        raise KexecError("it was not asked for")
    unguarded = guard.why_not(machine)
    if unguarded is not None:
        raise KexecError(unguarded)
    config = read_boot_loader(machine) if staging.config is None else staging.config
    if config.one_shot is not None and (before is None or before.one_shot.value != config.one_shot):
        raise KexecError(
            "the boot loader was told by somebody else to start the entry %r once, which this does not overwrite; "
            "start it, or take it back" % config.one_shot
        )
    return find_fallback(machine, config, running)
