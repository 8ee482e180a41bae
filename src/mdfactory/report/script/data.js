// Data of the page: columns, curves, and numbers as text. No document is needed for it.

const GAP = 65535; // the code of a value that is no number
const MAX_CODE = 65534;
const MAX_DIGITS = 6; // of a number that is not rounded
const MAX_CHARACTERS = 80; // of a text in a plot

const ascending = (a, b) => a - b;
const byCode = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const isMissing = (value) => value === null || value === undefined;

/** Return a function row -> value of a column, which has one of three forms. */
function reader(column) {
  if (!column) return () => null;
  if (Array.isArray(column)) return (row) => column[row] ?? null;
  if (column.codes) return (row) => column.values[column.codes[row]] ?? null;
  let others = null; // made when a value is wanted, since most columns are not looked at
  return (row) => {
    others ??= sparseValues(column);
    return (others.has(row) ? others.get(row) : column.rest) ?? null;
  };
}

function sparseValues({ steps, values }) {
  let place = 0;
  return new Map(steps.map((step, k) => [(place += step), values[k]]));
}

/** Return the header of a blob of curves, with entries that `decode` turns into curves. */
function decodeCurves(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  let start = Math.ceil((4 + length) / 4) * 4;
  const entries = header.curves.map(([simulation, quantity, group, points, band, ...ends]) => {
    const entry = { simulation, quantity, group, points, band, ends, start };
    start += 2 * points * (2 + (ends.length > 4) + 2 * band);
    return entry;
  });
  return { ...header, entries, decode: (entry) => decodeCurve(view, header.labels, entry) };
}

/** Return the axes (two of a map) and values of a curve: numbers of 16 bits, of its own range. */
function decodeCurve(view, labels, { points, band, ends, start }) {
  let place = start;
  const take = (low, high) => Array.from({ length: points }, () => {
    const code = view.getUint16(place, true);
    place += 2;
    if (code === GAP) return null;
    if (isMissing(low)) return labels[code];
    const share = code / MAX_CODE;
    return high - low === MAX_CODE ? low + code : low * (1 - share) + high * share;
  });
  const [xLow, xHigh, yLow, yHigh, x2Low, x2High] = ends;
  const curve = { x: [take(xLow, xHigh)] };
  if (ends.length > 4) curve.x.push(take(x2Low, x2High));
  curve.y = take(yLow ?? 0, yHigh ?? 0);
  if (band) Object.assign(curve, { low: take(yLow, yHigh), high: take(yLow, yHigh) });
  return curve;
}

/** Return a text as plots have it: not too long, and no name that every object has. */
function shownText(text) {
  const short = text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS - 1)}…` : text;
  return short in Object.prototype ? `${short}\u00a0` : short;
}

/** Return the least and the most of numbers. */
function extent(values) {
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return [least, most];
}

/** Return the quantile of sorted numbers, by linear interpolation. */
function quantile(ordered, share) {
  const place = (ordered.length - 1) * share;
  const below = Math.floor(place);
  const above = Math.min(below + 1, ordered.length - 1);
  return ordered[below] + (ordered[above] - ordered[below]) * (place - below);
}

/** Return a map: key -> the items that have it. */
function groupBy(items, keyOf) {
  const groups = new Map();
  for (const item of items) {
    const key = keyOf(item);
    if (groups.has(key)) groups.get(key).push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

const withMinus = (text) => text.replaceAll("-", "−");
const grouped = (number) => number.toLocaleString("en-US");
const plural = (count, noun) => `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
const words = (name) => name.replaceAll("_", " ");
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** Return a value as text; a number of at most six digits as it is, of more with four that count.
 *
 * Six are those that people write, such as 298.15; more come of a computation. Numbers of single
 * precision have seven that are right.
 */
function formatValue(value) {
  if (isMissing(value)) return "";
  if (typeof value !== "number") return String(value);
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e7) return withMinus(grouped(value));
  const near = Number(value.toPrecision(7));
  const isExact = near === Number(value.toPrecision(MAX_DIGITS));
  if (size < 1e-4 || size >= 1e6) {
    const text = isExact ? near.toExponential() : value.toExponential(2);
    return withMinus(text.replace("e+", "e"));
  }
  return withMinus(String(isExact ? near : Number(value.toPrecision(4))));
}

/** Return the range of two numbers as text, with the same number of decimals if that shows both. */
function formatRange(ends) {
  const texts = ends.map(formatValue);
  if (texts[0] === texts[1]) return texts[0];
  const decimals = texts.map((text) => text.split(".")[1]?.length ?? 0);
  const rounded = decimals.filter((_, k) =>
    Number(ends[k].toPrecision(MAX_DIGITS)) !== Number(ends[k].toFixed(decimals[k])));
  const places = rounded.length ? Math.min(...rounded) : Math.max(...decimals);
  const isShown = ends.every((end) => end === 0 || Number(end.toFixed(places)) !== 0);
  const isPlain = places > 0 && isShown && !texts.some((text) => text.includes("e"));
  return (isPlain ? ends.map((end) => withMinus(end.toFixed(places))) : texts).join(" to ");
}

/** Return a mean and its error: the error with two digits, the mean with as many places. */
function formatWithError(mean, error) {
  if (isMissing(mean) || !error) return formatValue(mean);
  if (Math.abs(mean) >= 1e6 || error < 1e-7) return `${formatValue(mean)} ± ${formatValue(error)}`;
  const places = Math.max(0, 1 - Math.floor(Math.log10(error)));
  return withMinus(`${mean.toFixed(places)} ± ${error.toFixed(places)}`);
}

/** Return rows as CSV. A text that a spreadsheet takes for a formula gets an apostrophe. */
function toCsv(rows) {
  return rows.map((row) => `${row.map(csvCell).join(",")}\r\n`).join("");
}

function csvCell(value) {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const text = String(value ?? "").replace(/^(?=[=+\-@\t\r])/, "'");
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
