"use strict";
// Drawing: heat maps on canvases, the composition and the gradients as SVG. Knows nothing of the rest of the page.

const SVG = "http://www.w3.org/2000/svg";

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children);
  return made;
}

function shape(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// A colour of the style sheet, as [red, green, blue].
function colour(name) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim().slice(1);
  const digits = hex.length === 3 ? [...hex].map((digit) => digit + digit) : hex.match(/../g);
  return digits.map((pair) => parseInt(pair, 16));
}

function mix(from, to, share) {
  return from.map((value, index) => Math.round(value + (to[index] - value) * share));
}

// One gate over time: a row a unit, a column a run of tokens.
function drawHeat(canvas, heat, name) {
  const columns = heat.columns.length, rows = heat.units.length;
  const bytes = Uint8Array.from(atob(heat[name]), (character) => character.charCodeAt(0));
  canvas.width = columns;
  canvas.height = rows;
  canvas.style.height = Math.max(60, Math.min(4 * rows, 200)) + "px";
  const image = new ImageData(columns, rows);
  const [low, high, toward, away] = ["--low", "--high", "--toward", "--away"].map(colour);
  for (let at = 0; at < bytes.length; at++) {
    const value = bytes[at] / 255;
    let rgb = mix(low, high, value);
    if (name === "c") rgb = mix(low, value < 0.5 ? away : toward, Math.abs(2 * value - 1));
    image.data.set([...rgb, 255], 4 * at);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// Beside the rows of a heat map: what their units mostly do, in the colours of `names`.
function behaviourStrip(behaviours, names) {
  const parts = names.map((name, index) => {
    const part = element("div");
    part.style.flex = String(behaviours.filter((found) => found === name).length);
    part.style.background = `var(--k${index})`;
    return part;
  });
  return element("div", { className: "strip", "aria-hidden": "true" }, ...parts);
}

// A frame around the column of token `t`.
function columnMark(columns, t) {
  const mark = element("div", { className: "column", "aria-hidden": "true" });
  mark.style.left = `${(100 * columnOf(columns, t)) / columns.length}%`;
  mark.style.width = `${100 / columns.length}%`;
  return mark;
}

// The column, of those that begin at `firsts`, that holds token `t`.
function columnOf(firsts, t) {
  let low = 0, high = firsts.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (firsts[middle] <= t) low = middle;
    else high = middle;
  }
  return low;
}

const WIDTH = 640, HEIGHT = 200;

function frame(label, length, selected, children) {
  const x = (WIDTH * (selected + 0.5)) / length;
  return shape(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label },
    ...children,
    shape("line", { class: "mark", x1: x, x2: x, y1: 0, y2: HEIGHT }),
  );
}

// What the memory consists of: an area for each part of the text, one on the other; the chart and what it shows.
function drawComposition(composition, length, selected) {
  const { at, magnitudes, parts } = composition;
  const sums = magnitudes.map((row) => row.reduce((sum, value) => sum + value, 0));
  const most = Math.max(...sums, 1e-9);
  const x = (t) => ((WIDTH * (t + 0.5)) / length).toFixed(1);
  const y = (value) => (HEIGHT - (HEIGHT * value) / (1.05 * most)).toFixed(1);
  let below = sums.map(() => 0);
  const areas = parts.map((part, index) => {
    const above = below.map((sum, row) => sum + magnitudes[row][index]);
    // A text of one token has no width of its own: its area fills the frame.
    const ends = (row, last) => (at.length === 1 ? (last ? WIDTH : 0) : x(at[row]));
    const edge = (values) => {
      const points = values.map((value, row) => `${ends(row, false)} ${y(value)}`);
      if (at.length === 1) points.push(`${WIDTH} ${y(values[0])}`);
      return points;
    };
    const d = "M" + [...edge(above), ...edge(below).reverse()].join("L") + "Z";
    below = above;
    return shape("path", { d, fill: `var(--k${index})` });
  });
  const caption = `From 0 to ${most.toPrecision(3)}, Σ|…| over the units; tokens from left to right.`;
  return [
    element("figcaption", {}, caption),
    frame("What the memory consists of after every token", length, selected, areas),
  ];
}

// Gradients and the product of forget gates along the text, on a logarithmic scale; the chart and what it shows.
function drawGradients(tokens, selected) {
  const length = tokens.kept.length;
  const series = [
    ["gradient_h", "--toward", ""],
    ["gradient_c", "--away", ""],
    ["kept", "--soft", "5 4"],
  ];
  const logs = series.map(([name]) => {
    const largest = Math.max(...tokens[name], 1e-38);
    return tokens[name].map((value) => Math.max(Math.log10(Math.max(value, 1e-38) / largest), -12));
  });
  const least = Math.min(-1, Math.floor(Math.min(...logs.flat())));
  const x = (t) => ((WIDTH * (t + 0.5)) / length).toFixed(1);
  const y = (log) => (6 + ((HEIGHT - 12) * log) / least).toFixed(1);
  const lines = series.map(([, name, dash], index) =>
    shape("polyline", {
      points: logs[index].map((log, t) => `${x(t)},${y(log)}`).join(" "),
      fill: "none", stroke: `var(${name})`, "stroke-width": 2, "stroke-dasharray": dash,
    }),
  );
  const caption = `Each as a share of its largest, on a logarithmic scale: 1 at the top, 1e${least} at the bottom.`;
  return [element("figcaption", {}, caption), frame("Gradients along the text", length, selected, lines)];
}
