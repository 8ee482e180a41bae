// Simulations: the table of all, and the page of one.

const MAX_FIELD_COLUMNS = 8;
const MAX_STATISTIC_COLUMNS = 8;
const AMOUNTS = ["count", "fraction", "concentration"];

const openSimulation = (row) => {
  location.hash = `#simulations/${columns.hash(row)}`;
};

function simulations() {
  const shown = simulationColumns();
  const rows = sortedRows(shown);
  const resort = (sort) => {
    state.sort = sort;
    refresh();
  };
  const table = { label: "simulations", columns: shown, items: rows, open: openSimulation };
  const nothing = el("p.empty", "No simulation passes the filter.");
  return [
    heading("Simulations", el("button", { click: () => saveTable(shown, rows) }, "Table as CSV")),
    rows.length ? virtualTable({ ...table, sort: state.sort, resort }) : nothing,
  ];
}

function sortedRows(shown) {
  const column = shown.find((candidate) => candidate.key === state.sort.key);
  return column ? sorted(state.rows, column.of, state.sort.down) : state.rows;
}

function saveTable(shown, rows) {
  const value = (column, row) => (column.key === "status" ? columns.status(row) : column.of(row));
  const others = shown.filter((column) => column.key !== "hash");
  const line = (row) => [columns.hash(row), ...others.map((column) => value(column, row))];
  const head = ["hash", ...others.map((column) => column.title)];
  save("simulations.csv", toCsv([head, ...rows.map(line)]), "text/csv");
}

/** Return the columns of the table; hash comes last, and counts stand in the composition. */
function simulationColumns() {
  const inComposition = (field) => columns.composition && field.path.endsWith(".count");
  const varying = varyingFields().filter((field) => !inComposition(field));
  const composition = (row) => el("span", colourDot(row), linkTo(row, compositionText(row)));
  const status = (row) => statusNode(columns.status(row));
  const results = (row) => countResults(row)[0];
  return [
    { key: "composition", title: "composition", of: (row) => columns.composition?.(row),
      cell: composition },
    { key: "status", title: "status", of: statusRank, cell: status },
    ...varying.slice(0, MAX_FIELD_COLUMNS).map(fieldColumn),
    ...core.analyses.flatMap(statisticColumn).slice(0, MAX_STATISTIC_COLUMNS),
    { key: "results", title: "results", numeric: true, of: results, cell: resultsCell },
    { key: "hash", title: "hash", of: columns.hash, cell: shortHash, class: "hash" },
  ];
}

function fieldColumn({ path, label, kind, of }) {
  const cell = (row) => formatValue(of(row));
  return { key: path, title: label, hint: path, numeric: kind === "number", of, cell };
}

/** Return the column of the first statistic of an analysis, if there is one. */
function statisticColumn(analysis) {
  const [view] = analysis.views;
  if (!view) return [];
  const [figure, error] = figureOf(view);
  const panel = firstPanel(view);
  const isOwn = (entry) => shows(panel, entry) && isNumber(entry[figure]);
  const own = allStatistics(analysis).filter(isOwn);
  if (!own.length) return [];
  const entries = new Map(own.map((entry) => [entry.simulation, entry]));
  const title = columnTitle(analysis, panel, figure);
  const lacking = `${analysis.name} of this simulation has no such value`;
  const cell = (row) => {
    const entry = entries.get(row);
    if (!entry) return hasResult(analysis, row) ? el("span.dim", { title: lacking }, "–") : "";
    return formatWithError(entry[figure], error === "error" ? entry.error : null);
  };
  return [{
    key: `statistic ${analysis.name}`, hint: `${words(figure)}: ${title}, of ${analysis.name}`, title,
    numeric: true, of: (row) => entries.get(row)?.[figure] ?? null, cell,
  }];
}

/** Return a statistic in words: with its group, and its analysis unless they share a word. */
function columnTitle(analysis, panel, figure) {
  const quantity = analysis.quantities[panel.quantity];
  const bare = bareTitle(quantity);
  const name = words(analysis.name).replace(/ timeseries$/, "");
  const own = new Set(name.toLowerCase().split(" "));
  const isClear = bare.toLowerCase().split(" ").some((word) => own.has(word));
  const group = analysis.groups.length ? ` of ${groupText(analysis, panel.group)}` : "";
  const unit = quantity.unit ? ` (${quantity.unit})` : "";
  const lead = figure === "mean" ? "" : `${words(figure)} of `;
  return `${isClear ? "" : `${name}: `}${lead}${bare}${group}${unit}`;
}

function resultsCell(row) {
  const [there, expected] = countResults(row);
  return expected ? el("span", { class: there < expected && "short" }, `${there}/${expected}`) : "";
}

// The page of one simulation

function simulationPage(text) {
  const row = findSimulation(text);
  if (row === undefined) return null;
  const molecules = later((node) => drawMolecules(node, row));
  const left = [factsCard(row), card("Molecules", molecules), recordsCard(row)];
  const there = core.analyses.filter((analysis) => hasResult(analysis, row));
  const drawn = there.filter(hasCurves);
  const others = there.filter((analysis) => !hasCurves(analysis));
  const more = drawn.length - ANALYSES_SHOWN;
  const same = el("summary", `${plural(core.simulations.same.length, "field")}, the same in all`);
  const right = [inputCard(row), card("Input that is the same", el("details", same, sameFacts()))];
  return [
    heading(nameOf(row), statusNode(columns.status(row)), neighbours(row)),
    el("div.columns", el("div", left), el("div", right)),
    el("div.cards", drawn.slice(0, ANALYSES_SHOWN).map((analysis) => ownCard(analysis, row))),
    more > 0 && el("p.dim", `${plural(more, "more plot")}: see the analyses`),
    others.length > 0 && undrawnCard(others, row),
    later((node) => drawArtifacts(node, row)),
  ];
}

function neighbours(row) {
  const place = state.rows.indexOf(row);
  const link = (step, text) => {
    const other = place < 0 ? undefined : state.rows[place + step];
    return other !== undefined && linkTo(other, text);
  };
  const all = el("a", { href: "#simulations" }, "all simulations");
  const links = [link(-1, "← previous"), link(1, "next →"), all];
  return el("nav.steps", { "aria-label": "neighbours" }, links);
}

function factsCard(row) {
  return card("Simulation", facts([
    ["hash", el("span.hash", columns.hash(row))],
    ["type", columns.simulation_type?.(row)],
    ["progress", progressOf(row)],
    ["folder", folderOf(row)],
    ["recorded", columns.timestamp_utc?.(row)],
    ["tags", tagsOf(row).map((pair) => pair.join(" = ")).join(", ")],
  ]));
}

function inputCard(row) {
  const own = varyingFields().filter((field) => field.of(row) !== null);
  const line = (field) => el("tr", el("th", { scope: "row", title: field.path }, field.label),
    el("td", el("b", formatValue(field.of(row)))), dimCell("all: ", rangeText(field, allRows())));
  return card("Input that varies", plainTable([], own.map(line), "table.plain.varying"));
}

function recordsCard(row) {
  const line = (result) => {
    const isThere = result.states[row] === "x";
    const mark = isThere ? el("span.there", "✓") : el("span.short", "missing");
    const name = result.item === "analysis" ? analysisLink(result.name) : result.name;
    const time = result.time(row) ?? "";
    return el("tr", el("td", mark), el("td", name), dimCell(result.item), dimCell(time));
  };
  const expected = core.results.filter((result) => result.states[row] !== " ");
  const nothing = el("p.dim", "No results are expected yet.");
  return card("Records", expected.length ? plainTable([], expected.map(line)) : nothing);
}

function hasResult(analysis, row) {
  const isOwn = ({ item, name }) => item === "analysis" && name === analysis.name;
  return core.results.find(isOwn)?.states[row] === "x";
}

function hasCurves(analysis) {
  const leaves = analysis.views.length ? leavesOf(analysis.views[0].specification) : [];
  return leaves.some(({ part }) => part === "curves" || part === "cells");
}

/** Return the analyses of a simulation that have no curves: their statistics, or what they are. */
function undrawnCard(analyses, row) {
  const others = ({ quantities: { length } }) => (length > 1 ? ` 1 of ${length} quantities.` : "");
  const text = (analysis) => {
    const statistic = ownStatistic(analysis, row);
    return statistic ? statistic + others(analysis) : analysis.reason || KINDS[analysis.kind];
  };
  const line = (analysis) => tableRow(analysisLink(analysis.name), text(analysis));
  return card("Analyses without curves", plainTable([], analyses.slice(0, ANALYSES_SHOWN).map(line)));
}

function ownCard(analysis, row) {
  const settings = { parts: ["curves", "cells"], own: row, height: 200 };
  return card(analysisLink(analysis.name), el("p.finding", ownStatistic(analysis, row)),
    plotNode(analysis, analysis.views[0], settings));
}

/** Return a node that a function fills when the data that it needs have been read. */
function later(fillNode) {
  const node = el("div");
  fillNode(node);
  return node;
}

async function drawMolecules(node, row) {
  const data = await blob("molecules");
  const figures = (molecules.of(row) ?? []).map((kind) => {
    const [path, name, smiles] = molecules.kinds[kind];
    const picture = data?.of[kind] ?? -1;
    const image = { src: data?.pictures[picture], alt: `structure of ${name}` };
    const text = [amountText(row, molecules.paths[path][1]), smiles && el("code", smiles)];
    const caption = el("figcaption", el("b", name), text);
    return el("figure", picture >= 0 && el("img.molecule", image), caption);
  });
  const nothing = el("p.dim", columns.composition?.(row) || "No molecules are recorded.");
  node.replaceChildren(figures.length ? el("div.molecules", figures) : nothing);
}

/** Return the amounts of a molecule in words. */
function amountText(row, path) {
  const amounts = AMOUNTS.map((name) => [name, valueReader(`${path}.${name}`)(row)]);
  const there = amounts.filter(([, value]) => !isMissing(value));
  return there.map(([name, value]) => `${name} ${formatValue(value)}`).join(", ");
}
