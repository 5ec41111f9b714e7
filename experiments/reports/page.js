// Without this script the page shows everything; with it marks say what they are, tables sort and filter, and axes select.
"use strict";

const trials = document.querySelector("#trials table"), note = document.querySelector("#trials .note");
const names = table => [...table.tHead.rows[0].cells].map(cell => cell.textContent);
const exact = cell => cell.title || cell.textContent;  // all digits, where fewer are shown
const rows = trials ? [...trials.tBodies[0].rows] : [], byTrial = new Map(rows.map(row => [row.cells[0].textContent, row]));
let matches = () => true, brushed = null;

// Tips: the words of a mark, or the setting and the objective of its trial.
const tip = document.getElementById("tip");

function words(mark) {
  if (mark.dataset.tip) return mark.dataset.tip;
  const { cells } = byTrial.get(mark.dataset.trial), row = new Map(names(trials).map((name, at) => [name, cells[at].textContent]));
  const on = [...row].filter(([name, strength]) => /^(weight|bias)_l[12]$/.test(name) && strength !== "off").map(pair => pair.join(" "));
  return `trial ${row.get("trial")}: ${on.join(", ") || "all off"}, learning_rate ${row.get("learning_rate")}\n${cells[1].textContent}`;
}

addEventListener("pointerover", event => {
  const mark = event.target.closest("[data-tip], [data-trial]");
  tip.hidden = !mark;
  if (!mark) return;
  tip.textContent = words(mark);
  tip.style.left = `${Math.max(8, Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${event.clientY + (event.clientY + tip.offsetHeight + 24 < innerHeight ? 16 : -tip.offsetHeight - 12)}px`;
});

// Tables: a click on a name sorts, what is not there comes last. The table of trials also filters.
for (const button of document.querySelectorAll("th button")) button.addEventListener("click", () => {
  const head = button.closest("th"), body = head.closest("table").tBodies[0], sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  for (const cell of head.parentNode.cells) cell.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
  const keyed = [...body.rows].map(row => {
    const text = exact(row.cells[head.cellIndex]);
    return { row, text, key: Number.isNaN(Number(text)) ? text : Number(text) };
  });
  const order = (a, b) => a.key === b.key ? 0 : (a.key < b.key ? -1 : 1) * sign;
  keyed.sort((a, b) => a.text && b.text ? order(a, b) : Boolean(b.text) - Boolean(a.text));
  body.append(...keyed.map(({ row }) => row));
});

const SIGNS = { "<": (a, b) => a < b, ">": (a, b) => a > b, "<=": (a, b) => a <= b, ">=": (a, b) => a >= b,
  "=": (a, b) => Math.abs(a - b) <= 1e-9 * Math.abs(b) };

// "weight_l2 > 1e-3, bias_l1 = off" -> a function of the row; throws a sentence for what cannot be understood.
function filterOf(text) {
  const tests = text.split(",").map(part => part.trim()).filter(Boolean).map(part => {
    const found = /^(\w+)\s*(<=|>=|<|>|=)\s*(\S+)$/.exec(part);
    if (!found) return row => row.textContent.toLowerCase().includes(part.toLowerCase());
    const [, name, sign, word] = found, at = names(trials).indexOf(name), value = word === "off" ? 0 : Number(word);
    if (at < 0) throw `There is no column ${name}.`;
    if (Number.isNaN(value)) return row => sign === "=" && row.cells[at].textContent === word;
    return row => exact(row.cells[at]) !== "" && SIGNS[sign](Number(exact(row.cells[at])), value);
  });
  return row => tests.every(test => test(row));
}

function show() {
  for (const row of rows) row.hidden = !matches(row) || Boolean(brushed && !brushed.has(row.cells[0].textContent));
  note.textContent = `${rows.filter(row => !row.hidden).length} of ${rows.length} trials${brushed ? ", by the lines selected above" : ""}`;
}

if (trials) document.querySelector("#trials input").addEventListener("input", ({ target }) => {
  try {
    matches = filterOf(target.value);
    target.setCustomValidity("");
    show();
  } catch (sentence) {
    if (typeof sentence !== "string") throw sentence;
    target.setCustomValidity(sentence);
    note.textContent = sentence;
  }
});

// Parallel coordinates: a drag along an axis selects the lines that cross it there.
const lines = [...document.querySelectorAll("#parallel polyline")], ranges = new Map();

function select() {
  const isIn = line => [...ranges].every(([at, [top, bottom]]) => line.points[at].y >= top && line.points[at].y <= bottom);
  const chosen = lines.filter(line => line.classList.toggle("out", !isIn(line)) === false);
  brushed = ranges.size ? new Set(chosen.map(line => line.dataset.trial)) : null;
  document.querySelector("#parallel .note").textContent =
    brushed ? `${chosen.length} of ${lines.length} trials selected; the table of trials shows these` : "";
  document.querySelector("#parallel button").hidden = !brushed;
  document.querySelectorAll("#parallel .brush").forEach((brush, at) => {
    const [top, bottom] = ranges.get(at) || [0, 0];
    brush.setAttribute("y", `${top}%`);
    brush.setAttribute("height", `${bottom - top}%`);
  });
  show();
}

document.querySelectorAll("#parallel .area").forEach((area, at) => {
  let from = null;
  const percent = event => {
    const box = area.getBoundingClientRect();
    return Math.min(Math.max((event.clientY - box.top) / box.height * 100, -1), 101);
  };
  area.addEventListener("pointerdown", event => { from = percent(event); area.setPointerCapture(event.pointerId); });
  area.addEventListener("pointermove", event => {
    if (from === null) return;
    const ends = [from, percent(event)].sort((a, b) => a - b);
    if (ends[1] - ends[0] > 1) ranges.set(at, ends); else ranges.delete(at);
    select();
  });
  area.addEventListener("pointerup", event => {
    if (Math.abs(percent(event) - from) <= 1) { ranges.delete(at); select(); }
    from = null;
  });
  area.addEventListener("pointercancel", () => { from = null; });
});
for (const button of document.querySelectorAll("#parallel button"))
  button.addEventListener("click", () => { ranges.clear(); select(); });
if (trials) show();
