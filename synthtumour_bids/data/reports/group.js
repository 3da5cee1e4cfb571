"use strict";
const body = document.querySelector("#table tbody");
const heads = [...document.querySelectorAll("#table th")];
const rows = [...body.rows];
const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));

function compare(first, second) {
  if (first === second) return 0;
  const [a, b] = [Number(first), Number(second)];
  if (!Number.isNaN(a) && !Number.isNaN(b)) return a - b;
  return first.localeCompare(second, "en", { numeric: true });
}

function sortBy(column) {
  const down = heads[column].getAttribute("aria-sort") === "ascending";
  for (const head of heads) head.setAttribute("aria-sort", "none");
  heads[column].setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = (row) => row.cells[column].dataset.key;
  // Rows without a value come last, whichever way round.
  const sorted = rows.map((row) => [key(row), row]).sort(([a], [b]) =>
    (a === "") - (b === "") || (down ? -compare(a, b) : compare(a, b)));
  body.append(...sorted.map(([, row]) => row));
}

function filter() {
  const words = document.getElementById("words").value.toLowerCase().split(/\s+/);
  const status = document.getElementById("status").value;
  const flagged = document.getElementById("flagged").checked;
  let shown = 0;
  for (const row of rows) {
    row.hidden = !words.every((word) => texts.get(row).includes(word))
      || (status !== "" && row.dataset.status !== status)
      || (flagged && !("flagged" in row.dataset));
    shown += row.hidden ? 0 : 1;
  }
  document.getElementById("shown").textContent = `${shown} shown`;
}

heads.forEach((head, column) => head.addEventListener("click", () => sortBy(column)));
for (const id of ["words", "status", "flagged"]) document.getElementById(id).addEventListener("input", filter);
