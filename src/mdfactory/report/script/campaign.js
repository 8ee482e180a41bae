// The campaign: its simulations, and the fields of their BuildInputs.

const OWN_FIELDS = ["status", "simulation_type", "parametrization", "engine"];
const LIST_NAMES = ["system", "species", "molecules"]; // left out of the names of fields
const collator = new Intl.Collator("en", { numeric: true });

let core, rowCount, columns, fields, labelOf, rowOf, tagsOf, progressOf, ownNameOf;

/** Take the data of the campaign. */
function take(data) {
  core = data;
  rowCount = core.simulations.count;
  const lists = Object.entries(core.simulations.columns);
  columns = Object.fromEntries(lists.map(([name, column]) => [name, reader(column)]));
  const written = columns.composition;
  columns.composition &&= (row) => (written(row) === true ? compositionOf(row) : written(row));
  takeMolecules(core.simulations.molecules);
  const { fields: varying, same } = core.simulations;
  const paths = [...varying.map((field) => field.path), ...same.map(([path]) => path)];
  labelOf = new Map(shortNames(paths).map((label, k) => [paths[k], label]));
  fields = [...inputFields(), ...OWN_FIELDS.filter((path) => columns[path]).map(ownField)];
  fields.push(...constantColour());
  ownNameOf = valueReader("system.name"); // of runs that were adopted
  rowOf = new Map(allRows().map((row) => [columns.hash(row), row]));
  const readTags = reader(core.simulations.tags);
  tagsOf = (row) => Object.entries(readTags(row) ?? {});
  const progress = new Map(core.progress);
  progressOf = (row) => {
    const { state: name, text } = progress.get(row) ?? {};
    return [name, text].filter(Boolean).join(": ");
  };
  for (const result of core.results) result.time = reader(result.times);
}

/** Return the fields of the BuildInputs, but for those that the records of simulations have, too. */
function inputFields() {
  const isOwn = (path) => OWN_FIELDS.includes(path) && columns[path];
  const own = core.simulations.fields.filter(({ path }) => !isOwn(path));
  return own.map((field) =>
    ({ ...field, of: fieldReader(field.path, field.values), label: labelOf.get(field.path) }));
}

/** Return a function row -> value of a path, which may be the same in all. */
function valueReader(path) {
  const same = core.simulations.same.find(([other]) => other === path);
  return same ? () => same[1] : fieldOf(path)?.of ?? (() => null);
}

function ownField(path) {
  const of = columns[path];
  const varies = new Set(allRows().map(of)).size > 1;
  return { path, kind: "text", varies, of, label: words(path) };
}

/** Return the field of the colour, if it is the same in all simulations. */
function constantColour() {
  const same = core.simulations.same.find(([path]) => path === core.colour && !fieldOf(path));
  if (!same) return [];
  const [path, value] = same;
  const kind = typeof value === "number" ? "number" : "text";
  return [{ path, kind, varies: false, of: () => value, label: labelOf.get(path) }];
}

const unitOf = (path) => core.simulations.units?.[path] ?? "";

/** Return paths in words, without the names of lists where these are not needed, and with units. */
function shortNames(paths) {
  const without = (lists) => paths.map((path) =>
    words(path.split(".").filter((part) => !lists.includes(part)).join(" ")));
  const choices = [without(LIST_NAMES), without(["system"])];
  const isClear = (name, names) => name && names.indexOf(name) === names.lastIndexOf(name);
  const titles = paths.map((path, k) =>
    choices.find((names) => isClear(names[k], names))?.[k] ?? path);
  return titles.map((title, k) => (unitOf(paths[k]) ? `${title} (${unitOf(paths[k])})` : title));
}

const allRows = () => Array.from({ length: rowCount }, (_, row) => row);
const fieldOf = (path) => fields.find((field) => field.path === path);
const varyingFields = () => fields.filter((field) => field.varies && field.path !== "status");
const shortHash = (row) => columns.hash(row).slice(0, 8);
const compositionText = (row) => columns.composition?.(row) || shortHash(row);
const nameOf = (row) => [ownNameOf(row), compositionText(row)].filter(Boolean).join(": ");
const folderOf = (row) => columns.directory?.(row)?.replace("\u0001", columns.hash(row));
const statusRank = (row) => core.statuses.indexOf(columns.status(row));
const lastStatus = () => (core.statuses.includes("completed") ? "completed" : core.statuses.at(-1));

/** Return the values of a field over rows, without those that lack it. */
function valuesOf(field, rows) {
  return rows.map(field.of).filter((value) => value !== null);
}

/** Return [value, count] of a field over rows, in the order of progress or of the alphabet. */
function tally(field, rows) {
  const counts = new Map();
  for (const value of valuesOf(field, rows)) counts.set(value, (counts.get(value) ?? 0) + 1);
  const place = (value) => (field.path === "status" ? core.statuses.indexOf(value) : 0);
  const compare = field.kind === "number" ? ascending : collator.compare;
  return [...counts].sort(([a], [b]) => place(a) - place(b) || compare(a, b));
}

/** Return the range of a field over rows, or its most frequent values, in words. */
function rangeText(field, rows) {
  const values = valuesOf(field, rows);
  if (!values.length) return "none";
  if (field.kind === "number") return formatRange(extent(values));
  const counts = tally(field, rows);
  const texts = counts.slice(0, 4).map(([value, count]) => `${value} (${grouped(count)})`);
  return [...texts, counts.length > 4 && "…"].filter(Boolean).join(", ");
}

/** Return how many results of a simulation are there, and how many are expected. */
function countResults(row) {
  const states = core.results.map((result) => result.states[row]);
  const there = states.filter((state) => state === "x").length;
  return [there, states.filter((state) => state !== " ").length];
}

/** Return rows sorted by a key; those without a value come last. */
function sorted(rows, key, down = false) {
  const keys = new Map(rows.map((row) => [row, key(row)]));
  const sign = down ? -1 : 1;
  const bothNumbers = (x, y) => typeof x === "number" && typeof y === "number";
  const compare = (x, y) => (bothNumbers(x, y) ? x - y : collator.compare(x, y));
  return rows.slice().sort((a, b) => {
    const [x, y] = [keys.get(a), keys.get(b)];
    if (isMissing(x) || isMissing(y)) return isMissing(x) - isMissing(y);
    return sign * compare(x, y);
  });
}

/** Return the simulation of a hash, or of its beginning if only one begins so. */
function findSimulation(text) {
  const hash = text.toUpperCase();
  if (rowOf.has(hash)) return rowOf.get(hash);
  if (!/^[0-9A-F]{6,}$/.test(hash)) return undefined;
  const found = allRows().filter((row) => columns.hash(row).startsWith(hash));
  return found.length === 1 ? found[0] : undefined;
}
