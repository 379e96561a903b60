// The sheet of a company in the report about all companies.
const sheet = document.getElementById("sheet");

function openSheet(heading, ...children) {
  sheet.replaceChildren(
    el("div", { class: "sheet-head" }, el("div", null, heading), iconButton("Close", "M6 6l12 12M18 6L6 18", () => sheet.close())),
    el("div", { class: "sheet-body" }, children));
  if (!sheet.open) sheet.showModal();
  sheet.scrollTop = 0;
}

sheet.addEventListener("click", (event) => event.target === sheet && sheet.close());
sheet.addEventListener("close", () => { hideTip(); document.body.append(tip); });

function openCompany(company) {
  const about = [company.sector, company.industry, company.exchange, company.country].filter(Boolean).join(" · ");
  openSheet([el("h2", { text: `${company.symbol}${company.name ? `  ${company.name}` : ""}` }), el("p", { class: "note", text: about })],
    datesOf(company), ...weekly(company), ...groupsOf(company),
    el("p", { class: "note" }, "Daily prices, history, and every figure down to the rows that FMP sent: ", el("code", { text: `findata report ${company.symbol}` })));
}

function datesOf(company) {
  const currency = company.currency === company.reported ? company.currency : `${company.currency || "unknown"}, reported in ${company.reported || "unknown"}`;
  return el("div", { class: "kpis" },
    kpi("Prices to", company.day ? day(company.day, true) : "none"),
    kpi("Twelve months to", company.ttm ? day(company.ttm, true) : "none", company.known_on ? `known on ${day(company.known_on, true)}` : null),
    kpi("Currency", currency || "unknown"),
    kpi("Checks passed", company.score === null ? "–" : `${fixed(company.score * 100, 1)}%`));
}

function weekly(company) {
  const [closes, multiples] = [numbers(company.p), numbers(company.e)];
  if (closes.length === 0) return [panel("Price", el("p", { class: "empty", text: "FMP has no prices for this company." }))];
  const x = data.weeks.slice(company.w, company.w + closes.length).map(seconds);
  const when = (n) => `week of ${day(isoDay(x[n]), true)}`;
  return [
    panel("Weekly close", chart({ x, when, format: "per_share", height: 190, label: `Weekly close of ${company.symbol}`,
      series: [{ label: company.currency || "close", values: closes, colour: "series-1", fill: true }] })),
    panel("Price to earnings of twelve months", chart({ x, when, format: "multiple", height: 150, label: `P/E of ${company.symbol}`,
      empty: "P/E has no value in these five years.", series: [{ label: "P/E", values: multiples, colour: "series-2" }] })),
  ];
}

function groupsOf(company) {
  const groups = new Map();
  data.figures.forEach((figure, at) => {
    if (!groups.has(figure.group)) groups.set(figure.group, []);
    groups.get(figure.group).push(detailsOf(company, figure, at));
  });
  return [...groups].map(([name, rows]) => el("div", { class: "stack", style: "gap:8px" }, el("h3", { text: name }), el("div", { class: "figures" }, rows)));
}

function detailsOf(company, figure, at) {
  return el("details", { "data-figure": figure.name }, el("summary", null, el("span", { class: "name", text: figure.label }),
    el("span", { class: "value" }, figureNode(figure.format, company.v[at], company.r[at], company.s[at]))), whyOf(company, figure, at));
}

function whyOf(company, figure, at) {
  const value = company.v[at];
  const isSession = company.day && (figure.group === "Price" || figure.group === "Valuation");
  const text = (content, kind) => el("p", { class: kind, text: content });
  return el("div", { class: "why" },
    value === null ? text(`NULL: ${reasonText(company.r[at]).replace("\n", " ")}`) : text(`${exact(value)}${isSession ? ` on ${day(company.day)}` : company.ttm ? `, twelve months to ${day(company.ttm)}` : ""}`),
    company.s[at] ? text(suspectText(company.s[at]), "down") : null,
    figure.about ? text(`${title(figure.about).replace(/\.$/, "")}.`) : null,
    figure.formula ? text(`= ${figure.formula}`, "formula") : null,
    inputsOf(company, figure, at),
    figure.only_when.length ? text(`Only when ${figure.only_when.join(", and ")}.`) : null);
}

function inputsOf(company, figure, at) {
  if (figure.inputs.length === 0) return null;
  if (company.h.includes(at)) return el("p", { text: `Its inputs are in other rows than those of this report; findata explain ${company.symbol} ${figure.name} shows them.` });
  return el("div", { class: "inputs" }, figure.inputs.flatMap((n) => {
    const value = company.x[n];
    return [el("span", { text: data.inputs[n].label }), el("span", { text: value === null ? "not available" : inputText(value, data.inputs[n].format) })];
  }));
}

const inputText = (value, format) => (format === "money" || format === "shares" ? `${amount(value)}  (${exact(value)})` : format === "percent" ? show.percent(value) : exact(value));
