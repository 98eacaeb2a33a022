// Copyright (c) 2026, the fleetops.kexec authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Sorts and filters the table of hosts. The page is whole without it.

"use strict";

(() => {
  const table = document.querySelector("#hosts table");
  const form = document.querySelector("#hosts form");
  const status = form.querySelector("[role=status]");
  const body = table.tBodies[0];
  const headers = Array.from(table.tHead.rows[0].cells);
  const order = new Intl.Collator("en", { numeric: true });
  let rows = Array.from(body.rows, (row) => ({
    row,
    outcome: row.dataset.outcome,
    words: Array.from(row.cells).slice(1, 4).map((cell) => cell.textContent).join(" ").toLowerCase(),
    keys: [],
  }));

  function keyOf(entry, column, isNumber) {
    if (!(column in entry.keys)) {
      const cell = entry.row.cells[column];
      entry.keys[column] = isNumber ? ("v" in cell.dataset ? Number(cell.dataset.v) : null) : cell.textContent;
    }
    return entry.keys[column];
  }

  // What is not known comes last, whichever way it is sorted.
  function compare(left, right, isNumber, direction) {
    if (left === null || right === null) return (left === null) - (right === null);
    return direction * (isNumber ? left - right : order.compare(left, right));
  }

  function sortBy(header) {
    const column = headers.indexOf(header);
    const isNumber = header.dataset.type === "number";
    const direction = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    rows = rows
      .map((entry) => [keyOf(entry, column, isNumber), entry])
      .sort((left, right) => compare(left[0], right[0], isNumber, direction))
      .map((pair) => pair[1]);
    body.append(...rows.map((entry) => entry.row));
    for (const other of headers) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
  }

  function filter() {
    const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const outcome = form.elements.outcome.value;
    let shown = 0;
    for (const entry of rows) {
      const isShown = (!outcome || entry.outcome === outcome) && words.every((word) => entry.words.includes(word));
      if (entry.row.hidden === isShown) entry.row.hidden = !isShown;
      shown += isShown;
    }
    status.textContent = shown + " of " + rows.length + " hosts";
  }

  // The bars are in seconds of the roll; each row shows a part of it.
  function look() {
    const byTurn = form.elements.axis.value === "turn";
    table.classList.toggle("by-turn", byTurn);
    const length = byTurn ? table.dataset.turn : table.dataset.span;
    for (const entry of rows) {
      const cell = entry.row.cells[headers.length - 1];
      const picture = cell.firstElementChild;
      if (picture) picture.setAttribute("viewBox", (byTurn ? cell.dataset.v : 0) + " 0 " + length + " 10");
    }
  }

  for (const header of headers) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(header.firstChild);
    header.prepend(button);
    button.addEventListener("click", () => sortBy(header));
  }
  form.elements.words.addEventListener("input", filter);
  form.elements.outcome.addEventListener("change", filter);
  form.elements.axis.addEventListener("change", look);
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
  // A browser that is sent back to the page fills in what was there.
  filter();
  look();
  form.hidden = false;
})();
