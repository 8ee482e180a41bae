// The filter and the colour, which stand above all sections and hold for all.

const MAX_CHOICES = 200; // of a field with more values, a part of the text is asked for
const MAX_TAGS = 500;
const SLOW_ROWS = 5000;
const MIN_HASH_DIGITS = 4; // by which a hash is found: shorter ones are numbers of molecules

const state = {
  text: "", statuses: new Set(), conditions: [], // the filter
  rows: [], chosen: null, // the simulations that pass it, as a list and as a set
  colour: "", colours: null, // path of the field, and what is made of it
  sort: { key: "", down: false }, group: "status", matrixSort: "", // of the tables
  view: Object.create(null), artifactsBy: "name", artifactPage: 0, analysisPage: 0, // what pages show
  filled: new Map(), // data of plots
};

const chosenRows = () => (state.chosen ??= new Set(state.rows));
let haystacks = [];

/** Return the text of a simulation in which words are looked for; not its hash. */
function haystack(row) {
  haystacks[row] ??= [
    columns.composition?.(row), columns.directory?.(row)?.replace("\u0001", ""),
    ...fields.filter((field) => field.kind === "text").map((field) => field.of(row)),
    ...tagsOf(row).map((pair) => pair.join("=")),
  ].filter(Boolean).join("\n").toLowerCase();
  return haystacks[row];
}

function hasWord(row, word) {
  if (haystack(row).includes(word)) return true;
  return word.length >= MIN_HASH_DIGITS && columns.hash(row).toLowerCase().startsWith(word);
}

/** Apply the filter, and show the section anew. */
function applyFilter() {
  const parts = state.text.toLowerCase().split(/\s+/).filter(Boolean);
  const tests = state.conditions.map((condition) => condition.test).filter(Boolean);
  if (state.statuses.size) tests.push((row) => state.statuses.has(columns.status(row)));
  if (parts.length) tests.push((row) => parts.every((part) => hasWord(row, part)));
  state.rows = allRows().filter((row) => tests.every((test) => test(row)));
  state.chosen = null;
  showCount();
  refresh();
}

let timer = 0;

function applySoon() {
  clearTimeout(timer);
  timer = setTimeout(applyFilter, rowCount > SLOW_ROWS ? 250 : 80);
}

/** Restrict the page to some simulations, which a sentence describes. */
function showOnly(label, rows) {
  const chosen = new Set(rows);
  const others = state.conditions.filter((condition) => !condition.only);
  state.conditions = [...others, { label, only: true, test: (row) => chosen.has(row) }];
  showConditions();
  applyFilter();
}

function clearFilter() {
  Object.assign(state, { text: "", conditions: [] });
  state.statuses.clear();
  byId("search").value = "";
  showConditions();
  applyFilter();
}

/** Add a condition on a field (f and its path) or a tag (t and JSON); it stands in a pill. */
function addCondition(key) {
  const name = key.slice(1);
  const isTag = key.startsWith("t");
  const added = isTag ? tagCondition(...JSON.parse(name)) : fieldCondition(fieldOf(name));
  state.conditions.push(added);
  showConditions();
  byId("conditions").lastElementChild.querySelector("input, select, button").focus();
  applyFilter();
}

function tagCondition(name, value) {
  const test = (row) => tagsOf(row).some(([key, text]) => key === name && String(text) === value);
  return { label: `${name} = ${value}`, test };
}

function fieldCondition(field) {
  const condition = { label: field.label, test: null };
  if (field.kind === "number") condition.controls = rangeControls(field, condition);
  else condition.controls = valueControls(field, condition);
  return condition;
}

function rangeControls(field, condition) {
  const bounds = [-Infinity, Infinity];
  const ends = extent(valuesOf(field, allRows()));
  const input = (which, label) => el("input", {
    type: "number", step: "any", placeholder: formatValue(ends[which]),
    "aria-label": `${field.label} ${label}`,
    input: ({ target }) => {
      bounds[which] = target.value === "" ? [-Infinity, Infinity][which] : Number(target.value);
      condition.test = (row) => {
        const value = field.of(row);
        return value !== null && value >= bounds[0] && value <= bounds[1];
      };
      applySoon();
    },
  });
  return [input(0, "at least"), " to ", input(1, "at most")];
}

function valueControls(field, condition) {
  const values = tally(field, allRows());
  const labels = values.map(([value, count]) => [String(value), `${value} (${grouped(count)})`]);
  if (values.length > MAX_CHOICES) {
    const find = ({ target }) => {
      const part = target.value.toLowerCase();
      condition.test = (row) => String(field.of(row) ?? "").toLowerCase().includes(part);
      applySoon();
    };
    return [" has ", el("input", { type: "text", "aria-label": field.label, input: find })];
  }
  const choose = (text) => {
    condition.test = text === "" ? null : (row) => String(field.of(row)) === text;
    applyFilter();
  };
  return [" = ", choice(field.label, [["", [["", "any"], ...labels]]], "", choose)];
}

function showConditions() {
  byId("conditions").replaceChildren(...state.conditions.map((condition) => {
    const remove = () => {
      state.conditions = state.conditions.filter((other) => other !== condition);
      showConditions();
      applyFilter();
    };
    const label = `remove the filter ${condition.label}`;
    const button = el("button", { "aria-label": label, click: remove }, "×");
    return el("span.pill", condition.label, condition.controls, button);
  }));
}

function showCount() {
  const isAll = state.rows.length === rowCount;
  const all = plural(rowCount, "simulation");
  byId("count").textContent = isAll ? all : `${grouped(state.rows.length)} of ${all}`;
  const isClear = !state.conditions.length && !state.text && !state.statuses.size;
  byId("clear").hidden = isAll && isClear;
  for (const button of byId("statuses").children) {
    button.setAttribute("aria-pressed", state.statuses.has(button.value));
  }
}

/** Fill the bar of the filter and the colour. */
function fillBar() {
  Object.assign(state, { rows: allRows(), colour: core.colour ?? "status" });
  byId("statuses").replaceChildren(...tally(fieldOf("status"), allRows()).map(statusButton));
  byId("add").replaceChildren(addChoice());
  byId("colour").replaceChildren(colourChoice());
  byId("search").addEventListener("input", ({ target }) => {
    state.text = target.value;
    applySoon();
  });
  byId("clear").addEventListener("click", clearFilter);
  showLegend();
  showCount();
}

function statusButton([status, count]) {
  const toggle = () => {
    if (!state.statuses.delete(status)) state.statuses.add(status);
    applyFilter();
  };
  const attributes = { value: status, click: toggle, "aria-pressed": "false" };
  return el("button", attributes, statusNode(status), el("b", grouped(count)));
}

function addChoice() {
  const tags = new Set();
  for (const row of allRows()) {
    for (const [name, value] of tagsOf(row)) tags.add(JSON.stringify([name, String(value)]));
  }
  const known = [...tags].sort(collator.compare).slice(0, MAX_TAGS);
  const select = choice("add a filter", [
    ["", [["", "Add a filter…"]]],
    ["Fields", varyingFields().map((field) => [`f${field.path}`, field.label])],
    ["Tags", known.map((tag) => [`t${tag}`, JSON.parse(tag).join(" = ")])],
  ], "", (key) => {
    select.value = "";
    addCondition(key);
  });
  return select;
}

function colourChoice() {
  const always = ["status", core.colour];
  const list = fields.filter((field) => field.varies || always.includes(field.path));
  const part = (isNumbers) => list.filter((field) => (field.kind === "number") === isNumbers)
    .map((field) => [field.path, field.label]);
  const groups = [["Numbers", part(true)], ["Texts", part(false)]];
  return choice("colour by", groups, state.colour, setColour);
}
