# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.disks import (
    BY_ITSELF,
    PASSPHRASE,
    TPM,
    Volume,
    disk_blockers,
    opened_by,
    parse_crypttab,
    with_cmdline,
)

UUID = "0cdfa0ad-9b1d-4a5d-9e0d-3c1cd2b2f0b5"


def test_crypttab():
    text = (
        "# name device key options\n"
        "\n"
        "root UUID=%s none luks,discard\n"
        "data\t/dev/sdb1\t/etc/keys/data.key\n"
        "bare /dev/sdc1\n"
        "dash /dev/sdd1 - tpm2-device=auto\n"
        "nonsense\n" % UUID
    )
    assert parse_crypttab(text) == (
        Volume("root", "", ("luks", "discard")),
        Volume("data", "/etc/keys/data.key", ()),
        Volume("bare", "", ()),
        Volume("dash", "", ("tpm2-device=auto",)),
    )


@pytest.mark.parametrize(
    ("key", "options", "opened"),
    [
        ("", (), PASSPHRASE),
        ("", ("luks", "discard"), PASSPHRASE),
        ("", ("tpm2-device=auto",), TPM),
        ("/key", ("tpm2-device=auto",), TPM),
        ("", ("tpm2-device=",), PASSPHRASE),
        ("/key", (), BY_ITSELF),
        ("/dev/urandom", ("swap",), BY_ITSELF),
        ("", ("keyscript=/lib/cryptsetup/scripts/x",), BY_ITSELF),
        ("", ("fido2-device=auto",), BY_ITSELF),
        ("", ("_netdev",), BY_ITSELF),
    ],
)
def test_how_a_volume_is_opened(key, options, opened):
    assert opened_by(Volume("root", key, options)) == opened


@pytest.mark.parametrize(
    ("cmdline", "opened"),
    [
        ("root=/dev/mapper/root ro", PASSPHRASE),
        ("rd.luks.uuid=%s" % UUID, PASSPHRASE),
        ("rd.luks.options=tpm2-device=auto,discard", TPM),
        ("rd.luks.options=%s=discard,tpm2-device=auto" % UUID, TPM),
        ("rd.luks.options=%s=discard" % UUID, PASSPHRASE),
        ("rd.luks.key=%s=/keyfile:LABEL=keys" % UUID, BY_ITSELF),
        ("cryptdevice=UUID=%s:root cryptkey=rootfs:/key" % UUID, BY_ITSELF),
    ],
)
def test_the_command_line_has_its_say(cmdline, opened):
    assert opened_by(with_cmdline(Volume("root", "", ()), cmdline)) == opened


def block(host, name, number, uuid=None, mapped=None, slaves=()):
    folder = "sys/class/block/%s/" % name
    (host.root / folder / "slaves").mkdir(parents=True)
    for slave in slaves:
        (host.root / folder / "slaves" / slave).mkdir()
    if uuid:
        host.write(folder + "dm/uuid", uuid + "\n")
        host.write(folder + "dm/name", mapped + "\n")
    (host.root / "sys/dev/block").mkdir(parents=True, exist_ok=True)
    (host.root / "sys/dev/block" / number).symlink_to("../../class/block/" + name)


@pytest.fixture
def encrypted(host):
    """A root file system on LVM on LUKS, as Debian's and Red Hat's installers make it."""
    host.write("proc/self/mountinfo", "22 1 253:1 / / rw - ext4 /dev/mapper/vg-root rw\n")
    block(host, "sda3", "8:3")
    block(host, "dm-0", "253:0", "CRYPT-LUKS2-%s-sda3_crypt" % UUID.replace("-", ""), "sda3_crypt", ["sda3"])
    block(host, "dm-1", "253:1", "LVM-abc", "vg-root", ["dm-0"])
    host.write("etc/crypttab", "sda3_crypt UUID=%s none luks\n" % UUID)
    return host


def found(host, cmdline="ro"):
    return [(blocker.id, blocker.severity) for blocker in disk_blockers(host.machine(), cmdline)]


def test_a_plain_host_has_no_encrypted_disk(host):
    assert found(host) == []


@pytest.mark.parametrize(
    ("crypttab", "cmdline", "expected"),
    [
        ("sda3_crypt UUID=x none luks\n", "ro", [("luks_passphrase", "warn")]),
        ("", "ro rd.luks.uuid=x", [("luks_passphrase", "warn")]),
        ("sda3_crypt UUID=x none luks,tpm2-device=auto\n", "ro", [("tpm_sealed", "warn")]),
        ("", "ro rd.luks.options=tpm2-device=auto", [("tpm_sealed", "warn")]),
        ("sda3_crypt UUID=x /etc/keys/root luks,initramfs\n", "ro", []),
        ("sda3_crypt UUID=x none luks,noauto\n", "ro", [("luks_passphrase", "warn")]),
    ],
)
def test_an_encrypted_root(encrypted, crypttab, cmdline, expected):
    encrypted.write("etc/crypttab", crypttab)
    assert found(encrypted, cmdline) == expected


def test_an_encrypted_btrfs_is_found_by_its_source(encrypted):
    encrypted.write("proc/self/mountinfo", "22 1 0:31 /@ / rw - btrfs /dev/mapper/vg-root rw\n")
    assert found(encrypted) == [("luks_passphrase", "warn")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("data /dev/sdb none luks", [("luks_passphrase", "warn")]),
        ("data /dev/sdb none luks,tpm2-device=auto", [("tpm_sealed", "warn")]),
        ("data /dev/sdb /etc/keys/data luks", []),
        ("data /dev/sdb none noauto", []),
        ("data /dev/sdb none nofail", []),
        ("swap /dev/sdc /dev/urandom swap", []),
    ],
)
def test_other_volumes_that_the_boot_waits_for(host, line, expected):
    host.write("etc/crypttab", line + "\n")
    assert found(host) == expected


def test_the_sentences_name_the_volumes(encrypted):
    encrypted.write("etc/crypttab", "data /dev/sdb none luks\nvault /dev/sdc none tpm2-device=auto\n")
    passphrase, tpm = disk_blockers(encrypted.machine(), "ro")
    assert "the passphrase of the encrypted volume data, sda3_crypt, as after any reboot" in passphrase.message
    assert tpm.message.startswith("the TPM opens the encrypted volume vault, and a kexec does not reset")
    encrypted.program("/usr/bin/clevis", lambda argv: (0, "", ""))
    assert "sda3_crypt unless clevis opens it" in disk_blockers(encrypted.machine(), "ro")[0].message
