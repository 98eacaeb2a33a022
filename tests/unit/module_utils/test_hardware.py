# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._hardware import read_hardware


@pytest.fixture
def server(host):
    host.write("sys/class/dmi/id/sys_vendor", "Dell Inc.\n")
    host.write("sys/class/dmi/id/product_name", "PowerEdge R650\n")
    host.write("sys/class/dmi/id/bios_version", "1.2.4\n")
    host.pci("0000:00:01.0", "nvme", "10802")
    host.pci("0000:00:02.0", "mlx5_core", "20000")
    host.pci("0000:00:03.0", "pcieport", "60400")
    return host


def look(host):
    return read_hardware(host.machine()).as_result()


def test_the_drivers_of_storage_network_and_display_are_told(server):
    found = look(server)
    assert found["drivers"] == ["mlx5_core", "nvme"]
    assert found["class"].startswith("dell-inc-poweredge-r650-")
    assert (found["vendor"], found["product"], found["firmware_version"]) == ("Dell Inc.", "PowerEdge R650", "1.2.4")


def _virtual_function(host):
    host.pci("0000:00:02.1", "iavf", "20000")
    (host.root / "sys/bus/pci/devices/0000:00:02.1/physfn").symlink_to("../0000:00:02.0")


@pytest.mark.parametrize(
    "change",
    [
        lambda host: host.pci("0000:00:04.0", "nvme", "10802"),
        lambda host: host.pci("0000:00:05.0", "ioatdma", "88000"),
        lambda host: host.pci("0000:00:06.0", "", "30000"),
        lambda host: host.write("proc/modules", "loop 40960 0 - Live 0x0\n"),
        lambda host: host.write("sys/class/dmi/id/product_serial", "ABC\n"),
        _virtual_function,
    ],
    ids=["one more disk", "another kind of device", "no driver", "a module", "its serial number", "virtual function"],
)
def test_what_does_not_change_the_class(server, change):
    before = look(server)
    change(server)
    assert look(server) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda host: host.write("sys/class/dmi/id/bios_version", "1.2.5\n"),
        lambda host: host.write("sys/class/dmi/id/product_name", "PowerEdge R660\n"),
        lambda host: host.write("sys/class/dmi/id/sys_vendor", "Dell\n"),
        lambda host: host.pci("0000:00:06.0", "mgag200", "30000"),
    ],
    ids=["firmware", "product", "vendor", "driver"],
)
def test_what_changes_the_class(server, change):
    before = look(server)["class"]
    change(server)
    assert look(server)["class"] != before


@pytest.mark.parametrize(
    ("bus", "driver", "drivers"),
    [
        ("virtio", "virtio_net", ["virtio_net"]),
        ("vmbus", "hv_storvsc", ["hv_storvsc"]),
        ("xen", "vbd", ["vbd"]),
        ("virtio", "virtio_balloon", []),
    ],
)
def test_guests_have_drivers_on_buses_of_their_own(host, bus, driver, drivers):
    folder = host.root / ("sys/bus/%s/devices/device0" % bus)
    folder.mkdir(parents=True)
    (folder / "driver").symlink_to("../../../../bus/%s/drivers/%s" % (bus, driver))
    assert look(host)["drivers"] == drivers


def test_a_board_is_named_by_its_device_tree(host):
    host.write("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0")
    found = look(host)
    assert found["product"] == "Raspberry Pi 4 Model B Rev 1.4"
    assert found["class"].startswith("raspberry-pi-4-model-b-rev-1-4-")
