// The page: reads the element `data`, draws every text, and keeps to the token, layer and direction chosen.

const inspection = JSON.parse(document.getElementById("data").textContent);
const { model } = inspection;
const chosen = { layer: model.num_layers - 1, direction: "forward", tokens: [] };
const BEHAVIOURS = ["remember", "add", "erase", "overwrite"];
// Numbers of a token: names in the JSON, what they are, and how they are computed.
const ROWS = [
  ["i", "input gate", "mean i"], ["f", "forget gate", "mean f"], ["o", "output gate", "mean o"],
  ["before", "memory before", "Σ|c′|"], ["forgotten", "forgotten of that", "Σ|(1 − f) c′|"], ["deposit", "written", "Σ|i g|"],
  ["after", "memory after", "Σ|c|"], ["surviving", "written, and left at the end", "Σ|∏f i g|"],
  ["released", "its part in the last output", "Σ|part of h|"],
  ["gradient_h", "gradient at the output", "‖∂/∂h‖"], ["gradient_c", "gradient at the memory", "‖∂/∂c‖"],
  ["kept", "kept by later forget gates", "mean ∏f"],
];
// The largest contribution of all texts: their shades can be compared.
const LARGEST = Math.max(...inspection.texts.flatMap((text) => text.tokens.map((token) => Math.abs(token.contribution))));

function number(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 0.001 && size < 100000 ? value.toPrecision(3).replace(/e\+?(\d+)/, "e$1") : value.toExponential(2);
}

function counted(count, name) {
  return `${count} ${name}${count === 1 ? "" : "s"}`;
}

function percent(share) {
  return (100 * share).toFixed(1) + " %";
}

// What a reader can see of a token: control characters by their pictures, the invisible by number.
function visible(token) {
  const shown = token.replace(/[\u0000-\u0020\u007f]/g, (character) => {
    const code = character.charCodeAt(0);
    return code === 0x7f ? "\u2421" : code === 0x20 ? "\u2423" : String.fromCharCode(0x2400 + code);
  });
  return shown.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    return "\\u{" + character.codePointAt(0).toString(16) + "}";
  });
}

function background(contribution) {
  const share = LARGEST > 0 ? Math.abs(contribution) / LARGEST : 0;
  const name = contribution < 0 ? "--away" : "--toward";
  return `color-mix(in srgb, var(${name}) ${Math.round(60 * share)}%, transparent)`;
}

function memoryOf(text) {
  return text.memory.find((memory) => memory.layer === chosen.layer && memory.direction === chosen.direction);
}

function heading(text, index) {
  if (text.row) {
    const label = text.row.label === null ? "" : `, labelled ${text.row.label}`;
    return `${text.row.split}: ${text.row.id}${label}`;
  }
  return `Text ${index + 1}`;
}

// The class, or the labels that the text is given.
function predicted({ label, probability, labels, probabilities }) {
  const one = (name, share) => `${name}, ${percent(share)}`;
  if (labels === undefined) return one(label, probability);
  if (labels.length === 0) return `no label (the likeliest: ${one(label, probability)})`;
  return labels.map((name) => one(name, probabilities[model.class_names.indexOf(name)])).join("; ");
}

function facts(text) {
  const { value, baseline, sum, error, steps, jumps } = text.completeness;
  const known = text.tokens.filter((token) => token.known).length;
  const lines = [
    `Prediction: ${predicted(text.prediction)}; ${counted(text.tokens.length, "token")} read` +
      (text.tokens_in_text === 0 ? " (an empty text reads as one unknown word)" : "") +
      (known < text.tokens.length ? `, ${text.tokens.length - known} unknown` : ""),
  ];
  if (text.cut === "model") lines.push(`The text has ${text.tokens_in_text} tokens: the model reads no more of it.`);
  if (text.cut === "inspection") {
    lines.push(`The text has ${text.tokens_in_text} tokens: its head is inspected, and the prediction is that of its head.`);
  }
  const account = error === null ? "" : ` (off by ${(100 * error).toFixed(2)} %)`;
  const integrated = steps > 0 ? `, integrated over ${steps} points` : "";
  lines.push(
    `Log-odds of ${text.target.toward} over ${text.target.away}: ${number(value)}; of as many zeros: ${number(baseline)}; ` +
      `difference ${number(value - baseline)}. The contributions add up to ${number(sum)}${account}${integrated}.`,
  );
  if (jumps > 0.01) {
    lines.push(
      `The score jumps on the way from zeros, by ${percent(jumps)} of the difference in all. Contributions to a jump are ` +
        "scaled to add up to it, and weigh most the tokens that a direction reads first.",
    );
  }
  return element("div", { className: "facts" }, ...lines.map((line) => element("p", {}, line)));
}

class Review {
  constructor(text, index) {
    this.text = text;
    this.selected = 0;
    this.buttons = text.tokens.map((token, t) => {
      const button = element("button", {
        type: "button", tabIndex: t === 0 ? 0 : -1, textContent: visible(token.token),
        "aria-pressed": "false", title: `contribution ${number(token.contribution)}${token.known ? "" : ", unknown"}`,
      });
      if (!token.known) button.classList.add("unknown");
      button.style.background = background(token.contribution);
      button.addEventListener("click", () => this.select(t, false));
      return button;
    });
    const id = `heading-${index}`;
    this.tokens = element("div", {
      className: "tokens", role: "group", "aria-label": "Tokens; arrow keys choose one, whose numbers follow",
    }, ...this.buttons);
    this.tokens.addEventListener("keydown", (event) => this.key(event));
    this.panel = element("div", { className: "panel", role: "group", "aria-label": "Numbers of the token chosen" });
    this.memory = element("div", { className: "memory" });
    const key = element("p", { className: "key facts" });
    for (const [name, sign] of [[text.target.toward, 1], [text.target.away, -1]]) {
      const swatch = element("span", {}, `speaks for ${name}`);
      swatch.style.background = background(sign * LARGEST);
      key.append(swatch);
    }
    key.append(`by ${number(LARGEST)} where the shade is deepest`);
    this.section = element("section", { "aria-labelledby": id },
      element("h2", { id }, heading(text, index)), facts(text), key, this.tokens, this.panel, this.memory);
  }

  key(event) {
    const last = this.buttons.length - 1;
    const moves = {
      ArrowRight: this.selected + 1, ArrowLeft: this.selected - 1, ArrowDown: this.selected + 1,
      ArrowUp: this.selected - 1, Home: 0, End: last,
    };
    if (!(event.key in moves) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.select(Math.min(Math.max(moves[event.key], 0), last), true);
  }

  select(t, focus) {
    const before = this.buttons[this.selected], now = this.buttons[t];
    before.tabIndex = -1;
    before.setAttribute("aria-pressed", "false");
    this.selected = t;
    now.tabIndex = 0;
    now.setAttribute("aria-pressed", "true");
    if (focus) now.focus();
    this.draw();
  }

  // Everything that depends on the token, the layer or the direction.
  draw() {
    const memory = memoryOf(this.text), t = this.selected, token = this.text.tokens[t];
    const list = element("dl");
    const row = (name, title, how, value) => {
      const cell = element("dd", {}, number(value));
      cell.dataset.name = name;
      list.append(element("div", {}, element("dt", {}, title + " ", element("span", {}, how)), cell));
    };
    row("contribution", "contribution", "log-odds", token.contribution);
    for (const [name, title, how] of ROWS) row(name, title, how, memory.tokens[name][t]);
    const shares = BEHAVIOURS.map((name) => memory.tokens[name][t]);
    this.panel.replaceChildren(
      element("h3", {}, `${visible(token.token)} — token ${t + 1} of ${this.text.tokens.length}` +
        (token.known ? "" : ", unknown to the vocabulary")),
      element("p", { className: "facts" }, `Layer ${chosen.layer + 1}, ${chosen.direction}: what its ${model.hidden_size} units do here.`),
      ...behaviours(shares), list);
    this.drawMemory(memory, t);
  }

  drawMemory(memory, t) {
    const length = this.text.tokens.length;
    const shares = BEHAVIOURS.map((name) => memory.behaviour[name]);
    const heats = element("div", { className: "heats" });
    const names = { i: "input gate i", f: "forget gate f", o: "output gate o", c: "memory c" };
    for (const [name, title] of Object.entries(names)) {
      const canvas = element("canvas", { role: "img", "aria-label": `${title}, unit by unit over time` });
      canvas.addEventListener("click", (event) => {
        const at = Math.floor((memory.heat.columns.length * event.offsetX) / canvas.clientWidth);
        this.select(memory.heat.columns[Math.min(Math.max(at, 0), memory.heat.columns.length - 1)], false);
      });
      drawHeat(canvas, memory.heat, name);
      const [from, to] = name === "c" ? [-1, 1].map((sign) => number(sign * memory.heat.c_limit)) : ["0", "1"];
      const scale = element("i", { className: "scale", "aria-hidden": "true" });
      const colours = name === "c" ? "var(--away), var(--low), var(--toward)" : "var(--low), var(--high)";
      scale.style.background = `linear-gradient(to right, ${colours})`;
      const caption = element("figcaption", {}, `${title}: ${from}`, scale, to);
      const map = element("div", { className: "map" }, canvas, columnMark(memory.heat.columns, t));
      const strip = behaviourStrip(memory.heat.behaviours, BEHAVIOURS);
      heats.append(element("figure", {}, caption, element("div", { className: "heat" }, strip, map)));
    }
    const parts = memory.composition.parts.map(([start, end], index) => {
      const words = this.text.tokens.slice(start, Math.min(end, start + 4)).map((token) => visible(token.token));
      const swatch = element("i");
      swatch.style.background = `var(--k${index})`;
      return element("li", {}, swatch, `${start + 1}–${end}: ${words.join(" ")}${end - start > 4 ? " …" : ""}`);
    });
    const lines = [
      ["‖∂/∂h‖, at the output", "--toward"], ["‖∂/∂c‖, at the memory", "--away"],
      ["mean ∏f, kept by later forget gates (dashed)", "--soft"],
    ];
    const legend = lines.map(([name, value]) => {
      const swatch = element("i");
      swatch.style.background = `var(${value})`;
      return element("li", {}, swatch, name);
    });
    const units = memory.heat.units.length;
    this.memory.replaceChildren(
      element("h3", {}, "What the units do over the whole text"), ...behaviours(shares),
      element("h3", {}, "Gates and memory over time"),
      element("p", { className: "facts" }, `A row for each of the ${units} units (of ${model.hidden_size}) that let out most, ` +
        `by what they do most: ${rows(memory.heat.behaviours)}, as the strip on the left shows; within each, those that keep ` +
        "most first. Tokens from left to right."),
      heats,
      element("h3", {}, "What the memory consists of"),
      element("p", { className: "facts" }, "The ledger, token by token: what is left of each part of the text, " +
        `as far as this direction has read (${chosen.direction === "forward" ? "left to right" : "right to left"}). ` +
        `At the end its sum misses the memory by ${memory.ledger_residual.toExponential(1)} of the memory's largest value.`),
      element("figure", {}, ...drawComposition(memory.composition, length, t), element("ul", { className: "legend" }, ...parts)),
      element("h3", {}, "How far back the gradient reaches"),
      element("figure", {}, ...drawGradients(memory.tokens, t), element("ul", { className: "legend" }, ...legend)),
    );
    // As many rows as there are parts: those of two texts stand side by side.
    this.section.style.gridRow = `span ${this.section.childElementCount - 1 + this.memory.childElementCount}`;
  }
}

function behaviours(shares) {
  const bar = element("div", { className: "bar", "aria-hidden": "true" });
  const legend = element("ul", { className: "legend" });
  BEHAVIOURS.forEach((name, index) => {
    const part = element("div"), swatch = element("i"), share = element("span", {}, percent(shares[index]));
    part.style.background = swatch.style.background = `var(--k${index})`;
    part.style.width = percent(shares[index]).replace(" ", "");
    share.dataset.name = name;
    bar.append(part);
    legend.append(element("li", {}, swatch, name + " ", share));
  });
  return [bar, legend];
}

// "12 remember, 3 erase": units by what they do most, in the order of the rows.
function rows(behaviours) {
  const counts = BEHAVIOURS.map((name) => [behaviours.filter((found) => found === name).length, name]);
  return counts.filter(([count]) => count > 0).map(([count, name]) => `${count} mostly ${name}`).join(", ");
}

function choices(fieldset, name, options, value) {
  for (const [key, title] of options) {
    const input = element("input", { type: "radio", name, value: String(key), checked: key === value });
    input.addEventListener("change", () => {
      chosen[name] = key;
      reviews.forEach((review) => review.draw());
    });
    fieldset.append(element("label", {}, input, " " + title));
  }
}

document.getElementById("method").textContent = inspection.method.replaceAll("-", " ");
document.getElementById("model").textContent =
  `${counted(model.num_layers, "layer")} of ${model.hidden_size} units, ` +
  `${model.directions === 2 ? "both directions" : "forward"}, pooling ${model.pooling}; classes ${model.class_names.join(", ")}`;
const layerNames = Array.from({ length: model.num_layers }, (_, layer) => [layer, String(layer + 1)]);
const directionNames = [["forward", "forward"], ["backward", "backward"]].slice(0, model.directions);
choices(document.getElementById("layers"), "layer", layerNames, chosen.layer);
choices(document.getElementById("directions"), "direction", directionNames, chosen.direction);
document.getElementById("controls").addEventListener("submit", (event) => event.preventDefault());
const reviews = inspection.texts.map((text, index) => new Review(text, index));
document.getElementById("reviews").append(...reviews.map((review) => review.section));
reviews.forEach((review) => review.select(0, false));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => reviews.forEach((review) => review.draw()));
