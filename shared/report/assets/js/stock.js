// The page about one company in the report about a few companies.
function companiesPage() {
  const links = data.companies.map((company) => el("a", { href: `#${encodeURIComponent(company.symbol)}`, text: company.symbol }));
  header(links);
  for (const company of data.companies) {
    company.series = {};
    for (const name of ["close", "sma_50", "sma_200", "pe"]) company.series[name] = numbers(company.daily[name]);
    company.x = company.daily.dates === "" ? [] : company.daily.dates.split(",").map(seconds);
  }
  const showChosen = () => {
    let name = location.hash.slice(1);
    try { name = decodeURIComponent(name); } catch { /* Not an address of this page. */ }
    const company = data.companies.find((known) => known.symbol === name) || data.companies[0];
    links.forEach((link, n) => link.setAttribute("aria-current", String(data.companies[n] === company)));
    if (sheet.open) sheet.close();
    charts.clear();
    document.getElementById("app").replaceChildren(...stockSections(company));
    scrollTo(0, 0);
  };
  addEventListener("hashchange", showChosen);
  showChosen();
}

function stockSections(company) {
  return [headOf(company), keyFigures(company),
    chartSection(company),
    section("years", "Fiscal years", company.annual.years.length ? "Choose a figure to see where it comes from." : null, yearTable(company)),
    section("figures", "Figures", company.reported && company.currency !== company.reported
      ? `Market figures are in ${company.currency || "an unknown currency"}, statement figures in ${company.reported}.` : null, figureGroups(company)),
    section("fmp", "Our figures next to FMP's", "FMP's figures are from the day of the fetch. A figure is not compared if it has other inputs; the reason says why.", comparisonTable(company))];
}

// The charts that have values, and the names of the others.
function chartSection(company) {
  const hasPrices = company.x.length > 0;
  const twelve = `Twelve months${company.reported ? `, ${company.reported}` : ""}`;
  const all = [
    ["price", hasPrices ? priceChart(company, company.x) : null],
    ["price to earnings", hasPrices ? peChart(company, company.x) : null],
    ["twelve months", periodChart(company, twelve, "money", [["Revenue", "revenue"], ["Net income", "net_income"], ["Free cash flow", "free_cash_flow"]])],
    ["margins", periodChart(company, "Margins", "percent", [["Gross", "gross_margin"], ["Operating", "operating_margin"], ["Net", "net_margin"]])],
    ["returns", periodChart(company, "Returns", "percent", [["ROE", "roe"], ["ROIC", "roic"], ["ROA", "roa"]])],
    ["dividends", dividendChart(company)],
  ];
  const missing = all.filter(([, node]) => node === null).map(([name]) => name);
  const [price, earnings, ...others] = all.map(([, node]) => node);
  return el("section", null, price, earnings, others.some((node) => node !== null) ? el("div", { class: "grid-2" }, others) : null,
    missing.length ? el("p", { class: "note", text: `Not charted, because there are no values: ${missing.join(", ")}.` }) : null);
}

function headOf(company) {
  const about = [company.sector, company.industry, company.exchange, company.country].filter(Boolean).join(" · ");
  const last = company.series.close.at(-1);
  const change = company.series.close.length > 1 ? last / company.series.close.at(-2) - 1 : null;
  const price = company.day ? el("div", { class: "price" }, el("b", { text: fixed(last, 2) }), ` ${company.currency || ""} `,
    change === null ? null : el("span", { class: change < 0 ? "down" : "up", text: `${change > 0 ? "+" : ""}${show.percent(change)}` }),
    el("small", { text: `close of ${day(company.day)}` })) : null;
  return el("div", { class: "stack" },
    el("div", { class: "company-head" },
      el("div", { class: "title" }, el("h1", { text: `${company.name || company.symbol}` }),
        el("p", { class: "lead", text: [company.symbol, about].filter(Boolean).join(" · ") }),
        el("p", { class: "note", text: company.as_of ? `Fundamentals to ${day(company.as_of)}, known on ${day(company.known_on)}.` : "No fundamentals." })), price),
    company.suspicions.length ? el("div", { class: "banner" }, el("span", { text: "⚠" }), el("span", null,
      company.suspicions.map((code) => el("p", { text: `${title(plain(code))}: ${data.suspicions[code] || ""}` })))) : null);
}

const keyNames = ["market_cap", "enterprise_value", "pe_ratio_ttm", "ev_to_ebitda", "fcf_yield", "dividend_yield", "ttm_revenue", "revenue_yoy", "net_margin", "roic", "return_252d", "beta_252d"];

function keyFigures(company) {
  const chosen = keyNames.map((name) => company.figures.find((figure) => figure.name === name)).filter(Boolean);
  return el("div", { class: chosen.length === keyNames.length ? "kpis six" : "kpis" }, chosen.map((figure) => {
    const node = company.explanations.nodes[figure.at];
    return kpi(figure.group === "Twelve months" ? `${figure.title}, 12 months` : figure.name === "return_252d" ? "1-year return" : figure.title, valueNode(node, figure.format, figure.is_price), currencyOf(company, figure),
      { type: "button", "data-figure": figure.name, onclick: () => openExplanation(company, figure.at, figure.label) });
  }));
}

// The currency of an amount, where prices and statements have different ones.
function currencyOf(company, figure) {
  if (figure.format !== "money" || !company.reported || company.currency === company.reported) return null;
  return figure.group === "Valuation" ? company.currency : company.reported;
}

function figureGroups(company) {
  const groups = new Map();
  for (const figure of company.figures) {
    if (!groups.has(figure.group)) groups.set(figure.group, []);
    const node = company.explanations.nodes[figure.at];
    groups.get(figure.group).push(el("button", { class: "figure-row", type: "button", onclick: () => openExplanation(company, figure.at, figure.label) },
      el("span", { text: figure.label }), el("span", { class: "value" }, valueNode(node, figure.format, figure.is_price))));
  }
  return el("div", { class: "figure-groups" }, [...groups].map(([name, rows]) => el("div", null, el("h3", { text: name }), el("div", { class: "figures" }, rows))));
}

function yearTable(company) {
  const { years, rows } = company.annual;
  return table([
    { title: company.reported ? `In ${company.reported}` : "Figure", left: true, cell: (row) => row.title },
    ...years.map((year, n) => ({ title: day(year, true), cell: (row) => explained(company, row.at[n], row.format) })),
  ], years.length ? rows : [], "No fiscal year is known.");
}

function comparisonTable(company) {
  const kinds = { pass: "good", flag: "warn" };
  return table([
    { title: "Figure", left: true, cell: (c) => title(plain(c.label)) },
    { title: "Ours", cell: (c) => (c.at === null ? (c.ours === null ? "–" : formatted(c.format, c.ours)) : explained(company, c.at, c.format)) },
    { title: "FMP's", cell: (c) => (c.theirs === null ? "–" : formatted(c.format, c.theirs)) },
    { title: "Difference", cell: (c) => (c.relative === null ? "–" : `${fixed(c.relative * 100, 2)}%`) },
    { title: "Check", left: true, cell: (c) => (c.status === "not_checked" ? el("span", { class: "null", tabindex: "0", "data-tip": title(plain(c.reason || "no reason is stored")) }, el("span", { text: "not compared" }))
      : pill(c.status === "pass" ? "same" : "differs", kinds[c.status])) },
  ], company.comparison, "The warehouse has no figures of FMP for this company. findata run --reconcile loads them, except for funds.");
}
