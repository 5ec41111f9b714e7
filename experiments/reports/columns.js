// The columns: what follows from the numbers of the block, and how figures name them.
"use strict";

const OFF_WIDTH = 0.35;  // decades to each side of the place of off, over which its points are spread
const STEPS = [0.618034, 0.754878, 0.819173, 0.856675];  // of the spread, one a lambda: even, and two of them no line

// A number with so many digits, as Python's %g writes it.
function general(value, digits) {
  if (value === null || value === undefined) return "";
  if (value === 0) return "0";
  const [mantissa, power] = value.toExponential(digits - 1).split("e").map(Number);
  if (power >= -4 && power < Math.max(digits, 5)) return String(Number(value.toPrecision(digits)));
  return `${mantissa}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

function strength(value) { return value > 0 ? general(value, 2) : "off"; }

// Where a strength is on the log axis of a lambda. Those that are off are spread, the same each time.
function place(value, off, number, step) {
  if (value > 0) return Math.log10(value);
  const spread = number ? (number * step) % 1 - 0.5 : 0;
  return off + spread * 2 * OFF_WIDTH;
}

// Add to a table what follows from it. `axes`: the searched lambdas' {low, high, off} in decades; `trials`: the table that
// settings take strengths and the limit from.
function derive(table, names, axes, maximize, trials) {
  const columns = table.columns, at = column => column.map((_, row) => row);
  if (columns.like) {
    const rows = columns.like.map(number => trials.columns.trial.indexOf(number));
    for (const name of names)
      columns[name] = rows.map((row, n) => columns.off[n].includes(name) ? 0 : trials.columns[name][row]);
  }
  for (const [low, high] of [["low", "high"], ["narrow_low", "narrow_high"]])
    if (columns.lost && columns[low]) {  // plotly wants how far the ends are away
      columns[`to_${high}`] = columns.lost.map((value, row) => columns[high][row] - value);
      columns[`to_${low}`] = columns.lost.map((value, row) => value - columns[low][row]);
    }
  if (!table.value) return;
  const values = columns[table.value], numbers = columns.role ? columns.role.map(() => 0) : columns.trial;
  const limit = (trials || table).limit;
  columns.limit = values.map(() => limit);
  for (const [name, axis] of Object.entries(axes))
    columns["place_" + name] = columns[name].map((value, row) => place(value, axis.off, numbers[row], STEPS[names.indexOf(name)]));
  columns.words = at(values).map(row => {
    const on = names.filter(name => columns[name][row] > 0).map(name => `${name} ${strength(columns[name][row])}`);
    const who = columns.role ? columns.role[row] : `trial ${columns.trial[row]}`;
    return `${who}: ${on.join(", ") || "all off"}<br>${values[row] === null ? "failed" : values[row].toFixed(4)}`;
  });
  let best = null;
  columns.best_so_far = values.map(value => {
    if (value !== null && (best === null || (maximize ? value > best : value < best))) best = value;
    return best;
  });
}

function deriveAll(block) {
  for (const table of Object.values(block.tables)) derive(table, block.names, block.axes, block.maximize, block.tables.trials);
}

// A figure with numbers and colours in place of what it calls them: "@table.column:rows", "@@..." for the first, "--colour".
function resolve(value, tables, colour) {
  if (Array.isArray(value)) return value.map(item => resolve(item, tables, colour));
  if (value && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item, tables, colour)]));
  if (typeof value !== "string") return value;
  if (value.startsWith("--")) return colour(value);
  const found = /^(@@?)(\w+)\.(\w+)(?::(\w+))?$/.exec(value);
  if (!found) return value;
  const [, sign, name, column, rows] = found, all = tables[name].columns[column];
  const taken = rows ? tables[name].rows[rows].map(row => all[row]) : all;
  return sign === "@@" ? taken[0] : taken;
}
