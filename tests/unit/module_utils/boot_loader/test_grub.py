# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import shutil

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader import grub
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.detect import read_boot_loader
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.grub_shell import MenuItem, leading_number
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine
from hypothesis import given, settings
from hypothesis import strategies as st

FIXTURES = os.path.join(os.path.dirname(__file__), "..", "..", "fixtures", "boot_loader")
DEBIAN = "e6a9a1b4-3c5f-4d0e-9a5b-0d6f4a1c2b3d"
SAVED = "11f1c5a0-7d3e-4b57-8f61-2f6f5f0f7a10"
UBUNTU = "4f0c6a5e-70a2-4d6b-8b0f-3f8e5d2c1b90"
SUSE = "3d1f5c0e-6b0f-4a51-9d3c-2c1f8e7a6b55"
EDITENV = "/usr/bin/grub2-editenv"


def fixture_machine(name, run=None):
    def refuse(argv):
        raise FileNotFoundError(2, "No such file or directory")

    return Machine(os.path.join(FIXTURES, name), refuse if run is None else run, arch="x86_64")


@pytest.fixture
def read(host):
    """GRUB's menu on a host with this grub.cfg; *files* are further files."""

    def build(text, block=None, files=()):
        host.write("boot/grub/grub.cfg", text)
        if block is not None:
            host.write("boot/grub/grubenv", "# GRUB Environment Block\n" + block + "####")
        for path in files:
            host.write(path, "content")
        return grub.read(host.machine())

    return build


def chain(*ids):
    return ">".join(ids)


@pytest.mark.parametrize(
    ("name", "path", "entries", "default", "initrds", "cmdline"),
    [
        (
            "debian12",
            "/boot/grub/grub.cfg",
            [
                ("gnulinux-simple-" + DEBIAN, "/boot/vmlinuz-6.1.0-55-amd64"),
                (
                    chain("gnulinux-advanced-" + DEBIAN, "gnulinux-6.1.0-55-amd64-advanced-" + DEBIAN),
                    "/boot/vmlinuz-6.1.0-55-amd64",
                ),
                (
                    chain("gnulinux-advanced-" + DEBIAN, "gnulinux-6.1.0-55-amd64-recovery-" + DEBIAN),
                    "/boot/vmlinuz-6.1.0-55-amd64",
                ),
                (
                    chain("gnulinux-advanced-" + DEBIAN, "gnulinux-6.1.0-49-amd64-advanced-" + DEBIAN),
                    "/boot/vmlinuz-6.1.0-49-amd64",
                ),
                (
                    chain("gnulinux-advanced-" + DEBIAN, "gnulinux-6.1.0-49-amd64-recovery-" + DEBIAN),
                    "/boot/vmlinuz-6.1.0-49-amd64",
                ),
            ],
            0,
            ("/boot/initrd.img-6.1.0-55-amd64",),
            "root=UUID=%s ro console=tty0 console=ttyS0,115200 quiet" % DEBIAN,
        ),
        (
            "debian12-saved",
            "/boot/grub/grub.cfg",
            [
                ("gnulinux-simple-" + SAVED, "/boot/vmlinuz-6.1.0-55-amd64"),
                (
                    chain("gnulinux-advanced-" + SAVED, "gnulinux-6.1.0-55-amd64-advanced-" + SAVED),
                    "/boot/vmlinuz-6.1.0-55-amd64",
                ),
                (
                    chain("gnulinux-advanced-" + SAVED, "gnulinux-6.1.0-55-amd64-recovery-" + SAVED),
                    "/boot/vmlinuz-6.1.0-55-amd64",
                ),
                (
                    chain("gnulinux-advanced-" + SAVED, "gnulinux-6.1.0-49-amd64-advanced-" + SAVED),
                    "/boot/vmlinuz-6.1.0-49-amd64",
                ),
                (
                    chain("gnulinux-advanced-" + SAVED, "gnulinux-6.1.0-49-amd64-recovery-" + SAVED),
                    "/boot/vmlinuz-6.1.0-49-amd64",
                ),
            ],
            3,
            ("/boot/intel-ucode.img", "/boot/initrd.img-6.1.0-49-amd64"),
            'root=UUID=%s ro crashkernel=384M-:128M "dyndbg=file drivers/nvme/* +p" quiet' % SAVED,
        ),
        (
            "ubuntu2404",
            "/boot/grub/grub.cfg",
            [
                ("gnulinux-simple-" + UBUNTU, "/boot/vmlinuz-6.8.0-60-generic"),
                (
                    chain("gnulinux-advanced-" + UBUNTU, "gnulinux-6.8.0-60-generic-advanced-" + UBUNTU),
                    "/boot/vmlinuz-6.8.0-60-generic",
                ),
                (
                    chain("gnulinux-advanced-" + UBUNTU, "gnulinux-6.8.0-60-generic-recovery-" + UBUNTU),
                    "/boot/vmlinuz-6.8.0-60-generic",
                ),
                (
                    chain("gnulinux-advanced-" + UBUNTU, "gnulinux-6.8.0-31-generic-advanced-" + UBUNTU),
                    "/boot/vmlinuz-6.8.0-31-generic",
                ),
                (
                    chain("gnulinux-advanced-" + UBUNTU, "gnulinux-6.8.0-31-generic-recovery-" + UBUNTU),
                    "/boot/vmlinuz-6.8.0-31-generic",
                ),
            ],
            0,
            ("/boot/initrd.img-6.8.0-60-generic",),
            "root=UUID=%s ro quiet splash vt.handoff=7" % UBUNTU,
        ),
    ],
)
def test_a_distributions_menu_is_read(name, path, entries, default, initrds, cmdline):
    config = read_boot_loader(fixture_machine(name))
    assert (config.loader, config.path, config.one_shot) == ("grub", path, None)
    assert [(entry.id, entry.kernel) for entry in config.entries] == entries
    assert all(entry.problem is None and entry.source == "grub" for entry in config.entries)
    assert config.default_problem is None
    assert config.default == config.entries[default]
    assert (config.default.initrds, config.default.cmdline) == (initrds, cmdline)


def test_titles_are_chained_like_ids():
    titles = [entry.title for entry in grub.read(fixture_machine("debian12")).entries]
    assert titles[:2] == [
        "Debian GNU/Linux",
        "Advanced options for Debian GNU/Linux>Debian GNU/Linux, with Linux 6.1.0-55-amd64",
    ]


@pytest.mark.parametrize(
    ("answer", "release", "one_shot"),
    [
        ("env_block=512+1\nsaved_entry=1>2\n", "6.4.0-150600.23.25-default", None),
        ("env_block=512+1\nsaved_entry=1>2\nnext_entry=\n", "6.4.0-150600.23.25-default", None),
        ("env_block=512+1\nnext_entry=1>2\n", "6.4.0-150600.23.50-default", "1>2"),
        ("env_block=512+1\n", "6.4.0-150600.23.50-default", None),
    ],
)
def test_suse_on_btrfs_keeps_its_variables_outside_of_files(answer, release, one_shot):
    def run(argv):
        assert list(argv) == [EDITENV, "list"]
        return 0, answer, ""

    config = grub.read(fixture_machine("suse-leap", run))
    assert config.path == "/boot/grub2/grub.cfg"
    assert config.default.kernel == "/boot/vmlinuz-" + release
    assert config.default.initrds == ("/boot/initrd-" + release,)
    assert config.default.cmdline == (
        "root=UUID=%s splash=silent mitigations=auto quiet security=apparmor console=ttyS0,115200" % SUSE
    )
    assert config.one_shot == one_shot
    assert len(config.entries) == 5


def test_variables_that_cannot_be_read_leave_the_default_open():
    config = grub.read(fixture_machine("suse-leap", lambda argv: (1, "", "grub2-editenv: error")))
    assert config.default is None
    assert "/boot/grub2/grub.cfg line 21 takes variables from (boot)512+1" in config.default_problem
    assert len(config.entries) == 5


@pytest.mark.parametrize(
    ("block", "default", "one_shot"),
    [
        ("", "simple", None),
        ("next_entry=\n", "simple", None),
        ("next_entry=gnulinux-advanced-X>gnulinux-6.1.0-49-amd64-advanced-X\n", "simple", "6.1.0-49-amd64-advanced"),
        ("saved_entry=2\n", "simple", None),
        ("recordfail=1\n", "simple", None),
    ],
)
def test_the_one_shot_entry_does_not_change_the_default(tmp_path, block, default, one_shot):
    shutil.copytree(os.path.join(FIXTURES, "debian12"), str(tmp_path / "host"), symlinks=True)
    grubenv = tmp_path / "host/boot/grub/grubenv"
    grubenv.write_text("# GRUB Environment Block\n" + block.replace("X", DEBIAN) + "####")
    config = grub.read(Machine(str(tmp_path / "host"), lambda argv: (1, "", ""), arch="x86_64"))
    assert config.default.id == "gnulinux-%s-%s" % (default, DEBIAN)
    assert config.one_shot is None if one_shot is None else one_shot in config.one_shot


MENU = """
menuentry 'first' --id one { linux /k1; }
submenu 'older ones' --id old {
  menuentry 'a' --id a { linux /k2; }
  submenu 'still older' --id older { menuentry 'b' { linux /k3; }; }
}
menuentry 'Windows' --id win { chainloader /w; }
menuentry 'setup' { fwsetup; }
submenu 'nothing' { true; }
"""


# The same rules, random menus and random defaults were put before GRUB 2.06 in a virtual machine.
@pytest.mark.parametrize(
    ("default", "entry", "problem"),
    [
        ("0", "one", None),
        ("first", "one", None),
        ("one", "one", None),
        ("1>0", "old>a", None),
        ("old>a", "old>a", None),
        ("older ones>still older>b", "old>older>b", None),
        ("1>1>0", "old>older>b", None),
        # A submenu starts its first entry: GRUB opens it with a timeout of 0.
        ("1", "old>a", None),
        ("old", "old>a", None),
        ("old>older", "old>older>b", None),
        # What is not there is the first entry.
        ("9", "one", None),
        ("old>nosuch", "old>a", None),
        ("nosuch", "one", None),
        ("", "one", None),
        ("-1", "one", None),
        ("99999999999999999999999", "one", None),
        ("0x1>0", "old>a", None),
        ("2", None, "GRUB's default entry 'Windows' starts no Linux kernel: it uses the command chainloader"),
        ("win", None, "GRUB's default entry 'Windows' starts no Linux kernel: it uses the command chainloader"),
        ("3", None, "GRUB's default entry 'setup' starts no Linux kernel: it starts no operating system"),
        ("nothing", None, "GRUB has no entry to start: the submenu 'nothing' is empty"),
        ("1.2", None, "GRUB's default '1.2' begins with a number, and versions of GRUB differ in what that means"),
    ],
)
def test_the_default_is_what_grub_would_start(read, default, entry, problem):
    config = read("set default='%s'\n%s" % (default, MENU), files=["k1", "k2", "k3"])
    assert [found.id for found in config.entries] == ["one", "old>a", "old>older>b"]
    assert (config.default.id if config.default else None, config.default_problem) == (entry, problem)


@pytest.mark.parametrize(
    ("titles", "default", "index", "rest", "doubtful"),
    [
        (["a", "b"], None, 0, "", False),
        (["a", "b"], "b>c>d", 1, "c>d", False),
        (["a>b", "a"], "a>>b>c", 0, "c", False),
        (["a", "a>b"], "a>b", 0, "b", False),
        (["a", "", "b"], "", 1, "", False),
        (["x", "1"], "1", 1, "", False),
        (["x", "0"], "0", 0, "", False),
        (["x", "y"], " 1 ", 1, "", False),
        (["x", "0f00-6.1"], "0f00-6.1", 0, "", True),
        (["x", "6.1"], "6.1", 0, "", True),
        (["6.1", "x"], "6.1", 0, "", False),
        ([], "0", None, "", False),
    ],
)
def test_a_default_names_an_item_of_the_menu(titles, default, index, rest, doubtful):
    menu = [MenuItem(title, title, False, (title,), ()) for title in titles]
    found, tail, doubt = grub.default_item(menu, default)
    assert (found, tail, doubt is not None) == (index, rest, doubtful)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", (12, "")),
        ("1>2", (1, ">2")),
        ("  7 x", (7, " x")),
        ("0x1Fg", (31, "g")),
        ("010", (8, "")),
        ("08", (8, "")),
        ("0", (0, "")),
        ("0x", (None, "0x")),
        ("x1", (None, "x1")),
        ("-1", (None, "-1")),
        ("", (None, "")),
        ("1" * 30, (None, "")),
    ],
)
def test_numbers_are_read_as_grub_does(text, expected):
    assert leading_number(text) == expected


@pytest.mark.parametrize(
    ("arguments", "cmdline"),
    [
        ([], ""),
        (["root=UUID=1", "quiet"], "root=UUID=1 quiet"),
        (["dyndbg=file a.c +p"], '"dyndbg=file a.c +p"'),
        (['a"b', "it's", "a\\b"], "a\\\"b it\\'s a\\\\b"),
        (["", "x"], " x"),
        (["caf\udce9"], "caf\udce9"),
    ],
)
def test_the_command_line_is_quoted_as_grub_does(arguments, cmdline):
    assert grub.loader_cmdline(arguments) == cmdline


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("linux /k\ninitrd /i", None),
        ("linux /gone\ninitrd /i", "the kernel /gone was removed: GRUB's entry names it, but it does not exist"),
        ("linux /k\ninitrd /i /gone", "the initrd /gone was removed: GRUB's entry names it, but it does not exist"),
        ("linux (hd7,gpt2)/k", "the kernel (hd7,gpt2)/k is on GRUB's device (hd7,gpt2), which is not known to be"),
        ("linux (hd0,gpt2)/k", None),
        ("set root=hd7,gpt1\nlinux /k", "the kernel /k is on GRUB's device (hd7,gpt1), which is not known to be"),
        ("regexp a b\nlinux /k", "decides by the command regexp, which only GRUB can answer"),
    ],
)
def test_an_entry_that_cannot_be_staged_says_why(read, body, problem):
    config = read("menuentry a {\n%s\n}\n" % body, files=["k", "i"])
    assert config.default == config.entries[0]
    found = config.default.problem
    assert found is None if problem is None else problem in found


def test_a_kernel_that_is_not_there_is_named_as_the_entry_has_it(read):
    entry = read("menuentry a {\nlinux /gone\ninitrd /i /gone2\n}\n", files=["i"]).entries[0]
    assert (entry.kernel, entry.initrds) == ("/gone", ("/i", "/gone2"))


def test_a_boot_partition_that_is_not_mounted_is_named(read, host):
    host.write("etc/fstab", "LABEL=root / ext4\nLABEL=boot /boot ext4\n")
    config = read("menuentry a { linux /vmlinuz-6.1; }\n")
    assert config.default.problem == (
        "the kernel /vmlinuz-6.1 cannot be found: /etc/fstab has a file system for /boot, but /boot is not mounted"
    )


def test_an_entry_of_another_system_is_not_mistaken_for_one_of_this(read, host):
    link = host.write("dev/disk/by-uuid/other", "")
    link.unlink()
    link.symlink_to("../../sdb1")
    text = "menuentry 'Debian (on /dev/sdb1)' {\nsearch --fs-uuid --set=root other\nlinux /k root=/dev/sdb1\n}\n"
    config = read(text, files=["k"])
    assert config.default.problem == "the kernel /k is on the file system other (sdb1), which is not mounted"


@pytest.mark.parametrize(
    ("platform_folder", "kernel"),
    [("sys/firmware/efi/efivars/x", "/k-efi"), (None, "/k-pc")],
)
def test_conditions_on_the_platform_are_judged(read, platform_folder, kernel):
    text = (
        "if [ $grub_platform = efi ]; then\n menuentry a { linux /k-efi; }\nelse\n menuentry a { linux /k-pc; }\nfi\n"
    )
    files = ["k-efi", "k-pc"] + ([platform_folder] if platform_folder else [])
    assert read(text, files=files).default.kernel == kernel


def test_further_files_beside_the_configuration_are_read(read, host):
    host.write("boot/grub/custom.cfg", "menuentry custom { linux /k; }\nset default=custom\n")
    text = (
        "menuentry first { linux /k; }\n"
        "if [ -f ${config_directory}/custom.cfg ]; then\n source ${config_directory}/custom.cfg\n"
        'elif [ -z "${config_directory}" -a -f $prefix/custom.cfg ]; then\n source $prefix/custom.cfg\nfi\n'
    )
    config = read(text, files=["k"])
    assert (config.default.id, [entry.id for entry in config.entries]) == ("custom", ["first", "custom"])


def test_a_stub_on_the_efi_partition_leads_to_the_menu():
    machine = fixture_machine("debian12-saved")
    shell = grub.start_at(machine, "/boot/efi/EFI/debian/grub.cfg").shell
    assert [item.title for item in shell.menu] == ["Debian GNU/Linux", "Advanced options for Debian GNU/Linux"]


def test_a_menu_that_contains_itself_has_an_end(read):
    text = "menuentry a { linux /k; }\nsubmenu again { configfile $prefix/grub.cfg; }\n"
    config = read(text, files=["k"])
    assert config.default.id == "a"
    assert [entry.id.count("again") for entry in config.entries] == [0, 1, 2, 3, 4, 5, 6]


def test_an_empty_menu_has_no_default(read):
    config = read("set timeout=5\n")
    assert (config.entries, config.default) == ((), None)
    assert config.default_problem == "GRUB has no entry to start: its menu is empty"


def test_stray_bytes_survive_the_reading(read, host):
    host.write("k", "content")
    config = host.write("boot/grub/grub.cfg", b"menuentry 'caf\xe9' { linux /k a=\xff; }\n")
    entry = grub.read(host.machine()).default
    assert config.exists()
    assert (entry.title, entry.cmdline) == ("caf\udce9", "a=\udcff")


@pytest.mark.parametrize(
    ("text", "block", "sentence"),
    [
        ("menuentry a {\n", None, "/boot/grub/grub.cfg line 2: the end of the file instead of a command"),
        ("blscfg\n", None, "/boot/grub/grub.cfg line 1: this menu takes its entries from Boot Loader Spec files"),
        ("load_env\n", "saved_entry\n", "/boot/grub/grubenv line 2: not of the form name=value"),
        ("#" * (4 * 1024 * 1024 + 1), None, "the GRUB configuration /boot/grub/grub.cfg is larger than 4194304 bytes"),
        ("while true; do true; done\n", None, "/boot/grub/grub.cfg line 1: gave up here"),
        ("", None, "the GRUB configuration /boot/grub/grub.cfg is empty"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_refused(read, text, block, sentence):
    with pytest.raises(KexecError) as error:
        read(text, block)
    assert str(error.value).startswith(sentence)


def test_an_environment_block_of_no_length_is_none(read, host):
    host.write("boot/grub/grubenv", "")
    assert read("load_env\nset default=$saved_entry\n" + MENU, files=["k1"]).default.id == "one"


@pytest.mark.parametrize(
    ("present", "found"),
    [
        (["boot/grub/grub.cfg", "boot/grub2/grub.cfg"], "/boot/grub/grub.cfg"),
        (["boot/grub2/grub.cfg", "etc/grub2.cfg"], "/boot/grub2/grub.cfg"),
        (["etc/grub2-efi.cfg", "boot/grub2/grub.cfg"], "/boot/grub2/grub.cfg"),
        (["sys/firmware/efi/x", "etc/grub2-efi.cfg", "boot/grub2/grub.cfg"], "/etc/grub2-efi.cfg"),
        (["boot/efi/EFI/debian/grub.cfg"], "/boot/efi/EFI/debian/grub.cfg"),
        ([], None),
    ],
)
def test_the_configuration_is_found(tmp_path, present, found):
    for path in present:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("menuentry a { true; }\n")
    assert grub.find(Machine(str(tmp_path), lambda argv: (1, "", ""))) == found


def test_red_hats_link_leads_to_the_folder_of_the_environment_block(host):
    (host.root / "boot/grub/grub.cfg").unlink()
    host.write("sys/firmware/efi/x", "")
    host.write("boot/efi/EFI/redhat/grub.cfg", "load_env\nset default=$saved_entry\n" + MENU)
    host.write("boot/efi/EFI/redhat/grubenv", "# GRUB Environment Block\nsaved_entry=a b\nsaved_entry=1>0\n###")
    (host.root / "etc").mkdir(exist_ok=True)
    (host.root / "etc/grub2-efi.cfg").symlink_to("../boot/efi/EFI/redhat/grub.cfg")
    config = grub.read(host.machine())
    assert (config.path, config.default.id) == ("/etc/grub2-efi.cfg", "old>a")


def test_a_machine_without_a_boot_loader_is_told_where_it_was_looked_for(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/fstab").write_text("LABEL=boot /boot ext4 defaults 0 2\n")
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text("22 1 254:2 / / rw - ext4 /dev/vda2 rw\n")
    with pytest.raises(KexecError) as error:
        read_boot_loader(Machine(str(tmp_path), lambda argv: (1, "", "")))
    assert "GRUB (/boot/grub/grub.cfg, /boot/grub2/grub.cfg, /etc/grub2.cfg)" in str(error.value)
    assert str(error.value).endswith("; /etc/fstab has a file system for /boot, but /boot is not mounted")


NAMES = st.text(alphabet="ab01>x .", max_size=5)


@settings(max_examples=300, deadline=None)
@given(st.lists(NAMES, max_size=4), NAMES)
def test_every_default_means_an_item_unless_the_menu_is_empty(titles, default):
    menu = [MenuItem(title, title, False, (title,), ()) for title in titles]
    index = grub.default_item(menu, default)[0]
    assert index is None if not menu else 0 <= index < len(menu)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(alphabet="ab>", min_size=1, max_size=4), min_size=1, max_size=4))
def test_a_chain_of_ids_is_taken_apart_again(ids):
    rest, found = chain(*[grub.escaped(name) for name in ids]), []
    while rest:
        name, rest = grub.split_default(rest)
        found.append(name)
    # GRUB cannot tell "a>" + "b" from "a" + ">b": three in a row are read from the left.
    if not any(name.startswith(">") for name in ids[1:]):
        assert found == ids
