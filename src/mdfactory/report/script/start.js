// Navigation by the fragment of the URL, print, and the start.

const SECTIONS = { overview, matrix, analyses, simulations, artifacts };
const PAGES = { analyses: analysisPage, simulations: simulationPage };
const MAX_PRINTED_ROWS = 500;

/** Return the section of the fragment and its content; an unknown one is the overview. */
function currentContent() {
  let text = location.hash.slice(1);
  try {
    text = decodeURIComponent(text);
  } catch { /* it is not encoded */ }
  const [name, ...rest] = text.split("/");
  const part = rest.join("/");
  const section = Object.hasOwn(SECTIONS, name) ? name : "overview";
  if (!part) return [section, SECTIONS[section]()];
  const page = PAGES[section]?.(part);
  return page ? [section, page] : ["overview", overview()];
}

let shownFragment = null;

/** Show the section of the fragment; the one that is shown already keeps its position and focus. */
function refresh() {
  const isSame = shownFragment === location.hash;
  const [main, place] = [byId("main"), window.scrollY];
  const top = main.querySelector(".scroller")?.scrollTop ?? 0;
  const label = main.contains(document.activeElement)
    ? document.activeElement.getAttribute("aria-label") : null;
  forgetPlots();
  const [section, content] = currentContent();
  main.replaceChildren(...[content].flat(Infinity).filter(isShown));
  markSection(section);
  shownFragment = location.hash;
  if (!isSame) return;
  window.scrollTo(0, place);
  const box = main.querySelector(".scroller");
  if (box) box.scrollTop = top;
  if (!label) return;
  const isFocused = (node) => node.getAttribute("aria-label") === label;
  const focused = [...main.querySelectorAll("[aria-label]")].find(isFocused);
  focused?.focus({ preventScroll: true });
}

function markSection(section) {
  for (const link of byId("sections").children) {
    const isCurrent = link.getAttribute("href") === `#${section}`;
    if (isCurrent) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const title = byId("main").querySelector("h1").textContent;
  document.title = section === "overview" ? core.title : `${title} · ${core.title}`;
}

const positions = new Map(); // fragment -> where it was left
let followsLink = false;

/** Show another section: from its top by a link, where it was left by the back button. */
function navigate() {
  positions.set(shownFragment, window.scrollY);
  refresh();
  window.scrollTo(0, followsLink ? 0 : positions.get(location.hash) ?? 0);
  followsLink = false;
  byId("main").querySelector("h1").focus({ preventScroll: true });
}

/** Put into the document what is printed: embedded plots would not wait for it. */
function preparePrint() {
  byId("print")?.remove();
  const shown = simulationColumns();
  const rows = sortedRows(shown);
  const groups = matrixGroups();
  const matrixNode = isMatrixImage()
    ? matrixImage(groups) : printedTable(matrixColumns(), matrixItems(groups));
  const pictures = [...byId("pictures").children].map((figure) => figure.cloneNode(true));
  const more = rows.length > MAX_PRINTED_ROWS
    && el("p", `${MAX_PRINTED_ROWS} of ${plural(rows.length, "simulation")}.`);
  const print = el("div", { id: "print" }, overview({ isPrinted: true }),
    el("h1", "Matrix"), matrixNode,
    pictures.length > 0 && el("h1", "Analyses"), pictures,
    el("h1", "Simulations"), printedTable(shown, rows.slice(0, MAX_PRINTED_ROWS)), more,
    el("p.dim", document.querySelector("footer").textContent));
  for (const details of print.querySelectorAll("details")) details.open = true;
  document.body.append(print);
}

function printedTable(shown, items) {
  const heads = shown.map((column) => el("th", { class: classOf(column) }, column.title));
  return plainTable(heads, items.map((item) => rowNode(shown, item, 0, null, false)));
}

function pressShortcut(event) {
  const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (event.key !== "/" || !isPlain || event.target.closest("input, select, textarea")) return;
  event.preventDefault();
  byId("search").focus();
}

function listen() {
  window.addEventListener("hashchange", navigate);
  window.addEventListener("beforeprint", preparePrint);
  window.addEventListener("afterprint", () => byId("print")?.remove());
  dark.addEventListener("change", () => setColour(state.colour));
  document.addEventListener("keydown", pressShortcut);
  document.addEventListener("click", ({ target }) => {
    if (target.closest?.("a[href^='#']")) followsLink = true;
  });
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault();
    byId("main").focus();
  });
}

async function start() {
  themes = JSON.parse(byId("themes").textContent);
  take(await blob("core"));
  document.documentElement.classList.add("live");
  for (const id of ["bar", "colouring"]) byId(id).hidden = false;
  fillBar();
  refresh();
  window.scrollTo(0, 0); // the browser went to the section of this name that was there before
  listen();
  document.documentElement.dataset.ready = "";
}

start();
