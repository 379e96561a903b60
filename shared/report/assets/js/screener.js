// The table of all companies: views, sorting, search, filters, CSV.
const views = {
  Overview: ["close_price", "return_21d", "market_cap", "pe_ratio_ttm", "ev_to_ebitda", "fcf_yield", "dividend_yield", "revenue_yoy", "net_margin", "roe"],
};
const screen = { view: "Overview", search: "", sector: "", only: "", filters: [], sort: { at: null, down: true }, rows: [], body: null, status: null };
const figureAt = new Map();

function setUpScreener() {
  data.figures.forEach((figure, at) => {
    figureAt.set(figure.name, at);
    (views[figure.group] ||= []).push(figure.name);
  });
  views.All = data.figures.map((figure) => figure.name);
  screen.sort.at = figureAt.get("market_cap") ?? 0;
  screen.newest = newestDay();
}

const newestDay = () => data.companies.map((company) => company.day).filter(Boolean).sort().at(-1) ?? null;

const columnsOfView = () => views[screen.view].filter((name) => figureAt.has(name)).map((name) => figureAt.get(name));

function screenerSection() {
  setUpScreener();
  const sectors = [...new Set(data.companies.map((company) => company.sector).filter(Boolean))].sort();
  screen.status = el("span", { class: "note", "aria-live": "polite", id: "shown" });
  screen.chips = el("div", { class: "chips", id: "filters" });
  screen.body = el("div", { class: "scroll tall screener", tabindex: "0", "aria-label": "Companies" });
  const search = el("input", { type: "search", placeholder: "Symbol, name or industry", "aria-label": "Search companies", id: "search",
    oninput: (event) => { screen.search = event.target.value.trim().toLowerCase(); update(); } });
  const sector = select("Sector", "sector", [["", "All sectors"], ...sectors.map((name) => [name, name])], (value) => { screen.sector = value; update(); });
  const only = select("Data", "only", [["", "All companies"], ["suspect", "With suspect figures"], ["null", "With NULL figures"], ["clean", "Without suspect figures"]],
    (value) => { screen.only = value; update(); });
  const result = section("screener", "Screener", null,
    el("div", { class: "controls" }, search, sector, only, ...filterControls()),
    el("div", { class: "controls" }, viewButtons(), el("span", { class: "spacer" }), screen.status,
      el("button", { class: "button", type: "button", id: "csv", onclick: saveCsv, text: "Save as CSV" })),
    screen.chips, screen.body,
    el("p", { class: "note", text: `${currencyNote()} A dash is NULL, and a marked figure is suspect: point at it or tap it for the reason. Choose a company for its formulas and inputs.` }));
  update();
  return result;
}

function currencyNote() {
  const currencies = new Set(data.companies.flatMap((company) => [company.currency, company.reported]).filter(Boolean));
  if (currencies.size === 1) return `Amounts are in ${[...currencies][0]}.`;
  return "Market figures are in the currency of the price, statement figures in the reported currency.";
}

function select(label, id, options, onchange) {
  return el("select", { "aria-label": label, id, onchange: (event) => onchange(event.target.value) },
    options.map(([value, text]) => el("option", { value, text })));
}

function viewButtons() {
  const buttons = Object.keys(views).map((name) => el("button", { type: "button", "aria-pressed": String(name === screen.view), text: name,
    onclick: () => {
      screen.view = name;
      for (const button of buttons) button.setAttribute("aria-pressed", String(button.textContent === name));
      update();
    } }));
  return el("div", { class: "segments", role: "group", "aria-label": "Columns" }, buttons);
}

function matches(company) {
  if (screen.sector && company.sector !== screen.sector) return false;
  if (screen.search && !`${company.symbol} ${company.name || ""} ${company.industry || ""}`.toLowerCase().includes(screen.search)) return false;
  const isSuspect = Object.keys(company.s).length > 0;
  if ((screen.only === "suspect" && !isSuspect) || (screen.only === "clean" && isSuspect)) return false;
  if (screen.only === "null" && !columnsOfView().some((at) => company.v[at] === null)) return false;
  return screen.filters.every((filter) => passes(filter, company.v[filter.at]));
}

// NULL comes last in both directions.
function compare(a, b) {
  const { at, down } = screen.sort;
  if (at === "symbol") return (down ? -1 : 1) * (a.symbol < b.symbol ? -1 : 1);
  if (at === "sector") return (down ? -1 : 1) * (a.sector || "").localeCompare(b.sector || "", "en");
  const [x, y] = [a.v[at], b.v[at]];
  if (x === null || y === null) return (x === null) - (y === null);
  return down ? y - x : x - y;
}

function update() {
  screen.rows = data.companies.filter(matches).sort(compare);
  screen.status.textContent = `${integer(screen.rows.length)} of ${counted(data.companies.length, "company", "companies")}`;
  showChips();
  hideTip();
  const columns = columnsOfView();
  const head = (text, at, props) => el("th", { scope: "col", "aria-sort": at === screen.sort.at ? (screen.sort.down ? "descending" : "ascending") : null, ...props },
    el("button", { class: "sort", type: "button", text, onclick: () => sortBy(at) }));
  screen.body.replaceChildren(el("table", null,
    el("thead", null, el("tr", null, head("Company", "symbol", { class: "left" }),
      columns.map((at) => head(data.figures[at].title, at, { "data-tip": headTip(data.figures[at]) })),
      head("Sector", "sector", { class: "left" }))),
    el("tbody", null, screen.rows.map((company) => rowOf(company, columns)))));
  if (screen.rows.length === 0) screen.body.append(el("p", { class: "empty", style: "padding:16px", text: "No company fits. Remove a filter." }));
}

const headTip = (figure) => [figure.label, figure.about && title(figure.about), figure.formula && `= ${figure.formula}`].filter(Boolean).join("\n");

function sortBy(at) {
  const isText = typeof at === "string";
  screen.sort = screen.sort.at === at ? { at, down: !screen.sort.down } : { at, down: !isText };
  update();
  screen.body.querySelector("th[aria-sort] button").focus();
}

function rowOf(company, columns) {
  return el("tr", { onclick: (event) => { if (!event.target.closest("[data-tip]")) openCompany(company); } },
    el("th", { scope: "row" }, el("button", { class: "co", type: "button" }, el("b", { text: company.symbol }), el("span", { text: company.name || "" }),
      company.day === screen.newest ? null : el("small", { text: company.day ? `prices to ${day(company.day, true)}` : "no prices" }))),
    columns.map((at) => {
      const figure = data.figures[at];
      const isReturn = figure.group === "Price" && figure.format === "percent" && figure.name.startsWith("return");
      const value = company.v[at];
      return el("td", { class: isReturn && value !== null ? (value < 0 ? "down" : "up") : null }, figureNode(figure.format, value, company.r[at], company.s[at]));
    }),
    el("td", { class: "left", text: company.sector || "" }));
}

// A cell that a spreadsheet would take for a formula gets an apostrophe.
function csvCell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function csvText() {
  hideTip();
  const columns = columnsOfView();
  const head = ["symbol", "company_name", "sector", "industry", "currency", "reported_currency", "metric_date", "fiscal_date", ...columns.map((at) => data.figures[at].name), "suspect"];
  const lines = screen.rows.map((c) => [c.symbol, c.name, c.sector, c.industry, c.currency, c.reported, c.day, c.ttm,
    ...columns.map((at) => c.v[at]), columns.filter((at) => c.s[at]).map((at) => data.figures[at].name).join(" ")]);
  return [head, ...lines].map((line) => line.map(csvCell).join(",")).join("\r\n") + "\r\n";
}

const saveCsv = () => save("findata-screener.csv", csvText(), "text/csv;charset=utf-8");
