// Analyses: a card of each, and the page of one.

const KINDS = {
  timeseries: "time series", profile: "profile", map: "map", population: "population",
  bars: "values of groups", scalars: "values", chemistry: "molecules", table: "table",
  empty: "no rows",
};
const ANALYSES_SHOWN = 60; // at once
const MAX_CARD_ROWS = 8;
const MAX_PAGE_ROWS = 500;
const MAX_OTHERS = 24; // plots of other quantities on the page of an analysis
const CARD_HEIGHT = 220;
const PAGE_HEIGHT = 320;
const SMALL_HEIGHT = 130;

function analyses() {
  if (!core.analyses.length) return [heading("Analyses"), el("p.empty", "There are no analyses.")];
  const total = core.analyses.length;
  const first = state.analysisPage * ANALYSES_SHOWN;
  const shown = core.analyses.slice(first, first + ANALYSES_SHOWN);
  const buttons = () => pageButtons("analysisPage", first, total, ANALYSES_SHOWN);
  const left = core.left_out.filter((text) => text.startsWith("curves"));
  const note = left.length > 0 && el("p.dim", `To keep the page small, ${left.join("; ")}.`);
  return [heading("Analyses"), note, buttons(), el("div.cards", shown.map(analysisCard)), buttons()];
}

function analysisCard(analysis) {
  const [view] = analysis.views;
  const settings = { height: CARD_HEIGHT, first: true, quantities: analysis.quantities.length };
  const plot = view && [
    el("p.finding", finding(analysis)), plotNode(analysis, view, settings),
    el("p.dim.band-note"), fileButtons(analysis, view),
  ];
  const table = analysis.kind === "chemistry" ? moleculesTable : rowsTable;
  const rows = analysis.rows && table(analysis.rows, MAX_CARD_ROWS);
  return card(analysisLink(analysis.name), about(analysis), plot, rows);
}

/** Return what an analysis is, of how many simulations, and what its plot leaves out. */
function about(analysis) {
  const isOwn = ({ item, name }) => item === "analysis" && name === analysis.name;
  const result = core.results.find(isOwn);
  const count = result
    ? `${grouped(result.completed)} of ${plural(result.expected, "simulation")}`
    : plural(analysis.records, "record");
  const { reason, notes = [], caption = [], others = [] } = analysis;
  const said = new Set([reason, ...notes, ...caption, ...others].filter(Boolean));
  return el("p.dim", [KINDS[analysis.kind] ?? analysis.kind, count, ...said].join(" · "));
}

function fileButtons(analysis, view) {
  const button = (text, click) =>
    el("button.small", { "aria-label": `${text} of ${analysis.name}`, click }, text);
  return el("div.files",
    button("SVG", () => savePicture(analysis, view, "svg")),
    button("PNG", () => savePicture(analysis, view, "png")),
    button("specification", () => saveSpecification(analysis, view)),
    button("curves as drawn (CSV)", () => saveCurves(analysis)),
    button("statistics (CSV)", () => saveStatistics(analysis)));
}

function analysisPage(name) {
  const analysis = core.analyses.find((candidate) => candidate.name === name);
  if (!analysis) return null;
  const chosen = state.view[name] ?? 0;
  const view = analysis.views[chosen];
  const select = (k) => {
    state.view[name] = Number(k);
    refresh();
  };
  const titles = analysis.views.map((other, k) => [String(k), viewTitle(analysis, other)]);
  const menu = titles.length > 1
    && el("label", "Quantity ", choice("quantity", [["", titles]], String(chosen), select));
  return [
    heading(name, menu, el("a", { href: "#analyses" }, "all analyses")), about(analysis),
    view && viewCard(analysis, view), view && statisticsCard(analysis),
    analysis.kind === "chemistry" && card(null, moleculesTable(analysis.rows, MAX_PAGE_ROWS)),
    analysis.rows && card(null, rowsTable(analysis.rows, MAX_PAGE_ROWS)),
    otherViews(analysis, chosen, select),
  ];
}

function viewTitle(analysis, view) {
  const titles = panelsOf(view).map((panel) => analysis.quantities[panel.quantity].title);
  return [...new Set(titles)].join(", ");
}

function viewCard(analysis, view) {
  const plot = plotNode(analysis, view, { height: PAGE_HEIGHT });
  const found = el("p.finding", finding(analysis, view));
  return card(null, found, plot, el("p.dim.band-note"), fileButtons(analysis, view));
}

/** Return small plots of the quantities that are not shown. */
function otherViews(analysis, chosen, select) {
  const others = analysis.views.map((view, k) => [view, k]).filter(([, k]) => k !== chosen);
  if (!others.length) return null;
  const partOf = { map: "cells", bars: "bars", scalars: "statistics" };
  const settingsFor = (view) => ({
    parts: [partOf[kindOf(analysis, view)] ?? "curves"], height: SMALL_HEIGHT, first: true,
  });
  const small = ([view, k]) => card(linkButton(viewTitle(analysis, view), () => select(k)),
    plotNode(analysis, view, settingsFor(view)));
  const cards = others.slice(0, MAX_OTHERS).map(small);
  return [el("h2", "Other quantities"), el("div.cards.small-cards", cards)];
}

/** Return the statistics as a table, which is made when it is asked for. */
function statisticsCard(analysis) {
  const title = "Statistics of each simulation as a table";
  return card(null, details(title, () => statisticsTable(analysis)));
}

function statisticsTable(analysis) {
  const shown = statisticColumns(analysis);
  const entries = statisticsShown(analysis);
  const holder = el("div");
  const show = (sort) => {
    const column = shown.find((candidate) => candidate.key === sort.key);
    const items = sorted(entries, column.of, sort.down);
    const label = `statistics of ${analysis.name}`;
    holder.replaceChildren(virtualTable({ label, columns: shown, items, sort, resort: show }));
  };
  show({ key: "colour", down: false });
  const note = "Errors of means are found by blocks. * the run is too short, for its correlations, for "
    + "a sure error.";
  return [holder, el("p.dim", note)];
}

function statisticColumns(analysis) {
  const { field } = colouring();
  const { quantities, groups, statistics } = analysis;
  const of = (entry) => field.of(entry.simulation);
  const group = (entry) => groupText(analysis, entry.group);
  const isNumberField = field.kind === "number";
  const names = STATISTICS.filter((name) =>
    name in statistics && name !== "error" && name !== "levelled");
  const mean = (entry) =>
    `${formatWithError(entry.mean, entry.error)}${entry.levelled === false ? " *" : ""}`;
  return [
    { key: "simulation", title: "simulation", of: (entry) => nameOf(entry.simulation),
      cell: (entry) => linkTo(entry.simulation) },
    { key: "colour", title: field.label, numeric: isNumberField, of,
      cell: (entry) => formatValue(of(entry)) },
    { key: "quantity", title: "quantity", of: (entry) => entry.quantity,
      cell: (entry) => quantities[entry.quantity].title },
    groups.length > 0 && { key: "group", title: groups.join(" · "), of: group, cell: group },
    ...names.map((name) => ({
      key: name, title: name === "mean" ? "mean ± error" : words(name), numeric: true,
      of: (entry) => entry[name],
      cell: name === "mean" ? mean : (entry) => formatValue(entry[name]),
    })),
  ].filter(Boolean);
}

/** Return the different molecules of rows with drawings: texts, ranges of numbers, and counts. */
function moleculesTable({ columns: names, rows }, limit) {
  const own = names.map((_, k) => k).slice(1); // the first is the simulation
  const isText = (k) => rows.some((row) => typeof row[k] === "string");
  const texts = own.filter(isText);
  const groups = [...groupBy(rows, (row) => JSON.stringify(texts.map((k) => row[k]))).values()];
  const cellOf = (group, k) => {
    if (isText(k)) return group[0][k];
    const values = group.map((row) => row[k]).filter(isNumber);
    return values.length ? formatRange(extent(values)) : "";
  };
  const smiles = names.findIndex((name) => name.toLowerCase() === "smiles");
  const line = (group) => tableRow(later((node) => drawSmiles(node, group[0][smiles])),
    ...own.map((k) => cellOf(group, k)), grouped(new Set(group.map(([row]) => row)).size));
  const heads = ["", ...own.map((k) => words(names[k])), "simulations"];
  const more = groups.length > limit && el("p.dim", `${limit} of ${plural(groups.length, "molecule")}`);
  return [el("div.wide", plainTable(heads, groups.slice(0, limit).map(line))), more];
}

async function drawSmiles(node, smiles) {
  const data = await blob("molecules");
  const kind = molecules.kinds.findIndex((other) => other[2] === smiles);
  const source = data?.pictures[data.of[kind]];
  if (source) node.append(el("img.molecule", { src: source, alt: `structure of ${smiles}` }));
}

function rowsTable({ columns: names, rows }, limit) {
  const lines = rows.slice(0, limit).map((row) => tableRow(...row.map(formatValue)));
  const more = rows.length > limit && el("p.dim", `${limit} of ${rows.length} rows`);
  return [el("div.wide", plainTable(names.map(words), lines)), more];
}
