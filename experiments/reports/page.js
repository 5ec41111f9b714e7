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
  const own = [...row].filter(([name]) => name.startsWith("parameter_")).map(([name, value]) => `, ${name.replace("parameter_", "")} ${value}`);
  return `trial ${row.get("trial")}: ${on.join(", ") || "all off"}, learning_rate ${row.get("learning_rate")}${own.join("")}\n${cells[2].textContent}`;
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

// One part of the filter -> a function of the row; throws a sentence for what cannot be understood.
function testOf(part) {
  const [, name, sign, word] = /^(.*?)\s*(<=|>=|<|>|=|$)\s*(.*)$/.exec(part), at = names(trials).map(one => one.toLowerCase()).indexOf(name);
  if (!sign && at < 0) return row => row.textContent.toLowerCase().includes(name);
  if (!name || !sign || !word) throw `"${part}" is half a condition; a whole one is, for example: ${at < 0 ? "weight_l2" : name} ${sign || ">"} ${word || "1e-3"}`;
  if (at < 0) throw `There is no column ${name}.`;
  const value = word === "off" ? 0 : word.endsWith("%") ? parseFloat(word) / 100 : Number(word);
  if (Number.isNaN(value) && sign !== "=") throw `${word} is not a number.`;
  if (Number.isNaN(value)) return row => row.cells[at].textContent.toLowerCase() === word;
  return row => exact(row.cells[at]) !== "" && SIGNS[sign](Number(exact(row.cells[at])), value);
}

// "tied, weight_l2 > 1e-3, bias_l1 = off" -> the same for the whole filter.
function filterOf(text) {
  const tests = text.toLowerCase().split(",").map(part => part.trim()).filter(Boolean).map(testOf);
  return row => tests.every(test => test(row));
}

// Show the trials that match and that are brushed: their rows, while all figures fade the others.
const marks = [...document.querySelectorAll("[data-trial]")].map(mark => [mark, mark.dataset.trial]);

function show() {
  const chosen = new Set();
  for (const row of rows) {
    const trial = row.cells[0].textContent;
    row.hidden = !matches(row) || Boolean(brushed && !brushed.has(trial));
    if (!row.hidden) chosen.add(trial);
  }
  for (const [mark, trial] of marks) mark.classList.toggle("out", !chosen.has(trial));
  document.body.classList.toggle("picked", chosen.size < rows.length);
  note.textContent = `${chosen.size} of ${rows.length} trials${brushed ? ", by the lines selected above" : ""}`;
}

if (trials) document.querySelector("#trials input").addEventListener("input", ({ target }) => {
  let sentence = "";
  try {
    matches = filterOf(target.value);
  } catch (thrown) {
    if (typeof thrown !== "string") throw thrown;
    [matches, sentence] = [() => true, thrown];
  }
  show();
  target.setCustomValidity(sentence);
  if (sentence) note.textContent = sentence;
});

// Parallel coordinates: a drag along an axis selects the lines that cross it there.
const lines = [...document.querySelectorAll("#parallel polyline")].map(line => ({ trial: line.dataset.trial, places: [...line.points].map(point => point.y) }));
const ranges = new Map();
let asked = 0;

function select() {
  const isIn = ({ places }) => [...ranges].every(([at, [top, bottom]]) => places[at] >= top && places[at] <= bottom);
  const chosen = lines.filter(isIn);
  brushed = ranges.size ? new Set(chosen.map(line => line.trial)) : null;
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

// A pointer moves more often than the screen is drawn.
function selectSoon() {
  cancelAnimationFrame(asked);
  asked = requestAnimationFrame(select);
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
    selectSoon();
  });
  area.addEventListener("pointerup", event => {
    if (Math.abs(percent(event) - from) <= 1) { ranges.delete(at); selectSoon(); }
    from = null;
  });
  area.addEventListener("pointercancel", () => { from = null; });
});
for (const button of document.querySelectorAll("#parallel button"))
  button.addEventListener("click", () => { ranges.clear(); select(); });
if (trials) show();
