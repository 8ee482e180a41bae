// Files that the page saves: pictures, specifications, curves and statistics.

const PICTURE_SCALE = 2; // pixels of a PNG for each unit of a specification

/** Return the specification of a view with its data, as it is saved: on a light background. */
async function wholeSpecification(analysis, view) {
  const { rows } = await filled(analysis, view);
  const withoutRow = ({ row, ...rest }) => rest;
  const names = Object.keys(view.specification.datasets ?? {});
  const listOf = (name) => (rows[name] ?? []).map(withoutRow);
  const datasets = Object.fromEntries(names.map((name) => [name, listOf(name)]));
  const shown = view.by_group ? view.specification : withOwnNotes(recoloured(view.specification, true));
  if (kindOf(analysis, view) !== "map") return { ...shown, datasets, config: themes.light };
  const { $schema, title, usermeta } = shown;
  const concat = mapLeaves(analysis, view, leavesOf(shown)).map((leaf) => leaf.specification);
  const resolve = { scale: { color: "independent" } };
  const config = themes.light;
  return { $schema, title, usermeta, concat, columns: 3, resolve, datasets, config };
}

/** Return a specification without the note about simulations that lack another colour. */
function withOwnNotes(specification) {
  const { title } = specification;
  if (state.colour === core.colour || !title?.subtitle) return specification;
  const subtitle = title.subtitle.filter((note) => !note.startsWith("grey: "));
  return { ...specification, title: { ...title, subtitle } };
}

async function savePicture(analysis, view, kind) {
  const [embed, specification] = [await vega(), await wholeSpecification(analysis, view)];
  const place = el("div.offscreen");
  document.body.append(place);
  try {
    const result = await embed(place, specification, { ...EMBED, tooltip: () => {} });
    if (kind === "svg") save(`${analysis.name}.svg`, await result.view.toSVG(), "image/svg+xml");
    else {
      const canvas = await result.view.toCanvas(PICTURE_SCALE);
      const picture = await new Promise((done) => { canvas.toBlob(done, "image/png"); });
      save(`${analysis.name}.png`, picture, "image/png");
    }
    result.finalize();
  } finally {
    place.remove();
  }
}

async function saveSpecification(analysis, view) {
  const text = JSON.stringify(await wholeSpecification(analysis, view), null, 1);
  save(`${analysis.name}.vl.json`, text, "application/json");
}

/** Save the curves of all quantities and groups, with the points that the page has of them. */
async function saveCurves(analysis) {
  const data = await curvesOf(analysis);
  const chosen = chosenRows();
  const entries = (data?.entries ?? []).filter((entry) => chosen.has(entry.simulation));
  const isMap = entries.some((entry) => entry.ends.length > 4);
  const axes = isMap ? ["x", "y"] : [analysis.x?.title ?? "x"];
  const rows = [["analysis", "quantity", "group", "hash", ...axes, "value", "low", "high"]];
  for (const entry of entries) {
    const { x, y, low, high } = data.decode(entry);
    const places = isMap ? x : [x[0].map((place) => shownPlace(analysis, place))];
    const name = analysis.quantities[entry.quantity].title;
    const group = groupCell(analysis, entry.group);
    const first = [analysis.name, name, group, columns.hash(entry.simulation)];
    y.forEach((value, k) => {
      rows.push([...first, ...places.map((axis) => axis[k]), value, low?.[k], high?.[k]]);
    });
  }
  save(`${analysis.name}-curves-as-drawn.csv`, toCsv(rows), "text/csv");
}

/** Return a place on the axis in its unit; a date as text. */
function shownPlace(analysis, place) {
  if (!isNumber(place)) return place;
  if (analysis.x?.type === "temporal") return new Date(place * 1000).toISOString();
  return place * (analysis.x?.scale ?? 1);
}

const groupCell = (analysis, group) => (analysis.groups.length ? groupText(analysis, group) : "");

function saveStatistics(analysis) {
  const isProfile = "maximum_at" in analysis.statistics;
  const names = isProfile ? STATISTICS : STATISTICS.slice(0, 8);
  const rows = statisticsShown(analysis).map((entry) => [
    analysis.name, analysis.quantities[entry.quantity].name, groupCell(analysis, entry.group),
    columns.hash(entry.simulation), ...names.map((name) => entry[name]),
  ]);
  const head = ["analysis", "quantity", "group", "hash", ...names];
  save(`${analysis.name}-statistics.csv`, toCsv([head, ...rows]), "text/csv");
}
