// The tables: columns of the block as rows that sort, and filter where there are many.
"use strict";

const SHAPES = {
  strength: strength,
  range: value => value === null ? "" : general(value, 2),
  number: value => general(value, 4),
  accuracy: value => value === null ? "" : value.toFixed(4),
  percent: value => value === null ? "" : `${general(100 * value, 2)} %`,
  text: value => value === null ? "" : String(value),
};

function order(first, second) {
  if (first === second) return 0;
  if (first === null || first === undefined) return 1;
  if (second === null || second === undefined) return -1;
  return first < second ? -1 : 1;
}

// "weight_l2 > 1e-3, bias_l1 = off" -> a function of the row; throws a sentence for what cannot be understood.
function filterOf(text, columns, shown) {
  const tests = text.split(",").map(part => part.trim()).filter(Boolean).map(part => {
    const found = /^(\w+)\s*(<=|>=|<|>|=)\s*(\S+)$/.exec(part);
    if (!found) return row => shown(row).some(word => word.toLowerCase().includes(part.toLowerCase()));
    const [, name, sign, word] = found;
    if (!columns[name]) throw `There is no column ${name}.`;
    const value = word === "off" ? 0 : Number(word);
    if (Number.isNaN(value)) return row => sign === "=" && String(columns[name][row]) === word;
    const compare = { "<": (a, b) => a < b, ">": (a, b) => a > b, "<=": (a, b) => a <= b, ">=": (a, b) => a >= b,
      "=": (a, b) => Math.abs(a - b) <= 1e-9 * Math.abs(b) }[sign];
    return row => columns[name][row] !== null && compare(columns[name][row], value);
  });
  return row => tests.every(test => test(row));
}

function makeTable(home, block) {
  const view = block.views[home.dataset.view], table = block.tables[view.table], columns = table.columns;
  const total = Object.values(columns)[0].length, every = Array.from({ length: total }, (_, row) => row);
  const trials = view.table === "trials", input = home.querySelector("input"), note = home.querySelector(".note");
  let sorted = view.sort ? { name: view.sort, down: view.down } : null, brushed = null, filter = () => true;

  const head = document.createElement("tr"), body = document.createElement("tbody");
  for (const [name, kind] of view.columns) {
    const cell = document.createElement("th"), button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", () => {
      sorted = { name, down: sorted && sorted.name === name ? !sorted.down : false };
      fill();
    });
    cell.scope = "col";
    if (kind === "text") cell.className = "left";
    if (kind === "run") cell.className = "left no-print";
    cell.append(button);
    head.append(cell);
  }

  function shape(name, kind, row) {
    const value = columns[name][row];
    return (SHAPES[kind] || SHAPES.text)(value === undefined ? null : value);
  }

  function cellOf(name, kind, row) {
    const cell = document.createElement("td"), text = shape(name, kind, row);
    if (kind === "run" && block.server && text) {
      const link = document.createElement("a");
      link.href = `${block.server}/#/runs/${encodeURIComponent(text)}`;
      link.rel = "noopener";
      link.textContent = text.slice(0, 8);
      link.title = text;
      cell.append(link);
    } else cell.textContent = text;
    if (kind === "text") cell.className = "left";
    if (kind === "run") cell.className = "left no-print";
    return cell;
  }

  function fill() {
    let rows = every.filter(row => filter(row) && (!trials || !brushed || brushed.has(columns.trial[row])));
    if (sorted) {
      const column = columns[sorted.name], known = row => column[row] !== null && column[row] !== undefined;
      const sign = sorted.down ? -1 : 1;  // what is not there comes last, either way
      rows = [...rows].sort((a, b) => known(a) && known(b) ? sign * order(column[a], column[b]) : known(b) - known(a));
    }
    head.childNodes.forEach((cell, n) => {
      const is = sorted && view.columns[n][0] === sorted.name;
      if (is) cell.setAttribute("aria-sort", sorted.down ? "descending" : "ascending"); else cell.removeAttribute("aria-sort");
    });
    body.replaceChildren(...rows.map(row => {
      const line = document.createElement("tr");
      line.append(...view.columns.map(([name, kind]) => cellOf(name, kind, row)));
      return line;
    }));
    if (note) note.textContent = `${rows.length} of ${total} ${brushed ? "trials, by the lines selected above" : "trials"}`;
  }

  if (input) input.addEventListener("input", () => {
    try {
      filter = filterOf(input.value, columns, row => view.columns.map(([name, kind]) => shape(name, kind, row)));
      input.setCustomValidity("");
      fill();
    } catch (sentence) {
      if (typeof sentence !== "string") throw sentence;
      input.setCustomValidity(sentence);
      note.textContent = sentence;
    }
  });
  if (trials) document.addEventListener("brush", event => { brushed = event.detail; fill(); });
  const made = document.createElement("table"), header = document.createElement("thead");
  header.append(head);
  made.append(header, body);
  fill();
  home.querySelector(".wide").append(made);
}
