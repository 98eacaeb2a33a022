# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this collection's actions mean for a roll, told by action and arguments: names of tasks are the user's. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

_COLLECTION = "fleetops.kexec."
_ROLE_OF_A_TURN = "fast_reboot"
_INCLUDES = ("include_role", "import_role")

_PHASES = {
    "kexec_info": "surveying",
    "kexec_push": "pushing the kernel",
    "kexec_load": "staging",
    "kexec_reboot": "rebooting",
    "await_health": "awaiting health",
    "kexec_commit": "accepting",
}


class Step(NamedTuple):
    """A task, before or after its templates are filled in."""

    action: str
    """Without the collection's name, where it is one of ours or of ansible.builtin."""
    is_ours: bool
    name: str
    args: Mapping[str, Any]
    role: str = ""
    """The role that it is of, with its collection's name."""

    @property
    def phase(self) -> str:
        """What a host is doing in it."""
        if self.is_ours and self.action == "kexec_load" and self.args.get("state") == "unloaded":
            return "unloading"
        if self.is_ours and self.action == "kexec_reboot" and self.resumes:
            return "awaited once more"
        return _PHASES.get(self.action, self.name) if self.is_ours else self.name

    @property
    def resumes(self) -> bool:
        """Whether a host is waited for that was asked for its reboot before; not where the task may leave that out."""
        value = self.args.get("resume")
        return value is not None and not (isinstance(value, str) and "omit" in value)

    @property
    def acquires(self) -> bool:
        """Whether a slot is waited for."""
        return self.is_ours and self.action == "rollout_slot" and self.args.get("state") == "acquired"

    @property
    def releases(self) -> bool:
        """Whether a slot is given back."""
        return self.is_ours and self.action == "rollout_slot" and self.args.get("state") == "released"

    @property
    def _has_a_turn(self) -> bool:
        """Whether it is the role that reboots a host, which is read only when it is included."""
        included = str(self.args.get("name", ""))
        is_role = included in (_ROLE_OF_A_TURN, _COLLECTION + _ROLE_OF_A_TURN)
        return self.action in _INCLUDES and is_role and "tasks_from" not in self.args


def step(action: str, name: str, args: Mapping[str, Any], role: str = "") -> Step:
    """A task by its action as it was written, with or without the collection's name."""
    short = action.rpartition(".")[2]
    is_ours = action.startswith(_COLLECTION) or ("." not in action and short in _OURS)
    return Step(short, is_ours, name, args, role)


_OURS = (*_PHASES, "kexec_autoload", "rollout_plan", "rollout_report", "rollout_slot")


class Shape(NamedTuple):
    """A play, as far as its tasks are known when it begins."""

    is_ours: bool = False
    """Whether any of its tasks is this collection's, or in one of its roles."""
    has_turns: bool = False
    """Whether its hosts are rebooted."""
    has_slots: bool = False
    """Whether they wait for their turn, and give it back."""
    commits: bool = False
    """Whether a turn ends with the acceptance of the kernel."""
    only_fails: bool = False
    """Whether all that it does is to tell of failures."""


def shape(steps: Iterable[Step]) -> Shape:
    """Of the tasks of a play, those in blocks too."""
    known = list(steps)
    ours = {each.action for each in known if each.is_ours}
    includes = any(each._has_a_turn for each in known)
    return Shape(
        is_ours=bool(ours) or includes or any(each.role.startswith(_COLLECTION) for each in known),
        has_turns="kexec_reboot" in ours or includes,
        has_slots=any(each.acquires for each in known),
        commits="kexec_commit" in ours or includes,
        only_fails=bool(known) and all(each.action in ("fail", "meta") for each in known),
    )
