// Colours of simulations: by a field, the same in all tables and plots.

const VIRIDIS = [
  "440154", "482878", "3e4989", "31688e", "26828e",
  "1f9e89", "35b779", "6ece58", "b5de2b", "fde725",
];
const STATUS_COLOURS = [
  "#8b95a1", "#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#0072b2", "#d55e00",
];
const NO_COLOUR = "#8a8a8a";
const MAX_CATEGORIES = 7;
const dark = matchMedia("(prefers-color-scheme: dark)");

let themes; // the configurations of plots
const theme = () => themes[dark.matches ? "dark" : "light"];
const statusColour = (status) => STATUS_COLOURS[core.statuses.indexOf(status)] ?? NO_COLOUR;

function statusNode(status) {
  const mark = el("i", { style: { background: statusColour(status) } });
  return el("span.status", mark, status ?? "unknown");
}

/** Return a colour of viridis, of the part of it that the theme shows. */
function viridis(share) {
  const [first, last] = theme().range.ramp.extent;
  const place = (first + share * (last - first)) * (VIRIDIS.length - 1);
  const k = Math.min(VIRIDIS.length - 2, Math.floor(place));
  const part = (text, channel) => parseInt(text.slice(2 * channel, 2 * channel + 2), 16);
  const mixed = [0, 1, 2].map((channel) => {
    const [low, high] = [part(VIRIDIS[k], channel), part(VIRIDIS[k + 1], channel)];
    return Math.round(low + (high - low) * (place - k));
  });
  return `rgb(${mixed.join(",")})`;
}

/** Return the colours of the page; they do not depend on the filter.
 *
 * field, isNumber, domain, nameOf (value -> number or category), of (value -> colour).
 */
function colouring() {
  if (!state.colours) {
    const field = fieldOf(state.colour) ?? fieldOf("status");
    const hasNumbers = field.kind === "number" && valuesOf(field, allRows()).length > 0;
    state.colours = { field, ...(hasNumbers ? numberColours(field) : categoryColours(field)) };
  }
  return state.colours;
}

function numberColours(field) {
  const [least, most] = extent(valuesOf(field, allRows()));
  const share = (value) => (most > least ? (value - least) / (most - least) : 0.5);
  const of = (value) => (value === null ? NO_COLOUR : viridis(share(value)));
  return { isNumber: true, domain: [least, most], nameOf: (value) => value, of };
}

function categoryColours(field) {
  const counts = tally(field, allRows());
  const names = counts.map(([value]) => categoryName(value));
  const common = counts.slice().sort((a, b) => b[1] - a[1]).map(([value]) => categoryName(value));
  const domain = names.length <= MAX_CATEGORIES
    ? names : [...common.slice(0, MAX_CATEGORIES - 1), OTHERS];
  const nameOf = (value) => {
    if (value === null) return null;
    return domain.includes(categoryName(value)) ? categoryName(value) : OTHERS;
  };
  const of = (value) => {
    const name = nameOf(value);
    if (field.path === "status" && name !== null) return statusColour(name);
    if (name === null || name === OTHERS) return NO_COLOUR;
    return theme().range.category[domain.indexOf(name)];
  };
  return { isNumber: false, domain, nameOf, of };
}

const categoryName = (value) => shownText(String(value));

/** Colour all sections by a field. */
function setColour(path) {
  Object.assign(state, { colour: path, colours: null });
  byId("colour").firstElementChild.value = path;
  showLegend();
  refresh();
}

function showLegend() {
  const { isNumber: hasNumbers, domain, of, field } = colouring();
  const entry = (name, colour) => el("span", el("i", { style: { background: colour } }), name);
  const lacking = rowCount - valuesOf(field, allRows()).length;
  const none = lacking ? [entry(`${grouped(lacking)} without it`, NO_COLOUR)] : [];
  if (!hasNumbers) {
    byId("legend").replaceChildren(...domain.map((name) => entry(name, of(name))), ...none);
    return;
  }
  const stops = Array.from({ length: 9 }, (_, k) => viridis(k / 8)).join(",");
  const ramp = el("i.ramp", { style: { background: `linear-gradient(90deg,${stops})` } });
  byId("legend").replaceChildren(formatValue(domain[0]), ramp, formatValue(domain[1]), ...none);
}

/** Return a dot in the colour of a simulation. */
function colourDot(row) {
  const { field, of } = colouring();
  const value = field.of(row);
  const title = `${field.label}: ${value === null ? "none" : formatValue(value)}`;
  return el("i.dot", { title, style: { background: of(value) } });
}
