// Freshness, coverage and the quality of the data.
function coverageSection() {
  const c = data.coverage;
  const share = (n) => `${fixed((100 * n) / Math.max(1, c.companies), 1)}% of companies`;
  const oldest = c.prices.length ? c.prices : [{ name: null, n: 0 }];
  const ages = c.statements.map((row) => ({ name: title(row.name.slice(2)), n: row.n }));
  const filled = data.figures.map((figure, n) => {
    const known = data.companies.filter((company) => company.v[n] !== null).length;
    return { name: figure.title, n: known, tip: figure.label, text: `${fixed((100 * known) / data.companies.length, 0)}%` };
  });
  return section("coverage", "Freshness and coverage", null,
    el("div", { class: "kpis" },
      kpi("Companies", integer(c.companies)),
      kpi("With prices", integer(c.with_prices), share(c.with_prices)),
      kpi("With statements", integer(c.with_statements), share(c.with_statements)),
      kpi("With twelve months", integer(c.with_twelve_months), share(c.with_twelve_months)),
      kpi("Newest price", oldest[0].name ? day(oldest[0].name, true) : "none", oldest[0].name ? counted(oldest[0].n, "company", "companies") : null)),
    el("div", { class: "grid-2" },
      panel("Age of the newest period end", bars(ages)),
      panel("Date of the newest price", bars(c.prices.slice(0, 8).map((row) => ({ name: day(row.name, true), n: row.n }))),
        c.prices.length > 8 ? el("p", { class: "note", text: `${integer(c.prices.slice(8).reduce((t, r) => t + r.n, 0))} companies have older prices.` }) : null)),
    el("div", { class: "grid-2" },
      panel("Datasets", table([
        { title: "Dataset", left: true, cell: (r) => title(plain(r.dataset)) },
        { title: "Symbols", cell: (r) => integer(r.symbols) },
        { title: "No rows", cell: (r) => integer(r.empty) },
        { title: "Failed", cell: (r) => (r.failed ? pill(integer(r.failed), "bad") : "0") },
        { title: "Newest fetch", cell: (r) => moment(r.newest) },
      ], c.datasets)),
      panel("Companies with a value", el("div", { class: "short-list" }, bars(filled)))));
}

function qualitySection() {
  const q = data.quality;
  const of = (kind) => q.checks.filter((check) => check.kind === kind);
  const total = (list, field) => list.reduce((n, check) => n + check[field], 0);
  const made = total(q.checks, "pass") + total(q.checks, "flag");
  const suspects = data.companies.filter((company) => Object.keys(company.s).length > 0);
  return section("quality", "Quality",
    "Every statement must satisfy identities, such as assets equal liabilities and equity. Our figures are compared with FMP's. A contradiction marks figures as suspect.",
    el("div", { class: "kpis" },
      kpi("Checks passed", `${fixed((100 * total(q.checks, "pass")) / Math.max(1, made), made > 10000 ? 3 : 2)}%`, `${integer(total(q.checks, "pass"))} of ${integer(made)}`),
      kpi("Flagged", integer(q.flagged), "checks"),
      kpi("Suspect", integer(suspects.length), "companies with a suspect figure"),
      kpi("Quarantined", integer(q.quarantined), "rows and fields"),
      kpi("Restatements", integer(q.restated), "changed statement items"),
      kpi("Corrections", integer(q.corrections.length), "by the user, in force")),
    el("div", { class: "grid-2" },
      panel("Identities", checkTable(of("identity"), "")),
      panel("Our figures next to FMP's", checkTable(of("fmp"), "fmp_"))),
    el("div", { class: "grid-2" }, suspicionPanel(of("suspicion")), nullPanel()),
    panel("Flagged checks", flagTable(q)),
    el("div", { class: "grid-2" }, quarantinePanel(q), restatementPanel(q)),
    q.corrections.length ? panel("Corrections", table([
      { title: "Symbol", left: true, cell: (r) => companyLink(r.symbol) },
      { title: "Figure", left: true, cell: (r) => plain(r.name.replace(/^corrected_/, "")) },
      { title: "Date", cell: (r) => day(r.date, true) },
      { title: "Reason", wrap: true, cell: (r) => r.reason },
    ], q.corrections)) : null);
}

function checkTable(checks, prefix) {
  const sorted = [...checks].sort((a, b) => b.flag - a.flag || (a.name < b.name ? -1 : 1));
  return table([
    { title: "Check", left: true, cell: (c) => title(plain(c.name.slice(prefix.length))) },
    { title: "Passed", cell: (c) => integer(c.pass) },
    { title: "Flagged", cell: (c) => (c.flag ? pill(integer(c.flag), "warn") : "0") },
    { title: "Not checked", cell: (c) => integer(c.not_checked) },
  ], sorted, prefix ? "No figures of FMP to compare: findata run --reconcile loads them." : "No checks.");
}

function suspicionPanel(checks) {
  return panel("Suspicions", checks.length === 0 ? el("p", { class: "empty", text: "No values contradict each other." })
    : bars(checks.map((c) => ({ name: title(plain(c.name)), n: c.flag, tip: data.suspicions[c.name] })), true));
}

function nullPanel() {
  const counts = new Map();
  for (const company of data.companies) for (const reason of Object.values(company.r)) counts.set(reason, (counts.get(reason) || 0) + 1);
  const rows = [...counts].map(([code, n]) => ({ name: title(plain(code)), n, tip: data.reasons[code] })).sort((a, b) => b.n - a.n);
  return panel("Reasons for NULL among the figures of the screener", rows.length ? bars(rows) : el("p", { class: "empty", text: "Every figure has a value." }));
}

function flagTable(q) {
  const rest = q.flagged - q.flags.length;
  return el("div", { class: "stack" }, table([
    { title: "Symbol", left: true, cell: (f) => companyLink(f.symbol) },
    { title: "Check", left: true, cell: (f) => title(plain(f.name.replace(/^fmp_/, "FMP's "))) },
    { title: "Basis", left: true, cell: (f) => f.basis },
    { title: "Date", cell: (f) => day(f.date, true) },
    { title: "Ours", cell: (f) => (f.ours === null ? "–" : exact(f.ours)) },
    { title: "Theirs", cell: (f) => (f.theirs === null ? "–" : exact(f.theirs)) },
    { title: "Difference", cell: (f) => (f.relative === null ? "–" : `${fixed(f.relative * 100, 2)}%`) },
  ], q.flags, "No check is flagged."), rest > 0 ? el("p", { class: "note", text: `${integer(rest)} more are in ops.quality.` }) : null);
}

function quarantinePanel(q) {
  return panel("Quarantine",
    q.quarantine_reasons.length ? bars(q.quarantine_reasons.slice(0, 8).map((r) => ({ name: `${title(plain(r.dataset))}: ${plain(r.reason)}`, n: r.n })), true) : null,
    table([
      { title: "Symbol", left: true, cell: (r) => companyLink(r.symbol) },
      { title: "Dataset", left: true, cell: (r) => plain(r.dataset) },
      { title: "Reason", wrap: true, cell: (r) => (r.column ? `${r.reason} (${r.column}: ${r.text ?? ""})` : r.reason) },
      { title: "Seen", cell: (r) => day(r.seen, true) },
    ], q.quarantine, "No row or field was rejected."));
}

function restatementPanel(q) {
  return panel("Newest restatements", table([
    { title: "Symbol", left: true, cell: (r) => companyLink(r.symbol) },
    { title: "Period", left: true, cell: (r) => `${r.period} ${day(r.date, true)}` },
    { title: "Item", left: true, cell: (r) => plain(r.item) },
    { title: "Before", cell: (r) => (r.old === null ? "–" : exact(Number(r.old))) },
    { title: "After", cell: (r) => (r.new === null ? "–" : exact(Number(r.new))) },
  ], q.restatements, "No statement was restated so far."));
}

function companyLink(symbol) {
  const company = data.companies.find((known) => known.symbol === symbol);
  return company ? el("button", { class: "link", type: "button", onclick: () => openCompany(company), text: symbol }) : symbol;
}
