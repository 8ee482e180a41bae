// Analyses: their statistics, and the settings of their plots.

const STATISTICS = [
  "mean", "deviation", "error", "levelled", "last", "minimum", "maximum", "drift",
  "maximum_at", "first_minimum", "first_minimum_at", "integral",
];
const MAX_ERROR_BARS = 120;
const MAX_SPREADS = 3; // curves of a panel that have bands: more would be a solid block
const MAX_MAPS = 6;

const kindOf = (analysis, view) => view?.kind ?? analysis.kind;
const figureOf = (view) => [view?.figure ?? "mean", view?.error ?? ""];
const panelsOf = (view) => view.panels ?? [{ quantity: view.quantity, group: 0 }];
const groupText = (analysis, group) => shownText(analysis.group_texts?.[group] ?? "all");

/** Return the values of a group with the names of their columns. */
function groupName(analysis, group) {
  const values = analysis.group_values[group] ?? [];
  return values.map((value, k) => `${words(analysis.groups[k])} ${value}`).join(", ");
}

/** Return the group that a sentence is about, and that there are others; empty without groups. */
function groupNote(analysis, group) {
  if (!analysis.groups.length) return "";
  const count = analysis.group_texts.length;
  return ` (${groupText(analysis, group)}${count > 1 ? `, 1 of ${count} groups` : ""})`;
}

/** Return the title of a quantity without its unit. */
function bareTitle({ title, unit }) {
  return unit ? title.replace(` (${unit})`, "") : title;
}

/** Return the statistics of an analysis, an object for each simulation, quantity and group. */
function allStatistics(analysis) {
  const lists = Object.entries(analysis.statistics ?? {});
  const count = analysis.statistics?.simulation?.length ?? 0;
  analysis.entries ??= Array.from({ length: count }, (_, k) =>
    Object.fromEntries(lists.map(([name, values]) => [name, values[k]])));
  return analysis.entries;
}

/** Return the statistics of the simulations that pass the filter; of a panel, if one is given. */
function statisticsShown(analysis, panel = null) {
  const chosen = chosenRows();
  return allStatistics(analysis).filter((entry) =>
    chosen.has(entry.simulation) && (!panel || shows(panel, entry)));
}

/** Return how the rows of a plot are coloured: by the field of the page, or by groups. */
function paintOf(analysis, view) {
  if (view.by_group) return { kind: "category", of: (_, group) => groupText(analysis, group) };
  const { isNumber: hasNumbers, field, nameOf: of } = colouring();
  return { kind: hasNumbers ? "number" : "category", of: (row) => of(field.of(row)) };
}

/** Return the settings of a view that `fill` needs; of maps, for the own one or for several. */
function settingsOf(analysis, view, own) {
  const [figure, error] = figureOf(view);
  const kind = kindOf(analysis, view);
  const panels = kind === "map" ? mapPanels(analysis, panelsOf(view)[0], own) : panelsOf(view);
  return {
    kind, figure, error, panels, x_type: analysis.x?.type ?? "quantitative",
    x_factor: analysis.x?.scale ?? 1, bar_groups: view.bar_groups ?? null,
    groupText: (group) => groupText(analysis, group),
  };
}

/** Return a panel for each of some simulations, spread over the values of the colour. */
function mapPanels(analysis, panel, own) {
  if (own !== undefined) return [{ ...panel, row: own, title: "" }];
  const { field } = colouring();
  const all = statisticsShown(analysis, panel).map((entry) => entry.simulation);
  const rows = sorted(all, field.of);
  const count = Math.min(rows.length, MAX_MAPS);
  const step = (rows.length - 1) / Math.max(count - 1, 1);
  return Array.from({ length: count }, (_, k) => {
    const row = rows[Math.round(k * step)];
    const title = `${field.label} ${formatValue(field.of(row))}, ${shortHash(row)}`;
    return { ...panel, row, title };
  });
}

/** Return the simulations of a view, with their statistics and the curves that panels show. */
async function membersOf(analysis, settings, rows) {
  const data = await curvesOf(analysis);
  const members = new Map(rows.map((row) => {
    const text = columns.composition?.(row) ?? "";
    return [row, { row, name: shortHash(row), text, curves: [], statistics: [] }];
  }));
  const mapped = new Set(settings.panels.map((panel) => panel.row));
  for (const entry of data?.entries ?? []) {
    const isDrawn = settings.kind !== "map" || mapped.has(entry.simulation);
    if (!isDrawn || !settings.panels.some((panel) => shows(panel, entry))) continue;
    const { quantity, group } = entry;
    members.get(entry.simulation)?.curves.push({ quantity, group, ...data.decode(entry) });
  }
  for (const entry of allStatistics(analysis)) {
    members.get(entry.simulation)?.statistics.push(entry);
  }
  const isMember = (member) => member.curves.length || member.statistics.length;
  return [...members.values()].filter(isMember);
}

/** Return the promise of the curves of an analysis; of null if the page has none. */
function curvesOf(analysis) {
  return blob(`analysis-${core.analyses.indexOf(analysis)}`, decodeCurves);
}

/** Return the promise of the filled data of a view, made once for a filter and a colour. */
function filled(analysis, view) {
  if (!state.filled.has(view)) state.filled.set(view, fillView(analysis, view));
  return state.filled.get(view);
}

async function fillView(analysis, view) {
  const settings = settingsOf(analysis, view);
  const members = await membersOf(analysis, settings, state.rows);
  settings.has_many = members.length > MAX_ERROR_BARS;
  const curves = view.by_group ? analysis.group_texts.length : members.length;
  settings.has_spread = curves <= MAX_SPREADS;
  const rows = fill(settings, members, paintOf(analysis, view));
  return { settings, rows: { ...rows, ...await bandsOfAll(analysis, view) } };
}

/** Return the bands of all simulations, if the page has curves of a sample only. */
async function bandsOfAll(analysis, view) {
  const data = await curvesOf(analysis);
  const isWhole = state.rows.length === rowCount && state.colour === core.colour;
  const bands = data?.sample && isWhole && data.bands?.[analysis.views.indexOf(view)];
  return bands ? { curves: [], far: [], ...bands } : {};
}

/** Return how the statistic of an analysis depends on the colour, and how sure it is, in words. */
function finding(analysis, view = analysis.views[0]) {
  const [figure, error] = figureOf(view);
  const panel = firstPanel(view);
  const all = statisticsShown(analysis, panel);
  const entries = all.filter((entry) => isNumber(entry[figure]));
  if (!entries.length) return "No statistics of the simulations chosen.";
  const { unit } = analysis.quantities[panel.quantity];
  const group = groupNote(analysis, panel.group);
  const range = withUnit(formatRange(extent(entries.map((entry) => entry[figure]))), unit);
  const name = figureText(analysis, view, panel);
  const first = `${name}${group}: ${range} in ${plural(entries.length, "simulation")}.`;
  const errors = error === "error" && errorText(entries, unit, isRecorded(analysis, view));
  return [first, errors, trendText(entries, figure, error === "error")].filter(Boolean).join(" ");
}

const withUnit = (text, unit) => (unit ? `${text} ${unit}` : text);
const isRecorded = (analysis, view) => ["bars", "scalars"].includes(kindOf(analysis, view));

/** Return the first panel of a view; of one that shows all groups, the first group. */
function firstPanel(view) {
  const [panel] = panelsOf(view);
  return { ...panel, group: panel.group ?? 0 };
}

/** Return the statistic of a quantity, which begins a sentence; a recorded value has its own name. */
function figureText(analysis, view, panel) {
  const title = bareTitle(analysis.quantities[panel.quantity]);
  const [figure] = figureOf(view);
  if (isRecorded(analysis, view)) return title;
  return figure === "mean" ? `Mean ${title}` : `${capital(words(figure))} of ${title}`;
}

function errorText(entries, unit, recorded) {
  const errors = entries.map((entry) => entry.error).filter(isNumber).sort(ascending);
  if (!errors.length) return "";
  const [usual, worst] = [quantile(errors, 0.5), errors.at(-1)]
    .map((value) => formatValue(Number(value.toPrecision(2))));
  const size = withUnit(usual === worst ? usual : `${usual} in the median, at most ${worst}`, unit);
  if (recorded) return `Error as recorded: ${size}.`;
  const open = entries.filter((entry) => entry.levelled === false).length;
  const mark = entries.length > MAX_ERROR_BARS ? "" : " (open symbols)";
  const short = `${open === 1 ? "1 run is" : `${grouped(open)} runs are`} too short for a sure error`;
  return `Error of the mean by blocks: ${size}.${open ? ` ${short}${mark}.` : ""}`;
}

/** Return whether a statistic depends on the colour, in words; empty of too few simulations. */
function trendText(entries, figure, hasErrors) {
  const { isNumber: hasNumbers, field } = colouring();
  if (!hasNumbers) return "";
  const own = entries.filter((entry) => field.of(entry.simulation) !== null);
  const errors = hasErrors ? own.map((entry) => entry.error).filter(isNumber) : [];
  const trend = trendOf(own.map((entry) => [field.of(entry.simulation), entry[figure]]), errors);
  if (!trend) return "";
  const rank = `rank correlation ${withMinus(trend.rank.toFixed(2))}`;
  if (!trend.isSure) return `No clear trend with ${field.label} (${rank}).`;
  const how = trend.rank > 0 ? "rises" : "falls";
  return trend.isLarge ? `It ${how} with ${field.label} (${rank}, p < ${MAX_CHANCE}).`
    : `No clear trend with ${field.label}: the change is within the error bars (${rank}).`;
}

/** Return the statistic of one simulation with its error, in words. */
function ownStatistic(analysis, row) {
  const [view] = analysis.views;
  if (!view) return "";
  const [figure, error] = figureOf(view);
  const panel = firstPanel(view);
  const all = allStatistics(analysis).filter((one) =>
    one.simulation === row && one.quantity === panel.quantity && isNumber(one[figure]));
  const entry = all.find((one) => shows(panel, one)) ?? all[0];
  if (!entry) return ["No statistic of this simulation", ...analysis.others].join("; ");
  const value = formatWithError(entry[figure], error === "error" ? entry.error : null);
  const isOpen = error === "error" && entry.levelled === false;
  const level = isOpen ? "; the run is too short for a sure error" : "";
  const group = groupNote(analysis, entry.group);
  const text = withUnit(value, analysis.quantities[panel.quantity].unit);
  return `${figureText(analysis, view, panel)}${group}: ${text}${level}.`;
}
