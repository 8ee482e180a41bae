// Elements of the document, the data in it, and files. Texts become text nodes and attributes only.

const SVG_TAGS = new Set(["svg", "rect"]);
const byId = (id) => document.getElementById(id);
const isShown = (child) => !isMissing(child) && child !== false;

/** Return an element of a tag and classes, such as `p.dim`, with attributes, if they are given.
 *
 * Functions become listeners; `style` is an object; what is null or false is left out.
 */
function el(tag, attributes, ...children) {
  const isContent = attributes instanceof Node || Array.isArray(attributes);
  if (isContent || typeof attributes !== "object" || attributes === null) {
    return el(tag, {}, attributes, ...children);
  }
  const [name, ...classes] = tag.split(".");
  const node = SVG_TAGS.has(name)
    ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  if (name === "button") node.type = "button";
  if (classes.length) node.setAttribute("class", classes.join(" "));
  for (const [key, value] of Object.entries(attributes)) setAttribute(node, key, value);
  node.append(...children.flat(Infinity).filter(isShown));
  return node;
}

function setAttribute(node, key, value) {
  if (!isShown(value)) return;
  if (typeof value === "function") node.addEventListener(key, value);
  else if (key === "style") {
    for (const [name, text] of Object.entries(value)) node.style.setProperty(name, text);
  } else if (key === "value") node.value = value;
  else node.setAttribute(key, value === true ? "" : value);
}

const linkButton = (text, click, label) => el("button.link", { click, "aria-label": label }, text);
const tableRow = (...cells) => el("tr", cells.map((cell) => el("td", cell)));
const dimCell = (...content) => el("td.dim", content);

/** Return a table with heads, if there are any, and rows. */
function plainTable(heads, rows, kind = "table.plain") {
  const head = heads.length > 0 && el("thead", el("tr", heads.map(headCell)));
  return el(kind, head, el("tbody", rows));
}

const headCell = (text) => (text instanceof Node ? text : el("th", { scope: "col" }, text));

/** Return choices in groups [title, [[value, label], ...]]. */
function choice(label, groups, value, change) {
  const options = groups.filter(([, entries]) => entries.length).map(([title, entries]) => {
    const list = entries.map(([key, text]) => el("option", { value: key }, text));
    return title ? el("optgroup", { label: title }, list) : list;
  });
  const changed = (event) => change(event.target.value);
  const select = el("select", { "aria-label": label, change: changed }, options);
  select.value = value;
  return select;
}

/** Return a command, and a button that copies it. */
function commandLine(command) {
  const code = el("code", command);
  const copy = async (event) => {
    getSelection().selectAllChildren(code);
    await navigator.clipboard?.writeText(command).catch(() => {});
    event.target.textContent = "copied";
  };
  const label = `copy the command ${command}`;
  return el("span.command", code, el("button.small", { click: copy, "aria-label": label }, "copy"));
}

// Data of the page

/** Return the bytes of a blob of the page, inflated. */
async function inflate(id) {
  const text = atob(byId(`data-${id}`).textContent);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const blobs = new Map();
const parseJson = (bytes) => JSON.parse(new TextDecoder().decode(bytes));

/** Return the promise of the data of a blob, which is read once; of null if there is none. */
function blob(id, parse = parseJson) {
  if (!blobs.has(id)) {
    blobs.set(id, byId(`data-${id}`) ? inflate(id).then(parse) : Promise.resolve(null));
  }
  return blobs.get(id);
}

/** Save a text or bytes as a file. */
function save(name, content, type) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

// Tooltips

/** Show names and values beside the pointer. */
function showTip(event, value) {
  const all = Array.isArray(value) ? value : Object.entries(Object(value ?? {}));
  const pairs = all.filter(([, text]) => text !== "" && text !== "null");
  if (!pairs.length) {
    hideTip();
    return;
  }
  const tip = byId("tip");
  tip.replaceChildren(...pairs.map(([name, text]) =>
    el("div", el("span.dim", `${name} `), el("b", formatValue(text)))));
  tip.hidden = false;
  tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8)}px`;
}

function hideTip() {
  byId("tip").hidden = true;
}
