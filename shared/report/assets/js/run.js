// The newest run, and all runs as a trend.
const stageNames = [["plan", "Plan"], ["fetch", "Fetch"], ["load", "Load"], ["compute", "Compute"]];
const statusKind = { complete: "good", partial: "warn", budget: "warn", failed: "bad" };

function runSection() {
  const run = data.runs.at(-1);
  if (!run) {
    return section("run", "Newest run", null, el("p", { class: "empty",
      text: "The stage of this warehouse has no summary of a run, so there is nothing to show here." }));
  }
  const note = `${run.run_id} started on ${moment(run.started_at)}.`;
  return section("run", "Newest run", note, kpisOfRun(run), timeline(run),
    el("div", { class: "grid-2" }, rowsOfRun(run), costOfRun(run)), failuresOfRun(run));
}

function kpisOfRun(run) {
  const tasks = run.tasks;
  const all = tasks.planned + tasks.skipped_fresh;
  return el("div", { class: "kpis" },
    kpi("Status", pill(run.status, statusKind[run.status]), tasks.failed ? counted(tasks.failed, "failed task") : "no failed task"),
    kpi("Duration", duration(run.seconds), counted(run.symbols, "symbol")),
    kpi("Records per second", integer(run.rows_per_second), `${integer(sum(run.rows, "staged"))} records`),
    kpi("Calls per symbol", fixed(run.calls_per_symbol, 2), `${counted(run.calls, "call")}, ${bytes(run.bytes)}`),
    kpi("Cache hit rate", `${fixed(run.cache_hit_rate * 100, 1)}%`, `${integer(tasks.skipped_fresh)} of ${integer(all)} tasks were fresh`),
    kpi("Connections", integer(run.connections.opened), `at most ${integer(run.connections.peak)} calls at once`),
    kpi("Call budget", run.budget.limit_per_minute ? `${integer(run.budget.limit_per_minute)} / min` : "no limit",
      `waited ${duration(run.budget.waited_seconds)} in total`),
    kpi("Cost", dollars(run.cost.usd), run.cost.usd ? "estimate for AWS" : "this run did not use AWS"));
}

const dollars = (usd) => (usd === 0 ? "$0" : `$${fixed(usd, usd < 1 ? 4 : 2)}`);
const sum = (rows, field) => Object.values(rows).reduce((total, row) => total + row[field], 0);

function timeline(run) {
  const steps = stageNames.map(([name, label], n) => ({ label, n, seconds: run.stages[name] || 0 })).filter((s) => s.seconds > 0);
  const total = steps.reduce((t, s) => t + s.seconds, 0);
  if (total === 0) return null;
  return panel("Timeline",
    el("div", { class: "timeline", role: "img", "aria-label": steps.map((s) => `${s.label} ${duration(s.seconds)}`).join(", ") },
      steps.map((s) => el("div", { class: `s${s.n}`, style: `flex:${Math.max(s.seconds / total, 0.004)} 1 0`,
        "data-tip": `${s.label}: ${duration(s.seconds)}`, text: s.seconds / total > 0.12 ? `${s.label} ${duration(s.seconds)}` : "" }))),
    el("div", { class: "timeline-legend" }, steps.map((s) => el("span", null, el("i", { class: `dot s${s.n}` }), `${s.label} `,
      el("b", { text: duration(s.seconds) }), ` ${fixed((100 * s.seconds) / total, 0)}%`))));
}

function rowsOfRun(run) {
  const rows = Object.entries(run.rows).map(([name, counts]) => ({ name, ...counts }));
  return panel("Records by dataset", table([
    { title: "Dataset", left: true, cell: (r) => title(plain(r.name)) },
    { title: "Staged", cell: (r) => integer(r.staged) },
    { title: "Loaded", cell: (r) => integer(r.loaded) },
    { title: "Unchanged", cell: (r) => integer(r.unchanged) },
    { title: "Quarantined", cell: (r) => (r.quarantined ? pill(integer(r.quarantined), "warn") : "0") },
  ], rows, "This run fetched nothing, because all data was fresh."));
}

function costOfRun(run) {
  const fact = (name, value) => [el("dt", { text: name }), el("dd", { text: value })];
  const written = Object.values(run.analytics).reduce((total, t) => total + t.written, 0);
  return panel("Resources", el("dl", { class: "facts" },
    fact("Calls to FMP", integer(run.cost.fmp_calls)),
    fact("Received", bytes(run.bytes)),
    fact("Waited for the call budget", duration(run.budget.waited_seconds)),
    fact("Waited before retries", duration(run.budget.retry_seconds)),
    fact("Longest call", duration(run.budget.longest_call_seconds)),
    fact("Writes to the stage", integer(run.cost.s3_puts)),
    fact("Queue requests", integer(run.cost.sqs_requests)),
    fact("SQL statements", integer(run.warehouse.statements) +
      Object.entries(run.warehouse.by_function ?? {}).map(([name, n]) => `, ${integer(n)} of ${name}`).join("")),
    fact("Rows of analytics written", integer(written)),
    fact("Lambda", `${fixed(run.cost.lambda_gb_s, 1)} GB-s`),
    fact("Snowflake", `${fixed(run.cost.snowflake_credits, 4)} credits`)));
}

function failuresOfRun(run) {
  const notes = run.notes.map((note) => el("p", { class: "note", text: note }));
  if (run.failures.length === 0) return notes.length ? panel("Notes", el("div", { class: "stack" }, notes)) : null;
  return panel("Failures", ...notes, table([
    { title: "Symbol", left: true, cell: (f) => f.symbol || "market" },
    { title: "Dataset", left: true, cell: (f) => plain(f.dataset) },
    { title: "Reason", wrap: true, cell: (f) => f.reason },
  ], run.failures.slice(0, 200)));
}

function historySection() {
  if (data.runs.length < 2) {
    return section("history", "Past runs", null, el("p", { class: "empty", text: "The trend appears after the second run." }));
  }
  const runs = data.runs;
  const x = runs.map((_, n) => n);
  const isOneDay = runs[0].started_at.slice(0, 10) === runs.at(-1).started_at.slice(0, 10);
  const label = (run) => (isOneDay ? run.started_at.slice(11, 16) : day(run.started_at, true).replace(/ \d+$/, ""));
  const trend = (name, format, series) => panel(name, chart({
    x, format, series: series.map((s, n) => ({ colour: `series-${n + 1}`, points: runs.length < 40, ...s })),
    height: 170, time: false, zoom: false, label: name, when: (n) => moment(runs[n].started_at),
    xValues: (_, ticks) => ticks.map((n) => (Number.isInteger(n) && runs[n] ? label(runs[n]) : "")).map((text, n, all) => (text === all[n - 1] ? "" : text)),
    range: (_, low, high) => [0, high === 0 ? 1 : high * 1.12],
  }));
  const of = (field) => runs.map(field);
  return section("history", "Past runs", `The last ${counted(runs.length, "run")}.`,
    el("div", { class: "grid-2" },
      trend("Duration in seconds", "number", [{ label: "total", values: of((r) => r.seconds) }, { label: "fetch", values: of((r) => r.stages.fetch ?? null) },
        { label: "compute", values: of((r) => r.stages.compute ?? null) }]),
      trend("Calls per symbol", "number", [{ label: "calls", values: of((r) => r.calls_per_symbol) }]),
      trend("Cache hit rate", "percent", [{ label: "fresh tasks", values: of((r) => r.cache_hit_rate) }]),
      trend("Records per second", "count", [{ label: "records", values: of((r) => r.rows_per_second) }])),
    table([
      { title: "Started", left: true, cell: (r) => moment(r.started_at) },
      { title: "Status", left: true, cell: (r) => pill(r.status, statusKind[r.status]) },
      { title: "Symbols", cell: (r) => integer(r.symbols) },
      { title: "Duration", cell: (r) => duration(r.seconds) },
      { title: "Calls", cell: (r) => integer(r.calls) },
      { title: "Calls per symbol", cell: (r) => fixed(r.calls_per_symbol, 2) },
      { title: "Fresh", cell: (r) => `${fixed(r.cache_hit_rate * 100, 0)}%` },
      { title: "Records per second", cell: (r) => integer(r.rows_per_second) },
      { title: "Received", cell: (r) => bytes(r.bytes) },
      { title: "Failed tasks", cell: (r) => (r.tasks.failed ? pill(integer(r.tasks.failed), "bad") : "0") },
      { title: "Cost", cell: (r) => dollars(r.cost.usd) },
    ], [...runs].reverse()));
}
