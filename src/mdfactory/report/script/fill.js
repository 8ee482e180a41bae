// Rows of the named data of specifications: the same as `mdfactory.report.plots.fill` makes in Python.
//
// view: kind, panels {quantity, group, row}, x_type, x_factor, figure, error, has_many, has_spread,
// bar_groups (numbers of the groups that bars show; all if null).
// members: row, name, text, curves {quantity, group, x, y, low, high}, statistics.
// paint: kind (number, category or none), of (row, group -> number, category or null).

const MAX_BINS = 5;
const GRID_POINTS = 100;
const MIN_POINTS = 24;
const MAX_POINTS = 200;
const MAX_FAR = 20; // curves beside the bands of all panels
const FAR_POINTS = 60;
const MAX_MAP_CELLS = 40;
const SCREEN = { curves: 120, points: 120 * 200 };
const OTHERS = "other";
const BAND = [["low", 0.05], ["y", 0.5], ["high", 0.95]];

/** Return the rows of each named data set. */
function fill(view, members, paint, limits = SCREEN) {
  if (!view.panels.length) return {};
  if (view.kind === "bars") return { bars: barRows(view, members, paint, limits) };
  const rows = { statistics: statisticRows(view, members, paint) };
  if (view.kind === "map") rows.cells = cellRows(view, members);
  else if (view.kind !== "scalars") Object.assign(rows, curveRows(view, members, paint, limits));
  return rows;
}

/** Whether a panel shows a curve or a statistic; a panel without a group shows all groups. */
function shows(panel, part) {
  return part.quantity === panel.quantity && (isMissing(panel.group) || part.group === panel.group);
}

/** Return the curves of a panel. */
function curvesIn(panel, members) {
  const own = (member) => member.curves.filter((curve) => shows(panel, curve) && curve.y.length);
  return members.flatMap((member) => own(member).map((curve) => ({ member, curve })));
}

// Curves

const countAll = (lists) => lists.reduce((sum, list) => sum + list.length, 0);

function curveRows(view, members, paint, limits) {
  const byPanel = view.panels.map((panel) => curvesIn(panel, members));
  const most = Math.max(...byPanel.map((list) => list.length));
  if (most > limits.curves) return bandRows(view, byPanel, paint);
  const points = pointsOf(countAll(byPanel), limits);
  return { curves: rowsOf(view, byPanel, paint, points), far: [], bands: [] };
}

function pointsOf(curves, limits) {
  const share = Math.floor(limits.points / Math.max(curves, 1));
  return Math.max(MIN_POINTS, Math.min(MAX_POINTS, share));
}

/** Return the places on the axis, in its unit; Vega counts dates in milliseconds. */
function scaled(view, x) {
  if (view.x_type === "nominal") return x.map(shownText);
  const factor = view.x_type === "temporal" ? 1000 : view.x_factor;
  return x.map((value) => (value === null ? null : value * factor));
}

/** Return a row for each curve of each panel. */
function rowsOf(view, byPanel, paint, points) {
  const rowOf = (panel, { member, curve }) => {
    const shown = shownPoints(curve.y, points);
    const pick = (values) => shown.map((k) => values[k]);
    const row = { panel, x: scaled(view, pick(curve.x[0])), y: pick(curve.y) };
    if (view.has_spread && curve.low) {
      Object.assign(row, { low: pick(curve.low), high: pick(curve.high) });
    }
    const colour = paint.of(member.row, curve.group);
    return { ...row, colour, name: member.name, row: member.row };
  };
  const rows = byPanel.flatMap((list, panel) => list.map((item) => rowOf(panel, item)));
  return rows.map((row, curve) => ({ ...row, curve }));
}

/** Return the numbers of the points that are shown: ends, extremes of buckets, and gaps. */
function shownPoints(y, points) {
  if (y.length <= points) return y.map((_, k) => k);
  const missing = y.map((value) => value === null);
  const buckets = bucketsOf(missing, points);
  const bound = (k) => Math.floor((k * (y.length - 2)) / buckets) + 1;
  const shown = new Set([0, y.length - 1]);
  for (let k = 0; k < buckets; k += 1) {
    let [low, high] = [-1, -1];
    for (let place = bound(k); place < bound(k + 1); place += 1) {
      if (missing[place]) continue;
      if (low < 0 || y[place] < y[low]) low = place;
      if (high < 0 || y[place] > y[high]) high = place;
    }
    if (low >= 0) shown.add(low).add(high);
  }
  addGaps(shown, missing);
  return [...shown].sort(ascending);
}

/** Return how many buckets leave enough points for the gaps. */
function bucketsOf(missing, points) {
  if (!missing.includes(true)) return Math.floor((points - 2) / 2);
  const gaps = missing.filter((gap, k) => k && gap && !missing[k - 1]).length;
  return Math.max(Math.floor((points - 2 - gaps) / 2), Math.floor((points - 3) / 4));
}

/** Show the first missing point between two shown ones, unless one of them is missing. */
function addGaps(shown, missing) {
  const places = [...shown].sort(ascending);
  places.slice(1).forEach((end, k) => {
    const gap = missing.indexOf(true, places[k]);
    if (!missing[places[k]] && !missing[end] && gap >= 0 && gap < end) shown.add(gap);
  });
}

// Bands

/** Return the bands of all panels, and the curves that are farthest from them. */
function bandRows(view, byPanel, paint) {
  const bands = [];
  const far = byPanel.map((list, panel) => {
    const [placed, texts] = placesOf(view, list);
    const colours = list.map(({ member }) => paint.of(member.row));
    const grid = texts.length ? texts.map((_, k) => k) : gridOf(placed);
    const [found, distances] = bandsOf(grid, placed, binsOf(colours, paint));
    for (const { bin, members, ...values } of found) {
      const colour = colourOfBin(members.map((k) => colours[k]));
      bands.push({ panel, bin, colour, x: texts.length ? texts : scaled(view, grid), ...values });
    }
    const room = Math.floor(MAX_FAR / byPanel.length);
    return farthest(distances, room).map((k) => list[k]);
  });
  return { curves: [], far: rowsOf(view, far, paint, FAR_POINTS), bands };
}

/** Return curves in ascending order of the axis; texts on the axis are numbered. */
function placesOf(view, list) {
  const texts = new Map();
  const numberOf = (text) => {
    if (!texts.has(text)) texts.set(text, texts.size);
    return texts.get(text);
  };
  const placed = list.map(({ curve }) => {
    const x = view.x_type === "nominal" ? curve.x[0].map(shownText).map(numberOf) : curve.x[0];
    if (!x.some((value, k) => k && value < x[k - 1])) return { x, y: curve.y };
    const order = x.map((_, k) => k).sort((a, b) => x[a] - x[b] || a - b);
    return { x: order.map((k) => x[k]), y: order.map((k) => curve.y[k]) };
  });
  return [placed, [...texts.keys()]];
}

/** Return the places of bands, over the range of all curves. */
function gridOf(curves) {
  const there = curves.filter(({ x }) => x.length);
  const [low] = there.length ? extent(there.map(({ x }) => x[0])) : [0];
  const [, high] = there.length ? extent(there.map(({ x }) => x.at(-1))) : [0, 1];
  const step = (high - low) / (GRID_POINTS - 1);
  const place = (k) => (k < GRID_POINTS - 1 ? low + k * step : high);
  return Array.from({ length: GRID_POINTS }, (_, k) => place(k));
}

/** Return the values of a curve on a grid, linearly; null outside of its range and in gaps. */
function onGrid(grid, x, y) {
  const last = x.length - 1;
  let k = 0;
  return grid.map((place) => {
    if (last < 0 || place < x[0] || place > x[last]) return null;
    while (k < last && x[k + 1] <= place) k += 1;
    if (k === last || x[k] === place) return y[k];
    if (y[k] === null || y[k + 1] === null) return null;
    return y[k] + ((y[k + 1] - y[k]) / (x[k + 1] - x[k])) * (place - x[k]);
  });
}

/** Return a band of each bin, and how far each curve is from the median of its bin. */
function bandsOf(grid, curves, bins) {
  const values = curves.map(({ x, y }) => onGrid(grid, x, y));
  const distances = new Array(curves.length).fill(0);
  const bands = [...new Set(bins)].sort(ascending).map((bin) => {
    const members = bins.flatMap((other, k) => (other === bin ? [k] : []));
    const band = { bin, members, y: [], low: [], high: [] };
    grid.forEach((_, column) => {
      const there = members.map((k) => values[k][column]).filter((value) => value !== null);
      there.sort(ascending);
      const end = (share) => (there.length ? quantile(there, share) : null);
      for (const [name, share] of BAND) band[name].push(end(share));
    });
    for (const k of members) distances[k] = distance(values[k], band.y);
    return band;
  });
  return [bands, distances];
}

/** Return the mean distance of a curve from a median, where both have numbers. */
function distance(values, median) {
  let [sum, count] = [0, 0];
  values.forEach((value, column) => {
    if (value === null || median[column] === null) return;
    sum += Math.abs(value - median[column]);
    count += 1;
  });
  return sum / Math.max(1, count);
}

/** Return the numbers of the curves that are farthest from their medians. */
function farthest(distances, count) {
  const order = distances.map((_, k) => k).sort((a, b) => distances[b] - distances[a] || a - b);
  return order.slice(0, count).filter((k) => distances[k] > 0).sort(ascending);
}

/** Return the bins of colours: quantiles of numbers, or the most frequent categories. */
function binsOf(colours, paint) {
  if (paint.kind === "number") return quantileBins(colours);
  const names = colours.map((colour) => (colour === null ? "None" : String(colour)));
  const counts = [...groupBy(names.slice().sort(byCode), (name) => name)];
  const ranks = counts.sort((a, b) => b[1].length - a[1].length).map(([name]) => name);
  return names.map((name) => Math.min(ranks.indexOf(name), MAX_BINS - 1));
}

/** Return the bin of each number among the quantiles of all; what is no number has the last.
 *
 * A bin ends at a quantile, and has it.
 */
function quantileBins(values) {
  const numbers = values.filter(isNumber).sort(ascending);
  const own = MAX_BINS - (numbers.length < values.length ? 1 : 0);
  let edges = [...new Set(numbers)].slice(0, -1);
  if (edges.length >= own) {
    const shares = Array.from({ length: own - 1 }, (_, k) => (k + 1) / own);
    edges = [...new Set(shares.map((share) => quantile(numbers, share)))];
  }
  const binOf = (value) => edges.filter((edge) => edge < value).length;
  const bins = values.map((value) => (isNumber(value) ? binOf(value) : MAX_BINS));
  const used = [...new Set(bins)].sort(ascending);
  return bins.map((bin) => used.indexOf(bin));
}

/** Return the colour of a bin: the median of its numbers, or its category. */
function colourOfBin(colours) {
  const numbers = colours.filter(isNumber).sort(ascending);
  if (numbers.length) return numbers[(numbers.length - 1) >> 1];
  return new Set(colours).size === 1 ? colours[0] : OTHERS;
}

// Statistics and bars

/** Return the statistic of each simulation in each panel, with its error. */
function statisticRows(view, members, paint) {
  const panels = view.kind === "map" ? view.panels.slice(0, 1) : view.panels;
  const isShown = (panel, entry) => shows(panel, entry) && isNumber(entry[view.figure]);
  return panels.flatMap((panel, number) => members.flatMap((member) => member.statistics
    .filter((entry) => isShown(panel, entry))
    .map((entry) => ({ panel: number, ...statisticRow(view, member, entry, paint) }))));
}

function statisticRow(view, member, entry, paint) {
  const y = entry[view.figure];
  const { row, name, text } = member;
  const colour = paint.of(row, entry.group);
  const value = paint.kind === "none" ? name : colour;
  const level = view.has_many || entry.levelled !== false;
  const spread = view.error && !view.has_many ? entry[view.error] : null;
  const ends = isNumber(spread) ? { low: y - spread, high: y + spread } : {};
  return { value, y, ...ends, level, text, colour, name, row };
}

/** Return the value of each group of each simulation; of many, median and 5 to 95 %. */
function barRows(view, members, paint, limits) {
  const isBar = ({ curve }) => !view.bar_groups || view.bar_groups.includes(curve.group);
  return view.panels.flatMap((panel, number) => {
    const list = curvesIn(panel, members).filter(isBar);
    if (members.length > limits.curves) return barBands(view, number, members, list, paint);
    return list.map(({ member: { row, name }, curve }) => {
      const ends = curve.low ? { low: curve.low[0], high: curve.high[0] } : {};
      const place = { panel: number, group: view.groupText(curve.group), offset: 0 };
      return { ...place, y: curve.y[0], ...ends, colour: paint.of(row), name, row };
    });
  });
}

function barBands(view, panel, members, list, paint) {
  const bins = binsOf(members.map((member) => paint.of(member.row)), paint);
  const binOf = new Map(members.map((member, k) => [member, bins[k]]));
  const parts = groupBy(list, ({ member, curve }) => `${curve.group} ${binOf.get(member)}`);
  return [...parts.values()].map((part) => {
    const [{ member, curve }] = part;
    const values = part.map((item) => item.curve.y[0]).filter((value) => value !== null);
    values.sort(ascending);
    const place = { panel, group: view.groupText(curve.group), offset: binOf.get(member) };
    const end = (share) => (values.length ? quantile(values, share) : null);
    const ends = BAND.map(([name, share]) => [name, end(share)]);
    const colour = colourOfBin(part.map((item) => paint.of(item.member.row)));
    return { ...place, ...Object.fromEntries(ends), name: "", colour };
  });
}

// Maps

/** Return the cells of the maps of all panels, each of which shows one simulation. */
function cellRows(view, members) {
  return view.panels.flatMap((panel, number) => {
    const own = members.filter((member) => member.row === panel.row);
    return curvesIn(panel, own).flatMap(({ curve }) => cells(number, curve));
  });
}

/** Return the cells of a map; of many cells, the means of blocks. */
function cells(panel, curve) {
  const there = curve.y.flatMap((value, k) => (value === null ? [] : [k]));
  if (!there.length) return [];
  const [across, up] = curve.x.map((axis) => blocks(there.map((k) => axis[k])));
  const width = across.edges.length - 1;
  const means = groupBy(there.map((k, place) => [up.block[place] * width + across.block[place], k]),
    ([block]) => block);
  return [...means.keys()].sort(ascending).map((block) => {
    const values = means.get(block).map(([, k]) => curve.y[k]);
    const [column, line] = [block % width, Math.floor(block / width)];
    const [x, x2] = across.edges.slice(column, column + 2);
    const [y, y2] = up.edges.slice(line, line + 2);
    const sum = values.reduce((total, value) => total + value, 0);
    return { panel, x, x2, y, y2, z: sum / values.length };
  });
}

/** Return the block of each place on an axis, and the edges of the blocks. */
function blocks(axis) {
  const texts = axis.every(isNumber) ? null : [...new Set(axis)].sort();
  const places = texts ? axis.map((text) => texts.indexOf(text)) : axis;
  const distinct = [...new Set(places)].sort(ascending);
  const halves = distinct.length > 1
    ? [distinct[1] - distinct[0], distinct.at(-1) - distinct.at(-2)] : [1, 1];
  const middles = distinct.slice(1).map((value, k) => (value + distinct[k]) / 2);
  const size = Math.ceil(distinct.length / MAX_MAP_CELLS);
  const starts = [distinct[0] - halves[0] / 2, ...middles].filter((_, k) => k % size === 0);
  const numbers = new Map(distinct.map((value, k) => [value, Math.floor(k / size)]));
  const edges = [...starts, distinct.at(-1) + halves[1] / 2];
  return { block: places.map((value) => numbers.get(value)), edges };
}
