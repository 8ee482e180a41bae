// The matrix: simulations down, results across; an image of many.

const IMAGE_ROWS = 400; // of more simulations, the matrix is an image
const IMAGE_LINES = 1000;
const TABLE_ROWS = 40; // at once in the document
const TABLE_MARKS = 1100;
const LABELS_WIDTH = 230; // of the groups beside the image, and margins
const NAME_WIDTH = 90; // of a column of the image; in narrower ones names are upright
const MAX_GROUPS = 12; // a number of more values is grouped by its quantiles
const MAX_TOTALS = 30;
const PAINT = { x: "var(--good)", ".": "var(--missing)" };
const MARKS = { x: ["✓", "there"], ".": ["·", "missing"] };

function matrix() {
  const paths = fields.filter((field) => field.path === "status" || field.varies)
    .map((field) => [field.path, field.label]);
  const choose = (name) => (value) => {
    state[name] = value;
    refresh();
  };
  const kinds = [["", [["", "no groups"], ...paths]]];
  const groups = choice("group by", kinds, state.group, choose("group"));
  const orders = [["", "hash"], ["results", "results there"], ...paths];
  const order = choice("sort by", [["", orders]], state.matrixSort, choose("matrixSort"));
  const isImage = isMatrixImage();
  const key = Object.entries(MARKS).map(([state, [mark, name]]) => {
    const swatch = el("i.swatch", { style: { background: PAINT[state] } });
    return el("span.key.dim", isImage ? swatch : el("span", { class: name }, mark), name);
  });
  return [
    heading("Matrix", el("p.dim", "Simulations down, results across.")),
    el("div.controls", el("label", "Group by ", groups), el("label", "Sort by ", order), key,
      el("span.dim", "blank: not expected")),
    isImage ? matrixImage(matrixGroups()) : matrixTable(matrixGroups()),
  ];
}

/** Whether the matrix is an image: of many simulations, or of more results than a table shows. */
function isMatrixImage() {
  const marks = Math.min(TABLE_ROWS, state.rows.length) * core.results.length;
  return state.rows.length > IMAGE_ROWS || marks > TABLE_MARKS;
}

/** Return [title, sorted rows] of each group. */
function matrixGroups() {
  const field = fieldOf(state.group);
  if (!field) return [["", inOrder(state.rows)]];
  const groups = [...groupBy(state.rows, groupNamer(field))];
  const place = ([name]) => (field.path === "status" ? core.statuses.indexOf(name) : 0);
  const key = ([name]) => (name === null ? "\uffff" : name);
  groups.sort((a, b) => place(a) - place(b) || collator.compare(key(a), key(b)));
  const title = (name) => `${field.label}: ${formatValue(name ?? "none")}`;
  return groups.map(([name, rows]) => [title(name), inOrder(rows)]);
}

function inOrder(rows) {
  if (state.matrixSort === "results") return sorted(rows, (row) => countResults(row)[0], true);
  if (state.matrixSort === "status") return sorted(rows, statusRank);
  return state.matrixSort ? sorted(rows, fieldOf(state.matrixSort).of) : rows;
}

/** Return a function row -> name of its group: a value, or a range of numbers. */
function groupNamer(field) {
  const values = valuesOf(field, state.rows);
  if (field.kind !== "number" || new Set(values).size <= MAX_GROUPS) return field.of;
  const ordered = values.slice().sort(ascending);
  const edges = [0, 0.2, 0.4, 0.6, 0.8, 1].map((share) => quantile(ordered, share));
  return (row) => {
    const value = field.of(row);
    if (value === null) return null;
    const k = Math.min(4, edges.findLastIndex((edge) => value >= edge));
    return formatRange([edges[k], edges[k + 1]]);
  };
}

function matrixColumns() {
  const simulation = (row) => el("span", colourDot(row), linkTo(row));
  const results = core.results.map((result) => ({
    title: broken(result.name), class: "mark", width: 12,
    cell: (row) => {
      const [mark, name] = MARKS[result.states[row]] ?? [];
      return mark ? el("span", { class: name, role: "img", "aria-label": name }, mark) : "";
    },
    total: (rows) => {
      const [there, expected] = countStates(result, rows);
      return expected ? `${grouped(there)}/${grouped(expected)}` : "";
    },
  }));
  return [
    { title: "simulation", cell: simulation, width: 26 },
    { title: "status", cell: (row) => statusNode(columns.status(row)), width: 15 },
    ...results, { title: "hash", cell: shortHash, class: "hash", width: 11 },
  ];
}

/** Return the rows of the matrix with headings of the groups. */
function matrixItems(groups) {
  const headingOf = (title, rows) =>
    (title ? [{ heading: `${title} (${grouped(rows.length)})`, rows }] : []);
  return groups.flatMap(([title, rows]) => [...headingOf(title, rows), ...rows]);
}

function matrixTable(groups) {
  const [label, open] = ["results of simulations", openSimulation];
  return virtualTable({ label, columns: matrixColumns(), items: matrixItems(groups), open });
}

/** Return the matrix as an image, whose lines are one simulation each, or several of very many. */
function matrixImage(groups) {
  const rows = groups.flatMap(([, own]) => own);
  const perLine = Math.ceil(rows.length / IMAGE_LINES);
  const lines = Math.ceil(rows.length / perLine);
  const room = Math.min(900, innerWidth - LABELS_WIDTH);
  const size = { width: Math.max(24, Math.min(110, Math.floor(room / core.results.length))) };
  const names = size.width < NAME_WIDTH ? "div.matrix-names.steep" : "div.matrix-names";
  size.height = Math.max(1, Math.floor(IMAGE_LINES / lines));
  const canvas = el("canvas", {
    width: size.width * core.results.length, height: lines * size.height, role: "img",
    "aria-label": `results of ${plural(rows.length, "simulation")}; the table above has the totals`,
  });
  paintMatrix(canvas, rows, perLine, lines, size);
  listenToMatrix(canvas, rows, perLine, lines);
  const name = (result) => el("span", { style: { width: `${size.width}px` } }, broken(result.name));
  const group = ([title, own]) => el("span", { style: { "flex-grow": own.length }, title }, title);
  const labels = groups.length > 1 && el("div.group-labels", groups.map(group));
  const lead = perLine > 1 ? `A line of the image is ${perLine} simulations. ` : "";
  return [
    totalsTable(groups), el("p.dim", `${lead}A click opens a simulation.`),
    el("div.wide", el("div.matrix-image",
      el(names, core.results.map(name)), el("div.matrix-body", canvas, labels))),
  ];
}

/** Paint a line of the image; where results of some of its simulations are missing, it is mixed. */
function paintMatrix(canvas, rows, perLine, lines, { width, height }) {
  const context = canvas.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const [good, missing] = ["--good", "--missing"].map((name) => style.getPropertyValue(name));
  const paint = (colour, share, k, line) => {
    context.globalAlpha = share;
    context.fillStyle = colour;
    context.fillRect(k * width + 1, line * height, width - 2, height);
  };
  core.results.forEach((result, k) => {
    for (let line = 0; line < lines; line += 1) {
      const own = rows.slice(line * perLine, (line + 1) * perLine);
      const [there, expected] = countStates(result, own);
      if (there < expected) paint(missing, 1, k, line);
      if (there) paint(good, there / expected, k, line);
    }
  });
}

function listenToMatrix(canvas, rows, perLine, lines) {
  const share = (place, size) => Math.min(0.999999, Math.max(0, place / size));
  const rowAt = (event) =>
    rows[Math.floor(share(event.offsetY, canvas.clientHeight) * lines) * perLine];
  canvas.addEventListener("click", (event) => openSimulation(rowAt(event)));
  canvas.addEventListener("mouseleave", hideTip);
  canvas.addEventListener("mousemove", (event) => {
    const row = rowAt(event);
    const k = Math.floor(share(event.offsetX, canvas.clientWidth) * core.results.length);
    const { name, states } = core.results[k];
    const [, result] = MARKS[states[row]] ?? ["", "not expected"];
    const status = columns.status(row);
    const own = [["simulation", nameOf(row)], ["hash", shortHash(row)], ["status", status]];
    showTip(event, [...own, [name, result]]);
  });
}

function totalsTable(groups) {
  const results = matrixColumns().filter((column) => column.total);
  const heads = ["group", el("th.number", { scope: "col" }, "simulations"),
    ...results.map((column) => el("th.mark", { scope: "col" }, column.title))];
  const line = ([title, rows]) => el("tr",
    el("th", { scope: "row" }, title || "all"), el("td.number", grouped(rows.length)),
    results.map((column) => el("td.mark", column.total(rows))));
  const lines = groups.slice(0, MAX_TOTALS).map(line);
  return el("div.wide", plainTable(heads, lines, "table.plain.totals"));
}
