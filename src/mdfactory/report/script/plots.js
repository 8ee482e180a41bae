// Plots: specifications of Vega-Lite, drawn one by one when they come near.

const EMBED = {
  mode: "vega-lite", ast: true, renderer: "canvas", actions: false, defaultStyle: false,
  logLevel: 1, // errors
};
const PARTS = ["curves", "cells", "bars", "statistics"]; // named data -> part of a specification
const CURVE_DATA = ["curves", "far", "bands"];
const GROUP_LEGEND = { symbolType: "stroke", symbolStrokeWidth: 3, columns: 2, labelLimit: 90 };
const PADDING = { left: 2, top: 2, right: 12, bottom: 2 }; // the last label may be longer
const MAP_WIDTH = 340;
const MAP_AXIS = 84; // pixels for the vertical axis of a map
const MAP_LEGEND = { orient: "bottom", direction: "horizontal", gradientThickness: 10 };
const FIELD_TICKS = 5; // of the axis of a field: its numbers may be long
const MAX_OWN_PANELS = 3; // on the page of a simulation
const OWN = { light: ["#c3c8ce", "#d1495b"], dark: ["#5a626b", "#ffb454"] }; // others, own

let engine = null;

/** Return the promise of the function that embeds plots; Vega starts when a plot is wanted. */
function vega() {
  engine ??= inflate("vega").then((bytes) => {
    document.head.append(el("script", new TextDecoder().decode(bytes)));
    return window.vegaEmbed;
  });
  return engine;
}

// Parts of specifications

/** Return the single plots of a specification: part, panel and specification of each. */
function leavesOf(specification) {
  const children = specification.concat ?? specification.vconcat ?? specification.hconcat;
  if (children) return children.flatMap(leavesOf);
  const text = JSON.stringify(specification);
  const part = PARTS.find((name) => text.includes(`"name":"${name}"`)) ?? "text";
  const panel = Number(/datum\.panel === (\d+)/.exec(text)?.[1] ?? 0);
  return [{ part, panel, specification }];
}

/** Return the leaf of the first map again for each simulation whose map is shown. */
function mapLeaves(analysis, view, leaves, own) {
  const first = leaves.find((leaf) => leaf.part === "cells");
  const text = JSON.stringify(first.specification);
  const copies = settingsOf(analysis, view, own).panels.map(({ title }, panel) => {
    const copy = JSON.parse(text.replace(/datum\.panel === \d+/g, `datum.panel === ${panel}`));
    const { subtitle, ...own } = { fontSize: 12, fontWeight: "normal", ...copy.title };
    return { ...first, panel, specification: { ...copy, title: { ...own, text: plain(title) } } };
  });
  return [...copies, ...leaves.filter((leaf) => leaf.part !== "cells")];
}

/** Return a text without the characters that end a text in expressions of Vega. */
function plain(text) {
  return text.replace(/["'`\\]/g, "’");
}

/** Return a part of a specification, with each encoding changed by a function. */
function mapEncodings(part, change) {
  if (Array.isArray(part)) return part.map((child) => mapEncodings(child, change));
  if (part === null || typeof part !== "object") return part;
  return Object.fromEntries(Object.entries(part).map(([name, child]) =>
    [name, name === "encoding" ? change(child) : mapEncodings(child, change)]));
}

/** Return the axis of the field of the colour: over the simulations that pass the filter, with
 * labels that are written as those of the other axis.
 */
function fieldAxis(encoding) {
  const { isNumber: hasNumbers, field, domain } = colouring();
  const own = { field: "value", title: plain(field.label) };
  if (!hasNumbers) return { ...own, type: "nominal", axis: { labelAngle: -35 }, sort: domain };
  const { labelExpr } = encoding.y?.axis ?? {};
  const axis = { tickCount: FIELD_TICKS, labelExpr };
  const shown = extent(valuesOf(field, state.rows));
  const [low, high] = shown[0] < shown[1] ? shown : domain;
  const scale = { domain: low < high ? [low, high] : [low - 1, low + 1], nice: false, padding: 12 };
  return { ...own, type: "quantitative", axis, scale };
}

/** Return a specification in the colours of the page; its axis of the field is changed, too. */
function recoloured(specification, hasLegend) {
  const { isNumber: hasNumbers, field, domain, of } = colouring();
  const type = hasNumbers ? "quantitative" : "nominal";
  const title = plain(field.label);
  const { scheme, extent: part } = (hasLegend ? themes.light : theme()).range.ramp;
  const scale = hasNumbers
    ? { scheme: { name: scheme, extent: part }, domain } : { domain, range: domain.map(of) };
  const condition = { test: "datum.colour === null", value: NO_COLOUR };
  const isColour = (colour) => colour && (colour.field === "colour" || "value" in colour);
  return mapEncodings(specification, (encoding) => {
    const { color, x, tooltip } = encoding;
    const isDefault = field.path === core.colour && color?.legend;
    const hasColour = Array.isArray(tooltip) && color?.field !== "z";
    const legend = hasLegend ? (isDefault ? color.legend : {}) : null;
    return {
      ...encoding,
      ...(isColour(color) && { color: { field: "colour", type, title, scale, legend, condition } }),
      ...(x?.field === "value" && { x: fieldAxis(encoding) }),
      ...(hasColour && { tooltip: withColour(tooltip, title) }),
    };
  });
}

function withColour(tooltip, title) {
  return [...tooltip.filter(({ field }) => field !== "colour"), { field: "colour", title }];
}

/** Return a plot of groups: curves have a legend below them, statistics the names on their axis. */
function withLegend({ part, specification }) {
  const below = { ...GROUP_LEGEND, orient: "bottom", title: null };
  return mapEncodings(specification, (encoding) => (encoding.color?.field !== "colour" ? encoding
    : { ...encoding, color: { ...encoding.color, legend: part === "curves" ? below : null } }));
}

/** Return a plot of curves in grey, with one more layer for the curves of one simulation. */
function withOwn(specification) {
  const [grey, accent] = OWN[dark.matches ? "dark" : "light"];
  const layers = mapEncodings(specification.layer, (encoding) =>
    ({ ...encoding, color: { value: grey }, tooltip: null })).map((layer) =>
    ({ ...layer, mark: { ...layer.mark, opacity: layer.mark.type === "area" ? 0.3 : 0.8 } }));
  const last = layers.at(-1);
  const mark = { ...last.mark, strokeWidth: 2.2, opacity: 1 };
  const encoding = { ...last.encoding, color: { value: accent } };
  const strong = { ...last, data: { name: "own" }, mark, encoding };
  return { ...specification, layer: [...layers, strong] };
}

/** Return a specification whose quantity has a given range. */
function withDomain(specification, domain) {
  return mapEncodings(specification, (encoding) => {
    if (encoding.y?.type !== "quantitative") return encoding;
    return { ...encoding, y: { ...encoding.y, scale: { ...encoding.y.scale, domain } } };
  });
}

/** Return a map whose colours have a given range, as those of the maps beside it. */
function withRange(specification, domain) {
  const ranged = (channel) => ({ ...channel, scale: { ...channel.scale, domain } });
  return mapEncodings(specification, (encoding) => ({
    ...encoding,
    ...(encoding.color && { color: ranged(encoding.color) }),
    ...(encoding.stroke && { stroke: ranged(encoding.stroke) }),
  }));
}

/** Return a map with the legend of its colours below it: beside it, it would be cut. */
function withLegendBelow(specification, width) {
  const below = { ...MAP_LEGEND, gradientLength: width };
  return mapEncodings(specification, (encoding) => (encoding.color?.field !== "z" ? encoding
    : { ...encoding, color: { ...encoding.color, legend: below } }));
}

/** Return the range of the values of plots that share an axis. */
function commonDomain(rows) {
  const values = rows.flatMap((row) => [row.y, row.low, row.high]).flat().filter(isNumber);
  if (!values.length) return null;
  const [least, most] = extent(values);
  const margin = (most - least || Math.abs(most) || 1) * 0.04;
  return [least - margin, most + margin];
}

/** Return the specification of a single plot: its data, in the colours and width of the page. */
function prepared(leaf, view, rows, { height, own, domain, room }) {
  const names = leaf.part === "curves" ? CURVE_DATA : [leaf.part];
  if (own !== undefined && leaf.part === "curves") names.push("own");
  const ofPanel = (name) => (rows[name] ?? []).filter((row) => row.panel === leaf.panel);
  const datasets = Object.fromEntries(names.map((name) => [name, ofPanel(name)]));
  let part = view.by_group ? withLegend(leaf) : recoloured(leaf.specification, false);
  if (own !== undefined && leaf.part === "curves") part = withOwn(part);
  if (domain) part = leaf.part === "cells" ? withRange(part, domain) : withDomain(part, domain);
  const hasData = ({ data }) => !data?.name || datasets[data.name]?.length;
  if (part.layer) part = { ...part, layer: part.layer.filter(hasData) };
  if (leaf.specification === view.specification) part = { ...part, title: null };
  const size = leaf.part === "cells" ? mapSize(leaf.specification, room) : {
    width: "container", height: heightOf(leaf, datasets, height),
    autosize: { type: "fit-x", contains: "padding" },
  };
  if (leaf.part === "cells") part = withLegendBelow(part, size.width);
  return {
    $schema: view.specification.$schema, ...part, ...size, datasets,
    config: { ...theme(), background: null, padding: PADDING },
  };
}

/** Return the size of a map that leaves place for its axis. */
function mapSize({ width, height }, room) {
  const share = Math.min(1, MAP_WIDTH / width, Math.max(100, room - MAP_AXIS) / width);
  return { width: Math.round(width * share), height: Math.round(height * share) };
}

/** Return the height of a plot: that of its place, its own, or so much for each bar. */
function heightOf({ part, specification }, datasets, height) {
  if (part === "curves" || part === "statistics") return height ?? specification.height;
  if (part !== "bars") return specification.height;
  const groups = new Set(datasets.bars.map((row) => row.group)).size;
  return Math.max(2, groups) * (specification.height?.step ?? 30);
}

// Drawing

const drawers = new WeakMap(); // node -> function that draws it
let embedded = [];
let queue = Promise.resolve();
let generation = 0; // of the section: what an earlier one wanted is not drawn

const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    enqueue(target);
  }
}, { rootMargin: "400px" });

/** Draw plots one after the other, so that the page answers between them. */
function enqueue(node) {
  const own = generation;
  const pause = () => new Promise((go) => { setTimeout(go, 0); });
  const fail = (error) => node.replaceChildren(
    el("p.dim", `This plot could not be drawn: ${error.message}`));
  const run = () => (own === generation ? drawers.get(node)() : null);
  queue = queue.then(run).catch(fail).then(pause);
}

/** Let go of the plots of a section. */
function forgetPlots() {
  generation += 1;
  near.disconnect();
  for (const result of embedded) result.finalize();
  embedded = [];
  state.filled = new Map();
  hideTip();
}

/** Return a node with the plots of a view, each drawn when it comes near, below what they leave out.
 *
 * parts: which ones; first: one of each part only; own: the simulation whose curves are strong;
 * quantities: how many there are, if those of other views are left out, too.
 */
function plotNode(analysis, view, { parts = null, height, own, first = false, quantities } = {}) {
  let leaves = leavesOf(view.specification);
  if (kindOf(analysis, view) === "map") leaves = mapLeaves(analysis, view, leaves, own);
  if (parts) leaves = leaves.filter((leaf) => parts.includes(leaf.part));
  const most = own === undefined ? leaves.length : MAX_OWN_PANELS;
  const byPart = groupBy(leaves.slice(0, most), (leaf) => leaf.part);
  if (first) byPart.forEach((list) => list.splice(1));
  const rows = [...byPart.values()];
  const note = el("p.dim", leftOut(analysis, view, leaves, rows.flat(), quantities));
  const nodeOf = (leaf) => {
    const quantity = analysis.quantities[view.quantity]?.title ?? "";
    const what = leaf.part === "statistics" ? "statistic of each simulation" : leaf.part;
    const isFree = leaf.part === "curves" || leaf.part === "statistics";
    const style = isFree ? { "min-height": `${(height ?? 200) + 40}px` } : {};
    const label = `${what} of ${analysis.name}: ${quantity}`;
    const node = el("div.plot", { role: "img", "aria-label": label, style });
    const siblings = byPart.get(leaf.part).length;
    drawers.set(node, () => draw(node, analysis, leaf, view, { height, own, siblings }));
    near.observe(node);
    return node;
  };
  if (rows.length === 2 && rows.every((row) => row.length === 1)) {
    return [note, el("div.plots.plots-pair", rows.flat().map(nodeOf))];
  }
  const kind = (row) => (row[0].part === "cells" ? "maps" : Math.min(row.length, 4));
  return [note, rows.map((row) => el(`div.plots.plots-${kind(row)}`, row.map(nodeOf)))];
}

/** Return how much of a view is drawn, and what, in words; empty if it is all of it. */
function leftOut(analysis, view, leaves, drawn, quantities) {
  const isMap = kindOf(analysis, view) === "map";
  const both = (nameOf) => [leaves, drawn].map((list) =>
    new Set(list.map((leaf) => nameOf(panelsOf(view)[isMap ? 0 : leaf.panel]))));
  const part = (shown, total, noun) =>
    `${shown.size} of ${total} ${noun} (${[...shown].join("; ")})`;
  const [all, shown] = both(({ quantity }) => bareTitle(analysis.quantities[quantity]));
  const [allGroups, groups] = both(({ group }) => groupName(analysis, group));
  const total = quantities ?? all.size;
  const texts = [
    shown.size < total && part(shown, total, "quantities"),
    groups.size < allGroups.size && part(groups, analysis.group_texts.length, "groups"),
    isMap && drawn.length < leaves.length && `${drawn.length} of ${leaves.length} maps`,
  ].filter(Boolean);
  return texts.length > 0 && `${texts.join(", ")} shown`;
}

async function draw(node, analysis, leaf, view, { height, own, siblings }) {
  const mine = generation;
  const embed = await vega();
  const data = await filled(analysis, view);
  const rows = own === undefined ? data.rows : await rowsWithOwn(analysis, view, data, own);
  if (mine !== generation) return;
  const names = leaf.part === "curves" ? [...CURVE_DATA, "own"] : [leaf.part];
  const drawn = names.flatMap((name) => rows[name] ?? []);
  if (!drawn.length && leaf.part !== "text") {
    node.replaceChildren(el("p.dim", "Nothing to draw of the simulations chosen."));
    return;
  }
  const shares = siblings > 1 && sharesAxis(analysis, view);
  const values = leaf.part === "cells" ? extent(drawn.map((row) => row.z)) : commonDomain(drawn);
  const tooltip = (_, event, item, value) => showTip(event, value);
  const settings = { height, own, domain: shares ? values : null, room: node.clientWidth };
  const specification = prepared(leaf, view, rows, settings);
  const result = await embed(node, specification, { ...EMBED, tooltip });
  if (mine !== generation) {
    result.finalize();
    return;
  }
  embedded.push(result);
  node.dataset.drawn = "";
  if (leaf.part === "curves" && own === undefined) noteBands(node, rows);
  result.view.addEventListener("click", (_, item) => {
    if (Number.isInteger(item?.datum?.row)) openSimulation(item.datum.row);
  });
}

/** Say below the plots of a card what their bands mean, if they have any. */
function noteBands(node, rows) {
  const note = node.closest(".card")?.querySelector(".band-note");
  if (!note || !rows.bands.length) return;
  const bins = new Set(rows.bands.map((row) => row.bin)).size;
  const field = bins > 1 ? ` in ${bins} bins of ${colouring().field.label}` : "";
  const far = rows.far.length ? "; thin lines: the farthest curves" : "";
  note.textContent = `Bands: median and 5 to 95 % of the simulations${field}${far}.`;
}

/** Whether the panels of a view have quantities of one unit. */
function sharesAxis(analysis, view) {
  const units = panelsOf(view).map((panel) => analysis.quantities[panel.quantity].unit);
  return new Set(units).size === 1;
}

/** Return the rows of a view, with those of one simulation, which need not pass the filter. */
async function rowsWithOwn(analysis, view, { settings, rows }, own) {
  const ownSettings = { ...settings, panels: settingsOf(analysis, view, own).panels };
  const members = await membersOf(analysis, ownSettings, [own]);
  const { curves, cells: ownCells } = fill(ownSettings, members, paintOf(analysis, view));
  if (ownCells) return { cells: ownCells };
  return { ...rows, curves: (rows.curves ?? []).filter((row) => row.row !== own), own: curves };
}
