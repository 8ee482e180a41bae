// The overview: what to do next, progress, results, what varies, and the first findings.

const LEVEL_MARKS = { error: "✗", warning: "!", info: "→" };
const MAX_UNDONE = 10;
const MAX_PRINTED_UNDONE = 60;
const RUN_RANKS = ["failed", "silent", "stopped", "running"]; // of what needs a look first
const MAX_RESULTS = 60;
const MAX_FIELDS = 8; // that are listed at once
const MAX_MORE_FIELDS = 60;
const MAX_SAME = 200;
const MAX_KEY_PLOTS = 2;
const MAX_BARS = 24; // of a histogram

const broken = (name) => name.replaceAll("_", "_\u200b"); // may be broken into lines there
const heading = (text, ...rest) => el("div.title-row", el("h1", { tabindex: -1 }, text), rest);
const card = (title, ...content) => el("section.card", title && el("h2", title), content);

function linkTo(row, text = nameOf(row)) {
  return el("a", { href: `#simulations/${columns.hash(row)}` }, text);
}

function analysisLink(name) {
  return el("a", { href: `#analyses/${encodeURIComponent(name)}` }, broken(name));
}

function facts(pairs) {
  const there = pairs.filter(([, value]) => !isMissing(value) && value !== "");
  return el("dl.facts", there.map(([name, value]) => [el("dt", name), el("dd", value)]));
}

/** Return a bar of shares [name, count, colour]. */
function shareBar(parts, total) {
  const label = parts.map(([name, count]) => `${name} ${grouped(count)}`).join(", ");
  const share = (count) => `${(100 * count) / (total || 1)}%`;
  const piece = ([, count, background]) => el("i", { style: { width: share(count), background } });
  return el("div.bar", { role: "img", "aria-label": label, title: label }, parts.map(piece));
}

function overview({ isPrinted = false } = {}) {
  const { rows } = state;
  const left = [attentionCard(), progressCard(rows, isPrinted), resultsCard(rows)];
  const right = [varyingCard(rows, isPrinted), isPrinted ? null : keyPlots(), sameCard()];
  return [
    heading(core.title, el("p.dim", `${core.store}, as of ${core.as_of}`)),
    el("div.columns", el("div", left), el("div", right)),
    aboutCard(),
  ];
}

function attentionCard() {
  const chosen = chosenRows();
  const items = core.attention.map((item) => {
    const rows = item.simulations ?? [];
    const shown = rows.filter((row) => chosen.has(row));
    if (rows.length && !shown.length) return null;
    const mark = el("span.level", LEVEL_MARKS[item.level] ?? "→");
    const show = shown.length > 0
      && linkButton(`show ${grouped(shown.length)}`, () => showOnly(item.text, rows));
    const command = item.command && commandLine(item.command);
    return el("li", { class: item.level }, el("p", mark, item.text, " ", show), command);
  }).filter(Boolean);
  const nothing = el("p.dim", "Nothing needs attention.");
  const note = core.attention.some((item) => item.command) && el("p.dim", core.commands);
  return card("What to do next", ...(items.length ? [el("ul.attention", items), note] : [nothing]));
}

function progressCard(rows, isPrinted) {
  const types = groupBy(rows, columns.simulation_type);
  const bars = [...types].sort(([a], [b]) => collator.compare(a, b)).map(([type, own]) => {
    const counts = tally(fieldOf("status"), own);
    const parts = counts.map(([name, count]) => [name, count, statusColour(name)]);
    const title = el("div.bar-title", el("b", type), el("span", plural(own.length, "simulation")));
    return [title, shareBar(parts, own.length)];
  });
  const entry = ([status, count]) => el("li", statusNode(status), " ", el("b", grouped(count)));
  const legend = el("ul.legend-list", tally(fieldOf("status"), rows).map(entry));
  return card("Progress", bars, legend, undoneList(rows, isPrinted));
}

/** Return the simulations that are not done, those of failed runs first. */
function undoneList(rows, isPrinted) {
  const last = lastStatus();
  const rank = (row) => RUN_RANKS.findIndex((name) => progressOf(row).startsWith(name));
  const place = (row) => (rank(row) < 0 ? RUN_RANKS.length + statusRank(row) : rank(row));
  const undone = sorted(rows.filter((row) => columns.status(row) !== last), place);
  const most = isPrinted ? MAX_PRINTED_UNDONE : MAX_UNDONE;
  if (!undone.length) return null;
  const line = (row) => el("tr", el("td", statusNode(columns.status(row))), el("td", linkTo(row)),
    dimCell(progressOf(row) || el("span.hash", shortHash(row))));
  const showAll = () => {
    showOnly(`not ${last}`, undone);
    location.hash = "#simulations";
  };
  const button = linkButton(`show all ${grouped(undone.length)}`, showAll);
  return [
    el("h3", `Not ${last}: ${grouped(undone.length)} of ${grouped(rows.length)}`),
    plainTable([], undone.slice(0, most).map(line)),
    undone.length > most && button,
  ];
}

function resultsCard(rows) {
  const lines = core.results.slice(0, MAX_RESULTS).map((result) => {
    const [there, expected] = countStates(result, rows);
    const name = result.item === "analysis"
      ? analysisLink(result.name) : el("a", { href: "#artifacts" }, result.name);
    const text = `${grouped(there)} of ${grouped(expected)}`;
    const count = el("span", { class: there < expected && "short" }, text);
    const missing = ["missing", expected - there, "var(--missing)"];
    const bar = shareBar([["there", there, "var(--good)"], missing], expected);
    return el("li", el("div.bar-title", name, count), bar);
  });
  const note = "Expected are the results of simulations in production or completed, and of those that "
    + "have some already.";
  const others = core.results.length - lines.length;
  const more = others > 0 && el("p", el("a", { href: "#matrix" }, `${grouped(others)} more`));
  return card("Results", el("ul.bars", lines), more, el("p.dim", note));
}

/** Return of how many simulations a result is there, and of how many it is expected. */
function countStates(result, rows) {
  let [there, expected] = [0, 0];
  for (const row of rows) {
    if (result.states[row] === "x") there += 1;
    if (result.states[row] !== " ") expected += 1;
  }
  return [there, expected];
}

function varyingCard(rows, isPrinted) {
  const varying = varyingFields();
  const nothing = el("p.dim", "All simulations have the same input.");
  if (!varying.length) return card("What varies", nothing);
  const table = (list) =>
    plainTable([], list.map((field) => varyingRow(field, rows)), "table.plain.varying");
  const more = varying.slice(MAX_FIELDS, MAX_MORE_FIELDS);
  const rest = details(`${varying.length - MAX_FIELDS} more`, () => table(more), isPrinted);
  return card("What varies", table(varying.slice(0, MAX_FIELDS)), more.length > 0 && rest);
}

/** Return details whose content is made when they are opened. */
function details(title, make, open) {
  const show = ({ target }) => {
    if (target.open && target.children.length === 1) target.append(...[make()].flat());
  };
  return el("details", { toggle: show }, el("summary", title), open && make());
}

function varyingRow(field, rows) {
  const isColour = state.colour === field.path;
  const count = new Set(valuesOf(field, rows)).size;
  const label = `colour by ${field.label}`;
  const button = linkButton("colour by", () => setColour(field.path), label);
  return el("tr",
    el("th", { scope: "row", title: field.path }, field.label), el("td", rangeText(field, rows)),
    el("td.number", plural(count, "value")), el("td", histogram(field, rows)),
    el("td", isColour ? el("span.dim", "colour") : button));
}

/** Return the distribution of a field, in its colours if it is the colour of the page. */
function histogram(field, rows) {
  const counts = field.kind === "number"
    ? binCounts(valuesOf(field, rows)) : tally(field, rows).map(([, count]) => count);
  counts.splice(MAX_BARS);
  const most = Math.max(...counts, 1);
  const step = 120 / counts.length;
  const fillOf = (k) => {
    if (state.colour !== field.path) return "currentColor";
    const { isNumber: hasNumbers, domain, of } = colouring();
    return hasNumbers ? viridis(k / (MAX_BARS - 1)) : of(domain[k] ?? OTHERS);
  };
  const bars = counts.map((count, k) => {
    const height = Math.max(2, (22 * count) / most);
    const place = { x: k * step, y: 24 - height, width: Math.max(step - 1, 0.5), height };
    return count > 0 && el("rect", { ...place, fill: fillOf(k) });
  });
  return el("svg.histogram", { viewBox: "0 0 120 24", "aria-hidden": "true" }, bars);
}

function binCounts(values) {
  const [least, most] = extent(values);
  const counts = new Array(MAX_BARS).fill(0);
  for (const value of values) {
    const share = most > least ? (value - least) / (most - least) : 0.5;
    counts[Math.min(MAX_BARS - 1, Math.floor(share * MAX_BARS))] += 1;
  }
  return counts;
}

/** Return the statistics of the first analyses against the colour, with a sentence about each. */
function keyPlots() {
  const panels = (analysis) => panelsOf(analysis.views[0]).length;
  const shown = core.analyses
    .filter((analysis) => analysis.views.length && statisticsShown(analysis).length)
    .sort((a, b) => panels(a) - panels(b)).slice(0, MAX_KEY_PLOTS);
  const settings = { parts: ["statistics", "bars"], height: 170, first: true };
  return shown.map((analysis) => card(analysisLink(analysis.name),
    el("p.finding", finding(analysis)), plotNode(analysis, analysis.views[0], settings)));
}

function sameCard() {
  const { same } = core.simulations;
  if (!same.length) return null;
  const summary = el("summary", `${plural(same.length, "field")} with one value`);
  const open = same.length <= MAX_FIELDS;
  return card("What is the same", el("details", { open }, summary, sameFacts()));
}

function sameFacts() {
  const same = core.simulations.same.slice(0, MAX_SAME);
  const name = (path) => el("span", { title: path }, labelOf.get(path));
  return facts(same.map(([path, value]) => [name(path), formatValue(value ?? "none")]));
}

function aboutCard() {
  const lines = [
    ...core.filters.map((filter) => `Filter of the report: ${filter}`),
    core.start && `Statistics leave out the first ${core.start} as equilibration.`,
    ...core.left_out, ...core.skipped.map((text) => `Not read: ${text}`),
  ].filter(Boolean);
  if (!lines.length) return null;
  return card("About this report", el("ul.plain-list", lines.map((text) => el("li", text))));
}
