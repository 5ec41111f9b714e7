// The page: draws the figures, again when the theme, the width or the paper changes.
"use strict";

const block = JSON.parse(document.getElementById("numbers").textContent);
deriveAll(block);

const GRID = "rgba(128,128,128,0.25)", EDGE = "rgba(128,128,128,0.6)";
const ROOT = document.documentElement;

function colour(name) { return getComputedStyle(ROOT).getPropertyValue(name).trim(); }

function axis(own, narrow) {
  return { gridcolor: GRID, linecolor: EDGE, zeroline: false, automargin: true, nticks: narrow ? 5 : 8,
    exponentformat: "e", minexponent: 5, separatethousands: true, ...own,
    title: { text: own.title || "", standoff: 8 } };
}

function layoutOf(panel, width) {
  const narrow = width < 480;
  return {
    bargap: 0.35, ...panel.layout, width, height: panel.height, showlegend: false, hovermode: "closest",
    margin: { l: 48, r: 12, t: 12, b: (panel.layout.xaxis || {}).title ? 44 : 28 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",  // else a finger could not scroll past
    font: { color: "--ink", family: "system-ui, sans-serif", size: narrow ? 12 : 13 },
    hoverlabel: { bgcolor: "--card", bordercolor: "--line", font: { color: "--ink" }, align: "left" },
    xaxis: axis(panel.layout.xaxis || {}, narrow), yaxis: axis(panel.layout.yaxis || {}, narrow),
  };
}

function draw() {
  for (const element of document.querySelectorAll(".plot")) {
    const panel = block.figures[element.dataset.figure][element.dataset.panel];
    const shown = resolve({ data: panel.data, layout: layoutOf(panel, element.clientWidth) }, block.tables, colour);
    Plotly.react(element, shown.data, shown.layout, { displayModeBar: false });
  }
}

function whenStill(what, wait) {
  let timer;
  return () => { clearTimeout(timer); timer = setTimeout(what, wait); };
}

draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
let width = innerWidth;
addEventListener("resize", whenStill(() => { if (innerWidth !== width) { width = innerWidth; draw(); } }, 100));
for (const [event, isPaper] of [["beforeprint", true], ["afterprint", false]])
  addEventListener(event, () => { ROOT.classList.toggle("paper", isPaper); draw(); });
for (const element of document.querySelectorAll(".table")) makeTable(element, block);
const coordinates = document.getElementById("parallel");
if (coordinates) makeParallel(coordinates, block);
