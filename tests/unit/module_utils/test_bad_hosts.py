# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input, and what it gets: what the survey says of such a host, and what staging its default does."""

import os

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.blocker import Rules
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, shown
from ansible_collections.fleetops.kexec.plugins.module_utils._staging import RECORD, Request, plan_for
from ansible_collections.fleetops.kexec.plugins.module_utils._survey import survey
from ansible_collections.fleetops.kexec.plugins.module_utils._target import Selection

NEW, OLD = "6.1.0-56-cloud-amd64", "6.1.0-55-cloud-amd64"
CFG = "boot/grub/grub.cfg"
KERNEL, INITRD = "boot/vmlinuz-" + NEW, "boot/initrd.img-" + NEW
DEFAULTS = dict.fromkeys(("entry", "kernel", "initrd", "cmdline", "append", "remove"))
ENTRY = "title E\nlinux /boot/vmlinuz-%s\ninitrd /boot/initrd.img-%s\noptions root=LABEL=root ro\n" % (NEW, NEW)
ENTRIES = "boot/loader/entries"


def menu(host, cmdline="root=LABEL=root ro", initrd=NEW):
    lines = b"linux /%s %s\ninitrd /boot/initrd.img-%s\n" % (KERNEL.encode(), os.fsencode(cmdline), initrd.encode())
    host.write(CFG, b"menuentry 'Debian \xff' --id debian {\n%s}\n" % lines)


def entry_file(host, mode=0o644, folder_mode=0o755):
    host.write(CFG, "blscfg\n")
    host.write(ENTRIES + "/m-6.1.conf", ENTRY).chmod(mode)
    (host.root / ENTRIES).chmod(folder_mode)


def others_entry_file(host):
    entry_file(host)
    os.chown(str(host.root / ENTRIES / "m-6.1.conf"), 1234, 1234)


def link_out_of_boot(host):
    (host.root / "home").mkdir()
    (host.root / KERNEL).rename(host.root / "home/vmlinuz")
    (host.root / KERNEL).symlink_to("../home/vmlinuz")


def initrd_with_other_modules(host, make):
    host.write("boot/initrd.img-own", make.cpio(("lib/modules/%s/modules.dep" % OLD, b"")))
    menu(host, initrd="own")


REFUSED = {
    "source without end": (
        lambda host: host.write(CFG, "source /boot/grub/grub.cfg\n"),
        ("boot_loader", "/boot/grub/grub.cfg line 1: more than 40 commands running inside each other"),
    ),
    "two files that source each other": (
        lambda host: [host.write(CFG, "source /boot/grub/a\n"), host.write("boot/grub/a", "source /%s\n" % CFG)],
        ("boot_loader", "line 1: more than 40 commands running inside each other"),
    ),
    "submenus without end": (
        lambda host: host.write(CFG, "submenu s {\nsource /boot/grub/grub.cfg\n}\n"),
        ("target", "GRUB's default is in more than 6 submenus inside each other"),
    ),
    "grub.cfg of 50 MB": (
        lambda host: host.write(CFG, "menuentry x {\nlinux /k\n}\n" * 2000000),
        ("boot_loader", "the GRUB configuration /boot/grub/grub.cfg is larger than 4194304 bytes, so it is none"),
    ),
    "binary grubenv": (
        lambda host: [host.write(CFG, "load_env\n"), host.write("boot/grub/grubenv", bytes(bytearray(range(256))) * 4)],
        ("boot_loader", "/boot/grub/grubenv line 1: not a GRUB environment block"),
    ),
    "junk behind the head of grubenv": (
        lambda host: [
            host.write(CFG, "load_env\n"),
            host.write("boot/grub/grubenv", b"# GRUB Environment Block\na=\0\1\2\n"),
        ],
        ("boot_loader", "/boot/grub/grubenv line 2: the environment block contains zero bytes, so it is damaged"),
    ),
    "kernel removed": (
        lambda host: (host.root / KERNEL).unlink(),
        ("target", "the kernel /%s was removed: GRUB's entry names it, but it does not exist on the host" % KERNEL),
    ),
    "initrd removed": (
        lambda host: (host.root / INITRD).unlink(),
        ("target", "the initrd /%s was removed: GRUB's entry names it, but it does not exist on the host" % INITRD),
    ),
    "link out of boot": (
        link_out_of_boot,
        ("target", "the kernel /%s is a symbolic link out of /boot, to /home/vmlinuz" % KERNEL),
    ),
    "quote never closed in grub.cfg": (
        lambda host: host.write(CFG, 'menuentry x {\nlinux /%s a="b c\n}\n' % KERNEL),
        ("boot_loader", "/boot/grub/grub.cfg line 2: the quotation that begins here has no end"),
    ),
}


def look(host, **params):
    selection = Selection.of(dict(DEFAULTS, **params))
    return shown(survey(host.machine(), selection, Rules()))


def plan(host, **params):
    return plan_for(host.machine(), Request.of(dict(DEFAULTS, state="loaded", panic_seconds=30, force=False, **params)))


def nothing_is_staged(host):
    return host.calls.count == 0 and not (host.root / RECORD.lstrip("/")).exists()


@pytest.mark.parametrize(("spoil", "blocker"), list(REFUSED.values()), ids=list(REFUSED))
def test_it_is_refused(host, spoil, blocker):
    spoil(host)
    (told,) = look(host)["blockers"]
    assert (told["id"], told["severity"]) == (blocker[0], "refuse")
    assert blocker[1] in told["message"]
    with pytest.raises(KexecError) as refusal:
        plan(host)
    assert blocker[1] in str(refusal.value)
    assert nothing_is_staged(host)
    # The host can still be asked for what does not need its boot loader.
    assert plan(host, entry="running").changed


WARNED = {
    "entry file that all may write": (
        lambda host: entry_file(host, mode=0o666),
        ("boot_entry_files", "/boot/loader/entries/m-6.1.conf may be written by every user"),
    ),
    "folder that all may write": (
        lambda host: entry_file(host, folder_mode=0o777),
        ("boot_entry_files", "/boot/loader/entries may be written by every user"),
    ),
    "initrd of another kernel by its name": (
        lambda host: menu(host, initrd=OLD),
        ("other_initrd", "the initrd /boot/initrd.img-%s is made for the kernel %s, and not for %s" % (OLD, OLD, NEW)),
    ),
}


@pytest.mark.parametrize(("spoil", "blocker"), list(WARNED.values()), ids=list(WARNED))
def test_it_is_warned_of_and_can_be_staged(host, spoil, blocker):
    spoil(host)
    (told,) = look(host)["blockers"]
    assert (told["id"], told["severity"]) == (blocker[0], "warn")
    assert blocker[1] in told["message"]
    assert plan(host).apply(host.machine(), "auto")["release"] == NEW


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_the_entry_file_of_another_user_is_warned_of(host):
    others_entry_file(host)
    (told,) = look(host)["blockers"]
    assert (told["id"], told["severity"]) == ("boot_entry_files", "warn")
    assert "m-6.1.conf belongs to the user with the number 1234" in told["message"]


def test_staging_warns_of_an_initrd_by_its_content(host, make):
    initrd_with_other_modules(host, make)
    assert plan(host).warnings() == [
        "the initrd /boot/initrd.img-own is made for the kernel %s, and not for %s, which may not find its root file "
        "system by it" % (OLD, NEW)
    ]


def test_bytes_that_are_no_text_reach_the_kernel_and_are_shown(host):
    menu(host, "root=LABEL=root name=\udcff\udcfe")
    result = look(host)
    assert result["blockers"] == []
    assert (result["target"]["title"], result["target"]["cmdline"][-2:]) == ("Debian \ufffd", "\ufffd\ufffd")
    plan(host).apply(host.machine(), "auto")
    assert "name=\udcff\udcfe panic=30" in host.calls.loaded["cmdline"]


def test_a_quote_never_closed_in_a_command_line_is_told_before_anything_is_drained(host):
    """GRUB's shell closes every quote, and others pass the command line as it stands."""
    host.write("proc/cmdline", 'root=LABEL=root dyndbg="file a.c\n')
    (told,) = look(host, entry="running")["blockers"]
    assert (told["id"], told["severity"]) == ("cmdline", "refuse")
    assert told["message"] == "a double quote is never closed in the command line 'root=LABEL=root dyndbg=\"file a.c'"
    with pytest.raises(KexecError, match="a double quote is never closed in the command line"):
        plan(host, entry="running")
    assert nothing_is_staged(host)
