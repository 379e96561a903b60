// The data of the report. All of its text reaches the page as text nodes or attributes, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);

// Names may have characters that are invisible or turn the text around them. Spaces take their place.
for (const company of data.companies) {
  for (const field of ["name", "sector", "industry"]) {
    company[field] = company[field]?.replace(/[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+/g, " ");
  }
}

// Makes an element. `props` has event handlers (onclick), `class`, `text`, and attributes; null and
// false are left out. Children are nodes, texts, or null.
function el(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (name === "text") node.textContent = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined) node.append(child);
  return node;
}

function svg(path) {
  const ns = "http://www.w3.org/2000/svg";
  const node = document.createElementNS(ns, "svg");
  for (const [name, value] of Object.entries({
    viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": "1.8",
    "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true",
  })) node.setAttribute(name, value);
  const line = document.createElementNS(ns, "path");
  line.setAttribute("d", path);
  node.append(line);
  return node;
}

function iconButton(label, path, onclick) {
  return el("button", { class: "icon", type: "button", "aria-label": label, title: label, onclick }, svg(path));
}

function section(id, title, note, ...children) {
  const head = el("div", { class: "title" }, el("h2", { text: title }), note ? el("p", { class: "note", text: note }) : null);
  return el("section", { id }, head, ...children);
}

function panel(title, ...children) {
  return el("div", { class: "panel" }, title ? el("h3", { text: title }) : null, ...children);
}

// A key figure with an optional remark.
function kpi(name, value, remark, props) {
  return el(props && props.onclick ? "button" : "div", { class: "kpi", ...props },
    el("span", { class: "k", text: name }),
    el("span", { class: "v" }, value),
    remark ? el("small", { text: remark }) : null);
}

// A table. A column is {title, left, wrap, cell(row)}; a cell is a text, a node, or null for an empty cell.
function table(columns, rows, empty) {
  if (rows.length === 0) return el("p", { class: "empty", text: empty || "None." });
  const side = (column) => (column.wrap ? "wrap left" : column.left ? "left" : null);
  return el("div", { class: "scroll short", tabindex: "0" }, el("table", null,
    el("thead", null, el("tr", null, columns.map((c) => el("th", { class: side(c), scope: "col", text: c.title })))),
    el("tbody", null, rows.map((row) => el("tr", null, columns.map((column) => {
      const cell = column.cell(row);
      return el("td", { class: side(column) }, cell === null || cell === undefined ? "" : cell);
    }))))));
}

// Bars with a name and a number, as shares of the largest number.
function bars(rows, warn) {
  const most = Math.max(1, ...rows.map((row) => row.n));
  return el("div", { class: "bars" }, rows.flatMap((row) => [
    el("span", { text: row.name, "data-tip": row.tip }),
    el("span", { class: "track" }, el("i", { class: warn ? "warn" : null, style: `width:${(100 * row.n) / most}%` })),
    el("span", { class: "n", text: row.text || integer(row.n) }),
  ]));
}

function pill(text, kind) {
  return el("span", { class: `pill ${kind || ""}`, text });
}

function save(name, text, type) {
  const link = el("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
