# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.blocker import (
    INSURMOUNTABLE,
    SURMOUNTABLE,
    Rules,
)
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.known_trouble import (
    CONDITIONS,
    TABLE,
    troubles_of,
    with_own_rows,
)
from ansible_collections.fleetops.kexec.plugins.module_utils._hardware import read_hardware
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError

OWN = {"id": "own", "severity": "warn", "reason": "it does not come up"}


def troubles(host, virtualization="none", table=TABLE):
    return [row.id for row in troubles_of(read_hardware(host.machine()), virtualization, table)]


def product(host, vendor, name, asset_tag=""):
    host.write("sys/class/dmi/id/sys_vendor", vendor + "\n")
    host.write("sys/class/dmi/id/product_name", name + "\n")
    host.write("sys/class/dmi/id/chassis_asset_tag", asset_tag + "\n")


AZURE = "7783-7084-3265-9085-8269-3286-77"
CPU = "processor\t: 0\nmodel name\t: %s\nflags\t\t: fpu\n"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda host: None, []),
        (lambda host: host.write("proc/modules", "nvidia 61440000 25 nvidia_modeset, Live 0x0 (POE)\n"), ["nvidia"]),
        (lambda host: host.write("proc/modules", "nvidiafb 61440 0 - Live 0x0\n"), []),
        (lambda host: host.write("proc/modules", "loop 1 0 - Live 0x0\nhpwdt 1 0 - Live 0x0\n"), ["hpwdt"]),
        (lambda host: host.write("proc/modules", "ipmi_watchdog 1 0 - Live 0x0\n"), ["ipmi_watchdog"]),
        (lambda host: host.pci("0", "radeon", ids="1002:515E"), ["radeon_rn50"]),
        (lambda host: host.pci("0", "radeon", ids="1002:6798"), []),
        (lambda host: host.pci("0", "", ids="1002:515E"), []),
        (lambda host: host.pci("0", "i915", ids="8086:7D55"), ["meteor_lake"]),
        (lambda host: host.pci("0", "i915", ids="8086:9BC5"), []),
        (lambda host: host.pci("0", "hpsa", ids="103C:3230", subsystem="103C:3234"), ["smart_array"]),
        (lambda host: host.pci("0", "hpsa", ids="103C:323A", subsystem="103C:3241"), []),
        (lambda host: host.pci("0", "mlx5_core", ids="15B3:1015"), ["mellanox_firmware"]),
        (lambda host: host.pci("0", "mlx4_core", ids="15B3:1007"), ["mellanox_firmware"]),
        (lambda host: host.pci("0", "ioatdma", "88000"), ["ioatdma"]),
        (lambda host: host.write("proc/cpuinfo", CPU % "Intel(R) Celeron(R) N5105 @ 2.00GHz"), ["jasper_lake"]),
        (lambda host: host.write("proc/cpuinfo", CPU % "Intel(R) Xeon(R) Gold 6338"), []),
        (lambda host: host.write("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0"), ["raspberry_pi_4"]),
        (lambda host: host.write("proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0"), []),
        (lambda host: product(host, "Microsoft Corporation", "Virtual Machine", AZURE), ["azure"]),
        (lambda host: product(host, "Microsoft Corporation", "Virtual Machine", "None"), []),
    ],
)
def test_the_table(host, change, found):
    change(host)
    assert troubles(host) == found


def test_every_row_has_a_name_a_sentence_a_source_and_a_condition():
    assert len({row.id for row in TABLE}) == len(TABLE)
    for row in TABLE:
        assert row.severity in ("refuse", "warn")
        assert len(row.message) > 30
        assert len(row.source) > 10
        assert any(getattr(row, name) for name in CONDITIONS)
        assert row.id not in INSURMOUNTABLE + SURMOUNTABLE


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ({"driver": "igb"}, True),
        ({"driver": "ig*|e1000e"}, True),
        ({"driver": "e1000e"}, False),
        ({"driver": "nvme_core"}, True),
        ({"driver": "nvme-core"}, True),
        ({"pci": "8086:1521:*"}, True),
        ({"pci": "8086:1522:*"}, False),
        ({"vendor": "hp*"}, True),
        ({"vendor": "HPE", "product": "proliant dl380 gen10"}, True),
        ({"vendor": "HPE", "product": "ProLiant DL360*"}, False),
        ({"virtualization": "kvm | vmware"}, True),
        ({"virtualization": "xen"}, False),
        ({"driver": "igb", "virtualization": "xen"}, False),
    ],
)
def test_a_row_holds_where_all_its_conditions_hold(host, conditions, holds):
    product(host, "HPE", "ProLiant DL380 Gen10")
    host.pci("0000:00:01.0", "igb", ids="8086:1521")
    host.write("proc/modules", "nvme_core 1 0 - Live 0x0\n")
    table = with_own_rows((), [dict(OWN, **conditions)])
    assert (troubles(host, "kvm", table) == ["own"]) is holds


def test_an_own_row_replaces_the_one_with_its_id(host):
    host.write("proc/modules", "hpwdt 1 0 - Live 0x0\n")
    rows = Rules.of({"known_trouble": [dict(OWN, id="hpwdt", driver="hpwdt")], "ignore_blockers": None}).known_trouble
    (row,) = troubles_of(read_hardware(host.machine()), "none", rows)
    assert row.sentence() == "it does not come up"
    assert len(rows) == len(TABLE)


def test_a_built_in_row_says_where_it_is_from():
    assert TABLE[0].sentence().endswith("(source: %s)" % TABLE[0].source)


@pytest.mark.parametrize("extra", [{}, {"driver": None}, {"product": ""}])
def test_a_row_without_a_condition_would_hold_for_every_host(extra):
    with pytest.raises(KexecError, match="the known trouble 'own' would hold for every host"):
        with_own_rows(TABLE, [dict(OWN, **extra)])


@pytest.mark.parametrize("name", INSURMOUNTABLE)
def test_what_cannot_work_cannot_be_ignored(name):
    with pytest.raises(KexecError, match="the blocker %s cannot be ignored" % name):
        Rules.of({"known_trouble": [], "ignore_blockers": [name]})


def test_a_misspelt_id_is_no_silent_hole():
    with pytest.raises(KexecError, match=r"no blocker has the id 'hpwdtt' that is to be ignored; there are: .*hpwdt"):
        Rules.of({"known_trouble": [], "ignore_blockers": ["hpwdtt"]})


def test_an_own_id_may_be_ignored():
    rules = Rules.of({"known_trouble": [dict(OWN, driver="igb")], "ignore_blockers": ["own", "azure"]})
    assert rules.ignored == ("own", "azure")


def test_an_answer_left_blank_ignores_nothing():
    """As Ansible makes a list of the answers "" and "azure, hpwdt" to a survey of AWX."""
    assert Rules.of({"known_trouble": [], "ignore_blockers": [""]}).ignored == ()
    assert Rules.of({"known_trouble": [], "ignore_blockers": ["azure", " hpwdt"]}).ignored == ("azure", "hpwdt")
