// Tables of any length, of which only the rows in view are in the document.

const ROW_HEIGHT = 34; // pixels, as in the style sheet
const SPARE_ROWS = 6;
const SAMPLED_ROWS = 100; // of which the widths of columns are made

/** Return a table in a box that scrolls.
 *
 * columns: title, cell (item -> text or node), and, if there are any: key, hint, width (in
 * letters), numeric, class, total (rows -> text, in headings).
 * items: rows of simulations or other things; those with `heading` are headings.
 * open: what a click or the Enter key does with an item. resort: takes {key, down}.
 */
function virtualTable({ label, columns: shown, items, open, sort, resort }) {
  const body = el("tbody");
  const head = el("thead", el("tr", headCells(shown, items, sort, resort)));
  const table = el("table", { "aria-label": label, "aria-rowcount": items.length + 1 }, head, body);
  const box = el("div.scroller", { tabindex: 0, role: "region", "aria-label": label }, table);
  let current = 0;
  let range = "";
  const show = (anew = false) => {
    const first = Math.max(0, Math.floor(box.scrollTop / ROW_HEIGHT) - SPARE_ROWS);
    const height = box.clientHeight || 600;
    const last = Math.min(items.length, first + Math.ceil(height / ROW_HEIGHT) + 2 * SPARE_ROWS);
    if (!anew && range === `${first} ${last}`) return;
    range = `${first} ${last}`;
    const hasFocus = body.contains(document.activeElement);
    const rows = items.slice(first, last).map((item, k) =>
      rowNode(shown, item, first + k, open, first + k === current));
    body.replaceChildren(spacer(first, shown), ...rows, spacer(items.length - last, shown));
    if (hasFocus) body.querySelector(`[data-place="${current}"]`)?.focus({ preventScroll: true });
  };
  const move = (place) => {
    current = nextRow(items, place, current);
    const [top, room] = [current * ROW_HEIGHT, box.clientHeight - 2 * ROW_HEIGHT];
    box.scrollTop = Math.min(top, Math.max(top - room, box.scrollTop));
    show(true);
    body.querySelector(`[data-place="${current}"]`)?.focus({ preventScroll: true });
  };
  box.addEventListener("scroll", () => requestAnimationFrame(() => show()), { passive: true });
  if (open) box.addEventListener("keydown", (event) => pressKey(event, box, items, open, move));
  new ResizeObserver(() => show()).observe(box);
  show(true);
  return box;
}

/** Move to another row by the keyboard, or open the row that has the focus. */
function pressKey(event, box, items, open, move) {
  const row = event.target.closest("[data-place]");
  if (event.key === "Enter" && row && !event.target.closest("a")) open(items[row.dataset.place]);
  const place = row ? Number(row.dataset.place) : -1;
  const page = Math.max(1, Math.floor(box.clientHeight / ROW_HEIGHT) - 2);
  const places = {
    ArrowDown: place + 1, ArrowUp: place - 1, PageDown: place + page, PageUp: place - page,
    Home: 0, End: items.length - 1,
  };
  if (!(event.key in places)) return;
  event.preventDefault();
  move(places[event.key]);
}

/** Return a place in the table that is no heading. */
function nextRow(items, wanted, current) {
  let place = Math.max(0, Math.min(items.length - 1, wanted));
  const step = wanted < current && place > 0 ? -1 : 1;
  while (items[place]?.heading && items[place + step]) place += step;
  return place;
}

function spacer(count, shown) {
  const style = { height: `${count * ROW_HEIGHT}px` };
  const cell = el("td.spacer", { colspan: shown.length, style });
  return el("tr", { "aria-hidden": "true", hidden: count <= 0 }, cell);
}

function rowNode(shown, item, place, open, isCurrent) {
  if (item.heading) {
    const totals = shown.slice(1).map((column) =>
      el("td", { class: column.class }, column.total?.(item.rows) ?? ""));
    return el("tr.heading", el("th", { scope: "rowgroup" }, item.heading), totals);
  }
  const cells = shown.map((column) => el("td", { class: classOf(column) }, column.cell(item)));
  if (!open) return el("tr", { "aria-rowindex": place + 2 }, cells);
  const click = (event) => {
    if (!event.target.closest("a")) open(item);
  };
  const tabindex = isCurrent ? 0 : -1;
  return el("tr.open", { tabindex, "aria-rowindex": place + 2, "data-place": place, click }, cells);
}

const classOf = (column) => (column.numeric ? "number" : column.class);

/** Return the heads of columns; those with a key sort the table. */
function headCells(shown, items, sort, resort) {
  const sample = items.filter((item) => !item.heading).slice(0, SAMPLED_ROWS);
  return shown.map((column) => {
    const isSorted = Boolean(sort) && sort.key === column.key;
    const order = isSorted ? (sort.down ? "descending" : "ascending") : null;
    const arrow = isSorted ? (sort.down ? " ▼" : " ▲") : "";
    const mark = el("span", { "aria-hidden": "true" }, arrow);
    const press = () => resort({ key: column.key, down: isSorted && !sort.down });
    const isButton = resort && column.key;
    const content = isButton ? el("button", { click: press }, column.title, mark) : column.title;
    const style = { width: `${column.width ?? widthOf(column, sample)}ch` };
    const attributes = { scope: "col", title: column.hint, class: classOf(column), style };
    return el("th", { ...attributes, "aria-sort": order }, content);
  });
}

/** Return the width of a column in letters, by its title and its first rows. */
function widthOf(column, sample) {
  const lengths = sample.map((item) => {
    const content = column.cell(item);
    return (content instanceof Node ? content.textContent : String(content)).length;
  });
  const title = Math.min(column.title.length, 22) * 0.8 + 1.5;
  return Math.min(34, Math.max(title, 4, ...lengths) * 0.93 + 1.9);
}
