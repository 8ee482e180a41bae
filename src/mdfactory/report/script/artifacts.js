// Artifacts: pictures by name or by simulation, and files that are only listed.

const ARTIFACTS_SHOWN = 120; // at once
const MAX_FILES = 8; // of an artifact

function artifacts() {
  const orders = [["", [["name", "by name"], ["simulation", "by simulation"]]]];
  const reorder = (order) => {
    Object.assign(state, { artifactsBy: order, artifactPage: 0 });
    refresh();
  };
  const count = ({ name, completed, pictures }) =>
    `${name}: ${plural(completed, "record")}, ${plural(pictures, "picture")}`;
  return [
    heading("Artifacts", choice("order", orders, state.artifactsBy, reorder)),
    el("p.dim", core.artifacts.map(count).join("; ")),
    later((node) => drawArtifacts(node)),
  ];
}

/** Draw the artifacts of the simulations that pass the filter, or of one simulation. */
async function drawArtifacts(node, row = null) {
  const all = (await blob("artifacts")) ?? [];
  const chosen = row === null ? chosenRows() : new Set([row]);
  const own = all.filter((artifact) => chosen.has(artifact.simulation));
  if (!own.length) {
    const nothing = el("p.empty", "No artifacts of the simulations chosen.");
    node.replaceChildren(...(row === null ? [nothing] : []));
    return;
  }
  const byName = row === null && state.artifactsBy === "name";
  const ordered = byName ? sorted(own, (artifact) => artifact.name) : own;
  const lastPage = Math.ceil(ordered.length / ARTIFACTS_SHOWN) - 1;
  const first = row === null ? Math.min(state.artifactPage, lastPage) * ARTIFACTS_SHOWN : 0;
  const shown = ordered.slice(first, first + ARTIFACTS_SHOWN);
  const groups = groupBy(shown, (artifact) => (byName ? artifact.name : artifact.simulation));
  const title = (key) => (row === null ? (byName ? key : linkTo(key)) : "Artifacts");
  const galleries = [...groups].flatMap(([key, list]) => [
    el("h2", title(key)),
    el("div.gallery", list.flatMap((artifact) => figuresOf(artifact, byName))),
  ]);
  const buttons = pageButtons("artifactPage", first, ordered.length, ARTIFACTS_SHOWN);
  node.replaceChildren(buttons, ...galleries);
}

/** Return the buttons that turn the pages of a list; its page is kept in the state by a name. */
function pageButtons(name, first, total, size) {
  const turn = (step) => () => {
    state[name] = first / size + step;
    refresh();
  };
  const last = Math.min(first + size, total);
  return el("div.controls", { hidden: total <= size },
    el("button", { disabled: first === 0, click: turn(-1) }, "previous"),
    `${grouped(first + 1)} to ${grouped(last)} of ${grouped(total)}`,
    el("button", { disabled: last === total, click: turn(1) }, "next"));
}

/** Return the files of an artifact, and how many more there are. */
function figuresOf(artifact, byName) {
  const shown = artifact.files.slice(0, MAX_FILES);
  const more = (artifact.more ?? 0) + artifact.files.length - shown.length;
  const note = more > 0 && el("p.dim", `${plural(more, "more file")} of ${artifact.name}`);
  return [...shown.map((file) => fileFigure(artifact, file, byName)), note];
}

function fileFigure(artifact, file, byName) {
  const { simulation: row, name } = artifact;
  const size = !isMissing(file.size) && formatBytes(file.size);
  const texts = [file.path.split("/").at(-1), size, file.note].filter(Boolean);
  const digest = file.sha256 && !isPicture(file.picture)
    && el("span.hash.dim", { title: file.sha256 }, `SHA-256 ${file.sha256.slice(0, 12)}…`);
  const caption = el("figcaption", byName ? linkTo(row) : el("b", name),
    el("span.dim", { title: file.path }, texts.join(" · ")), digest);
  if (!isPicture(file.picture)) return el("figure.file", caption);
  const image = el("img", { src: file.picture, alt: `${name} of ${nameOf(row)}`, loading: "lazy" });
  const click = () => enlarge(file.picture, `${name} of ${nameOf(row)}`);
  const label = `enlarge ${name} of ${nameOf(row)}`;
  return el("figure", el("button.picture", { "aria-label": label, click }, image), caption);
}

const isPicture = (source) => Boolean(source?.startsWith("data:image/"));

function formatBytes(size) {
  if (size < 1000) return `${size} B`;
  return size < 1e6 ? `${(size / 1e3).toPrecision(3)} kB` : `${(size / 1e6).toPrecision(3)} MB`;
}

/** Show a picture large, until a click or the Escape key. */
function enlarge(src, text) {
  const image = el("img", { src, alt: text });
  const content = [image, el("p", text), el("button", "close")];
  const dialog = el("dialog", { "aria-label": text }, content);
  dialog.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
