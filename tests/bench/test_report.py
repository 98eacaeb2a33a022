# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report of a thousand hosts costs: to write it, to open it, to sort it."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import chromium
import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.as_json import json_text
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.collect import report_of
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.files import place, writing
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.markdown import markdown_text
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.page import page_text
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.results import outcomes_of
from sample_rolls import sample_plan, sample_results

pytestmark = pytest.mark.bench

HOSTS = 1000
FORMATS = {"json": json_text, "html": page_text, "markdown": markdown_text}

MOST_SECONDS = 2.0
MOST_BYTES = 2_000_000
MOST_FIRST_PAINT = 1.0
MOST_SORTING = 0.2

# From a click until the browser has drawn what follows from it.
SORT = """async header => {
    const start = performance.now();
    header.querySelector("button").click();
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    return (performance.now() - start) / 1000;
}"""


def test_a_thousand_hosts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = sample_results(["web%04d.example.org" % number for number in range(HOSTS)], 20, {"web0400": "lost"})
    plan = sample_plan(results, 20)
    start = time.monotonic()
    report = report_of(plan, outcomes_of(plan, results), results, "A roll")
    for name, text in FORMATS.items():
        writing(place(name, str(tmp_path / ("report." + name))), text(report)).apply()
    written = time.monotonic() - start
    sizes = {name: (tmp_path / ("report." + name)).stat().st_size for name in FORMATS}

    with chromium.started() as browser:
        # The first page of a browser pays for its start.
        browser.new_page().goto("data:text/html,warm")
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto((tmp_path / "report.html").as_uri())
        painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000")
        headers = page.locator("thead th").element_handles()
        sorting = [header.evaluate(SORT) for header in headers for _time in range(2)]
    with capsys.disabled():
        print(
            "\n%d hosts: written in %.2f s (%s); first paint %.2f s; sorted in %.0f ms, at most %.0f ms"
            % (
                HOSTS,
                written,
                ", ".join("%s %d kB" % (name, size / 1000) for name, size in sizes.items()),
                painted,
                statistics.median(sorting) * 1000,
                max(sorting) * 1000,
            )
        )
    assert written <= MOST_SECONDS
    assert max(sizes.values()) <= MOST_BYTES
    assert painted <= MOST_FIRST_PAINT
    assert statistics.median(sorting) <= MOST_SORTING
