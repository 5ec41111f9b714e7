// The parallel coordinates: a line a trial over upright axes; drag along an axis to select. Tells the page by the event "brush".
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 960, HEIGHT = 340, TOP = 44, BOTTOM = 26, SIDE = 60;
const LOG_FROM = 20;  // a loss whose largest value is so many times its smallest is shown by its logarithm

function element(name, attributes, parent, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

// An axis: {name, values, low, high, ticks}; values are positions between low and high, zeros on a log axis below all others.
function axisOf(name, block, rows) {
  const columns = block.tables.trials.columns, values = rows.map(row => columns[name][row]);
  const searched = block.axes[name];
  if (searched) {
    const { low, high, off } = searched, ticks = [[off, "off"]];
    const step = Math.max(1, Math.ceil((high - low) / 5));
    for (let power = Math.ceil(low - 1e-9); power <= high + 1e-9; power += step) ticks.push([power, `1e${power}`]);
    if (ticks.length < 3) ticks.splice(1, 1, ...[low, high].map(end => [end, general(10 ** end, 2)]));
    return { name, values: rows.map(row => columns["place_" + name][row]), low: off - OFF_WIDTH, high, ticks };
  }
  const positive = values.filter(value => value > 0), worst = name === block.objective ? block.tables.trials.limit : null;
  const isLog = name !== block.objective && positive.length && Math.max(...positive) > LOG_FROM * Math.min(...positive);
  if (isLog) {
    const least = Math.log10(Math.min(...positive)), most = Math.log10(Math.max(...positive));
    const zero = least - (most - least) / 8, hasZero = positive.length < values.length;
    const ticks = [least, (least + most) / 2, most].map(at => [at, general(10 ** at, 2)]);
    return { name, values: values.map(value => value > 0 ? Math.log10(value) : zero), low: hasZero ? zero : least, high: most,
      ticks: hasZero ? [[zero, "0"], ...ticks] : ticks };
  }
  const within = values.map(value => worst === null ? value : block.maximize ? Math.max(value, worst) : Math.min(value, worst));
  const low = Math.min(...within), high = Math.max(...within);
  if (high === low) return { name, values: within, low: low - 0.5, high: high + 0.5, ticks: [[low, general(low, 3)]] };
  const ticks = [low, (low + high) / 2, high].map(at => [at, general(at, 3)]);
  if (within.some((value, n) => value !== values[n])) {  // those that are worse are at the end
    const end = block.maximize ? ticks[0] : ticks[2];
    end[1] = `${block.maximize ? "\u2264" : "\u2265"} ${end[1]}`;
  }
  return { name, values: within, low, high, ticks };
}

function makeParallel(home, block) {
  const trials = block.tables.trials, rows = trials.rows.complete, numbers = trials.columns.trial;
  const names = [...Object.keys(block.axes), block.objective, ...["data_loss", "regularization_loss"].filter(name => name !== block.objective)];
  const axes = names.map(name => axisOf(name, block, rows));
  const x = n => SIDE + n * (WIDTH - 2 * SIDE) / (axes.length - 1);
  const y = (axis, at) => HEIGHT - BOTTOM - (at - axis.low) / (axis.high - axis.low) * (HEIGHT - TOP - BOTTOM);
  const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": "parallel coordinates of the trials" });
  const opacity = Math.min(0.75, 8 / Math.sqrt(rows.length));  // many lines must not become one patch
  const lines = element("g", { "stroke-opacity": opacity }, svg), objective = axes[names.indexOf(block.objective)];
  const distinct = [...new Set(objective.values)].sort((a, b) => block.maximize ? a - b : b - a), ranks = new Map();
  distinct.forEach((value, rank) => ranks.set(value, Math.round(100 * rank / Math.max(1, distinct.length - 1))));
  const goodness = n => ranks.get(objective.values[n]);  // in percent, by rank: where values crowd they still differ
  const order = rows.map((_, n) => n).sort((a, b) => goodness(a) - goodness(b));  // the best on top
  const drawn = order.map(n => {
    const points = axes.map((axis, at) => `${x(at).toFixed(1)},${y(axis, axis.values[n]).toFixed(1)}`).join(" ");
    const line = element("polyline", { points }, lines);
    line.style.stroke = `color-mix(in srgb, var(--scale-high) ${goodness(n)}%, var(--scale-low))`;
    return line;
  });
  const note = home.querySelector(".note"), clear = home.querySelector("button"), ranges = new Map();

  function select() {
    const isIn = n => [...ranges].every(([axis, [from, to]]) => axis.values[n] >= from && axis.values[n] <= to);
    const chosen = new Set(order.filter(isIn));
    order.forEach((n, at) => drawn[at].classList.toggle("out", !chosen.has(n)));
    note.textContent = ranges.size ? `${chosen.size} of ${rows.length} trials selected; the table of trials shows these` : "";
    clear.hidden = !ranges.size;
    const detail = ranges.size ? new Set([...chosen].map(n => numbers[rows[n]])) : null;
    document.dispatchEvent(new CustomEvent("brush", { detail }));
  }

  axes.forEach((axis, at) => {
    const group = element("g", { transform: `translate(${x(at)},0)`, class: "axis" }, svg);
    element("line", { y1: TOP, y2: HEIGHT - BOTTOM }, group);
    const words = axis.name.length > 14 ? axis.name.split(/_(?=[^_]*$)/) : [axis.name];
    words.forEach((word, n) => element("text", { y: TOP - 14 - 15 * (words.length - 1 - n), class: "name" }, group, word + (n < words.length - 1 ? "_" : "")));
    for (const [value, text] of axis.ticks) element("text", { x: -6, y: y(axis, value) + 4, class: "tick" }, group, text);
    const brush = element("rect", { x: -9, width: 18, y: 0, height: 0, class: "brush" }, group);
    const area = element("rect", { x: -20, width: 40, y: TOP - 6, height: HEIGHT - TOP - BOTTOM + 12, class: "area" }, group);
    const back = event => {
      const box = svg.getBoundingClientRect(), up = (event.clientY - box.top) / box.height * HEIGHT;
      return Math.min(Math.max(up, TOP - 6), HEIGHT - BOTTOM + 6);
    };
    let from = null;
    area.addEventListener("pointerdown", event => { from = back(event); area.setPointerCapture(event.pointerId); });
    area.addEventListener("pointermove", event => {
      if (from === null) return;
      const to = back(event), low = Math.min(from, to), high = Math.max(from, to);
      brush.setAttribute("y", low);
      brush.setAttribute("height", high - low);
      const value = up => axis.low + (HEIGHT - BOTTOM - up) / (HEIGHT - TOP - BOTTOM) * (axis.high - axis.low);
      if (high - low > 3) ranges.set(axis, [value(high), value(low)]); else ranges.delete(axis);
      select();
    });
    area.addEventListener("pointerup", event => {
      if (Math.abs(back(event) - from) <= 3) { ranges.delete(axis); brush.setAttribute("height", 0); select(); }
      from = null;
    });
    area.addEventListener("pointercancel", () => { from = null; });
  });
  clear.addEventListener("click", () => {
    ranges.clear();
    svg.querySelectorAll(".brush").forEach(brush => brush.setAttribute("height", 0));
    select();
  });
  home.querySelector(".wide").append(svg);
}
