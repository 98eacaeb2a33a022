# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of the report in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import chromium
import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.model import Report
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.page import page_text
from playwright.sync_api import Browser, Page
from sample_rolls import sample_report

pytestmark = pytest.mark.services

Opened = Callable[..., Page]

TROUBLED = sample_report(60, {11: "lost", 23: "unhealthy", 31: "unstaged"}, 5, 20)
HOSTILE = "<img src=//evil.example/x onerror=alert(1)>\"'&</script>"
PHONE = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.started() as browser:
        yield browser


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opened]:
    """Opens a report, and sees to it that the page asks for nothing and complains of nothing."""
    asked: list[str] = []
    said: list[str] = []
    contexts = []

    def open_page(report: Report, **context: Any) -> Page:
        path = tmp_path / "report.html"
        path.write_text(page_text(report), encoding="utf-8")
        contexts.append(browser.new_context(**context))
        page = contexts[-1].new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.goto(path.as_uri())
        return page

    yield open_page
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert said == []
    for context in contexts:
        context.close()


def names(page: Page) -> list[str]:
    """The hosts that are shown, from top to bottom."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('tbody tr')].filter(row => !row.hidden).map(row => row.cells[1].title)"
    )
    return found


def column(page: Page, name: str) -> list[str]:
    """The cells of a column."""
    return page.locator("tbody td.%s" % name).all_text_contents()


def test_the_page_tells_what_happened(opened: Opened) -> None:
    page = opened(TROUBLED)
    assert page.title() == "November kernel window"
    assert "Of 60 hosts, 3 need somebody to look at them" in page.locator("header").inner_text()
    assert "37 of 60" in page.locator(".figures").inner_text()
    assert page.locator(".troubles li").count() == 4
    assert "unassigned_shards" in page.locator(".troubles").inner_text()
    assert names(page) == [host.name for host in TROUBLED.hosts]
    assert page.locator("tbody .timeline svg").count() == sum(bool(host.phases) for host in TROUBLED.hosts)


def test_the_table_is_one_to_assistive_programs(opened: Opened) -> None:
    page = opened(TROUBLED)
    assert page.get_by_role("columnheader").count() == 8
    assert page.get_by_role("table").get_by_role("row").count() == 61
    assert page.get_by_role("row", name="web0012.example.org").get_by_role("cell").count() == 7
    assert "draining" in (page.locator("tbody .timeline svg title").first.text_content() or "")


def test_columns_sort_by_mouse_and_by_keyboard(opened: Opened) -> None:
    page = opened(TROUBLED)
    header = page.locator("th.downtime")
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    values = column(page, "downtime")
    known = [float(value) for value in values if value != "\u2013"]
    assert known == sorted(known)
    assert values[len(known) :] == ["\u2013"] * (60 - len(known)), "what is not known comes last"
    header.get_by_role("button").press("Enter")
    assert header.get_attribute("aria-sort") == "descending"
    values = column(page, "downtime")
    assert [float(value) for value in values[: len(known)]] == sorted(known, reverse=True)
    assert values[len(known) :] == ["\u2013"] * (60 - len(known))
    assert page.locator("[aria-sort]").count() == 1
    page.locator("th.n").get_by_role("button").press("Space")
    assert names(page) == [host.name for host in TROUBLED.hosts]


def test_names_sort_by_their_numbers(opened: Opened) -> None:
    report = sample_report(3)
    hosts = tuple(replace(host, name=name) for host, name in zip(report.hosts, ("web10", "web9", "db1"), strict=True))
    page = opened(replace(report, hosts=hosts))
    page.locator("th.host").get_by_role("button").click()
    assert names(page) == ["db1", "web9", "web10"]


def test_rows_are_filtered_by_words_and_by_outcome(opened: Opened) -> None:
    page = opened(TROUBLED)
    page.get_by_label("Filter").fill("LOST web0012")
    assert names(page) == ["web0012.example.org"]
    assert page.get_by_role("status").text_content() == "1 of 60 hosts"
    page.get_by_label("Filter").fill("")
    page.get_by_label("Outcome").select_option("failed")
    assert names(page) == ["web0024.example.org", "web0032.example.org"]
    page.locator("th.host").get_by_role("button").click()
    assert len(names(page)) == 2, "a filter holds when it is sorted"


def test_the_timeline_shows_the_roll_or_each_turn(opened: Opened) -> None:
    page = opened(TROUBLED)
    picture = page.locator("tbody .timeline svg").nth(20)
    assert (picture.get_attribute("viewBox") or "").startswith("0 0 ")
    page.get_by_label("Timeline").select_option("turn")
    start = float((picture.get_attribute("viewBox") or "").split()[0])
    assert start == TROUBLED.hosts[20].phases[1].start


def test_hostile_text_is_shown_as_text(opened: Opened) -> None:
    report = sample_report(2)
    texts = ("name", "reason", "last_words", "domain", "kernel_before", "kernel_after")
    hostile: dict[str, Any] = dict.fromkeys(texts, HOSTILE)
    host = replace(report.hosts[0], outcome="failed", is_good=False, warnings=(HOSTILE,), **hostile)
    page = opened(replace(report, title=HOSTILE, hosts=(host, report.hosts[1])))
    assert page.title() == HOSTILE
    assert page.locator("tbody th").first.inner_text().startswith(HOSTILE)
    assert page.locator(".troubles pre").inner_text() == HOSTILE
    assert page.locator("img").count() == 0
    page.locator("th.kernel").get_by_role("button").click()
    page.get_by_label("Filter").fill("onerror")
    assert names(page) == [HOSTILE]


def test_a_script_that_got_into_the_page_would_not_run(browser: Browser, tmp_path: Path) -> None:
    """By the policy of the page itself, whatever was missed."""
    path = tmp_path / "report.html"
    path.write_text(page_text(sample_report(1)), encoding="utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())
    blocked = page.evaluate(
        """() => new Promise(resolve => {
            document.addEventListener("securitypolicyviolation", event => resolve(event.violatedDirective));
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
            setTimeout(() => resolve(String(window.ran)), 5000);
        })"""
    )
    page.close()
    assert blocked.startswith("script-src")


def luminance(page: Page, selector: str, name: str) -> float:
    """Of a colour, from 0 to 1 (WCAG 2.2)."""
    colour: str = page.locator(selector).first.evaluate("(element, name) => getComputedStyle(element)[name]", name)
    parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_scheme_with_readable_contrast(opened: Opened, scheme: str) -> None:
    page = opened(TROUBLED, color_scheme=scheme)
    card = luminance(page, "#hosts", "backgroundColor")
    assert (card < 0.2) == (scheme == "dark")
    for selector in ("td.kernel", "td.n", "figcaption", ".troubles p", ".legend .key"):
        text = luminance(page, selector, "color")
        assert (max(text, card) + 0.05) / (min(text, card) + 0.05) >= 4.5, selector
    for badge in (".badge.good", ".badge.bad", ".badge.untouched"):
        text, ground = luminance(page, badge, "color"), luminance(page, badge, "backgroundColor")
        assert (max(text, ground) + 0.05) / (min(text, ground) + 0.05) >= 4.5, badge


@pytest.mark.parametrize("width", [360, 768, 1024, 1440])
def test_nothing_is_wider_than_the_screen(opened: Opened, width: int) -> None:
    page = opened(TROUBLED, viewport={"width": width, "height": 800})
    page.evaluate("document.querySelector('#hosts').scrollIntoView()")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_is_whole_without_scripts(opened: Opened) -> None:
    page = opened(TROUBLED, java_script_enabled=False)
    assert page.locator("tbody tr").count() == 60
    assert not page.locator(".controls").is_visible()
    assert page.locator("tbody tr").first.is_visible()


def test_on_paper_all_is_light_and_open(opened: Opened) -> None:
    page = opened(TROUBLED, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert luminance(page, "#hosts", "backgroundColor") > 0.9
    assert not page.locator(".controls").is_visible()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0


@pytest.mark.parametrize(("hosts", "untouched"), [(0, 0), (1, 0), (4, 4)])
def test_small_rolls_are_pages_too(opened: Opened, hosts: int, untouched: int) -> None:
    page = opened(sample_report(hosts, untouched=untouched), viewport=PHONE)
    assert page.locator("tbody tr").count() == hosts
    assert page.get_by_role("status").text_content() == "%d of %d hosts" % (hosts, hosts)
