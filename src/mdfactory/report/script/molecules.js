// Molecules: which ones each simulation has, and the fields and compositions that they tell.

let molecules;

/** Take the molecules: lists, paths, kinds, and a function row -> numbers of its molecules. */
function takeMolecules({ lists, paths, kinds, of }) {
  const read = lists.map(([path, column]) => ({ path, has: reader(column) }));
  molecules = { lists: read, paths, kinds, of: reader(of), places: null, counts: [] };
}

/** Return a map of the simulations that have a molecule: row -> its place among them, and kind. */
function rowsWith(molecule) {
  molecules.places ??= allRowsWith();
  return molecules.places[molecule];
}

function allRowsWith() {
  const places = molecules.paths.map(() => new Map());
  for (const row of allRows()) {
    for (const kind of molecules.of(row) ?? []) {
      const own = places[molecules.kinds[kind][0]];
      if (!own.has(row)) own.set(row, { place: own.size, kind });
    }
  }
  return places;
}

/** Return a function row -> value of a field, whose column has simulations with a molecule only. */
function fieldReader(path, column) {
  if (isMissing(column?.molecule)) return reader(column);
  const { molecule, absent, derived, values } = column;
  const own = reader(values);
  const told = derived && (path.endsWith(".smiles") ? smilesIn : shareIn);
  const { has } = molecules.lists[molecules.paths[molecule][0]];
  return (row) => {
    const found = rowsWith(molecule).get(row);
    if (!found) return absent !== null && has(row) ? absent : null;
    const value = own(found.place);
    return told && value === true ? told(molecule, row, found.kind) : value;
  };
}

const smilesIn = (_molecule, _row, kind) => molecules.kinds[kind][2];

/** Return the count of a molecule in a simulation. */
function countIn(molecule, row) {
  molecules.counts[molecule] ??= valueReader(`${molecules.paths[molecule][1]}.count`);
  return molecules.counts[molecule](row);
}

/** Return the share of a molecule in the counts of its list. */
function shareIn(molecule, row) {
  const [list] = molecules.paths[molecule];
  const paths = new Set(molecules.of(row).map((kind) => molecules.kinds[kind][0]));
  let total = 0;
  for (const path of paths) if (molecules.paths[path][0] === list) total += countIn(path, row);
  return countIn(molecule, row) / total;
}

/** Return the composition of a simulation that its molecules tell. */
function compositionOf(row) {
  const listOf = (kind) => molecules.paths[molecules.kinds[kind][0]][0];
  const text = (kind) => {
    const [path, name] = molecules.kinds[kind];
    return [name, countIn(path, row)].filter((part) => !isMissing(part)).join(" ");
  };
  return [...groupBy(molecules.of(row), listOf)].map(([list, kinds]) => {
    const part = molecules.lists[list].path.split(".").slice(1, -1).join(".");
    return `${part ? `${part}: ` : ""}${kinds.map(text).join(" + ")}`;
  }).join(" | ");
}
