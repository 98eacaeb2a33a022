# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import shlex
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.fleetops.kexec.plugins.plugin_utils import _push
from ansible_collections.fleetops.kexec.plugins.plugin_utils._arguments import validated

ARGUMENT_SPEC = {
    "kernel": {"type": "str", "required": True},
    "initrd": {"type": "list", "elements": "str", "default": []},
    "directory": {"type": "str", "default": "/var/lib/fleetops-kexec/pushed"},
}


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = validated(ARGUMENT_SPEC, self._task.args)
        directory = arguments["directory"].rstrip("/")
        if re.fullmatch(r"/[\w./+@-]+", directory) is None:
            raise AnsibleActionFail(
                "directory is %r; it must be an absolute path of letters, digits and . _ / + @ -"
                % arguments["directory"]
            )
        try:
            kernel = _push.local_file(self._find_needle("files", arguments["kernel"]), "kernel")
            initrds = [_push.local_file(self._find_needle("files", initrd), "initrd") for initrd in arguments["initrd"]]
        except _push.PushError as error:
            raise AnsibleActionFail(str(error))
        files = list({file.name: file for file in (kernel, *initrds)}.values())
        result: dict[str, Any] = {
            "changed": False,
            "kernel": "%s/%s" % (directory, kernel.name),
            "initrd": ["%s/%s" % (directory, initrd.name) for initrd in initrds],
        }
        try:
            absent = self._missing(directory, files)
            if absent and not self._task.check_mode:
                self._put(directory, absent, task_vars or {})
                self._shell("tidy up %s" % directory, _push.tidy(directory, [file.name for file in files]))
        except _push.PushError as error:
            return {**result, "failed": True, "msg": str(error)}
        return {**result, "changed": bool(absent)}

    def _missing(self, directory: str, files: list[_push.LocalFile]) -> list[_push.LocalFile]:
        temporary = self._make_tmp_path()
        try:
            question = _push.question(directory, [file.name for file in files], temporary.rstrip("/"))
            answer = _push.parse(self._shell("look into %s" % directory, question))
        finally:
            self._remove_tmp_path(temporary)
        absent = _push.missing(files, answer)
        _push.check_room(absent, answer)
        return absent

    def _put(self, directory: str, files: list[_push.LocalFile], task_vars: dict[str, Any]) -> None:
        """By ansible.builtin.copy, which compares what arrived with what was sent before it puts it in place."""
        self._shell("make %s" % directory, "mkdir -p %s" % shlex.quote(directory))
        for file in files:
            task = self._task.copy()
            task.args = {"src": file.path, "dest": "%s/%s" % (directory, file.name), "mode": "0600"}
            copy = self._shared_loader_obj.action_loader.get(
                "ansible.legacy.copy",
                task=task,
                connection=self._connection,
                play_context=self._play_context,
                loader=self._loader,
                templar=self._templar,
                shared_loader_obj=self._shared_loader_obj,
            )
            copied = copy.run(task_vars=task_vars)
            if copied.get("failed"):
                raise _push.PushError("cannot push %s: %s" % (file.path, copied.get("msg", "no reason was given")))

    def _shell(self, what: str, command: str) -> str:
        result = self._low_level_execute_command(command)
        if result["rc"] != 0:
            raise _push.PushError(
                "cannot %s on the host: the shell ended with %d: %s"
                % (what, result["rc"], (result["stderr"] or result["stdout"]).strip()[:300] or "it said nothing")
            )
        return str(result["stdout"])
