// The charts of a company.
function priceChart(company, x) {
  const daily = company.series;
  const host = chart({ x, format: "per_share", height: 340, label: `Daily close of ${company.symbol} with moving averages and events`,
    series: [
      { label: "Close", values: daily.close, colour: "series-1", width: 1.75 },
      { label: "50 days", values: daily.sma_50, colour: "series-2", width: 1.25 },
      { label: "200 days", values: daily.sma_200, colour: "series-4", width: 1.25 },
    ],
    drawn: (plot) => drawEvents(plot, company) });
  const ranges = [["6M", 183], ["1Y", 366], ["3Y", 1096], ["5Y", 1827], ["All", Infinity]].filter(([, days], n, all) => n === 0 || days === Infinity || x.at(-1) - x[0] > all[n - 1][1] * 86400);
  const buttons = ranges.map(([name, days]) => el("button", { type: "button", text: name, "aria-pressed": "false", onclick: (event) => setRange(host.chart, x, days, buttons, event.target) }));
  const wanted = buttons.find((button) => button.textContent === "3Y") || buttons.at(-1);
  const days = ranges[buttons.indexOf(wanted)][1];
  wanted.setAttribute("aria-pressed", "true");
  if (host.chart) host.chart.window = windowOf(x, days);
  return el("div", { class: "panel" },
    el("div", { class: "panel-head" }, el("h3", { text: "Price" }), el("div", { class: "segments controls", role: "group", "aria-label": "Range" }, buttons)),
    host, el("div", { class: "legend" }, [["D", "dividend", "series-3"], ["S", "split", "bad"], ["F", "filing", "faint"]].map(([letter, name, paint]) => {
      const mark = el("b", { text: letter });
      mark.style.color = `var(--${paint})`;
      return el("span", null, mark, ` ${name}`);
    }), el("span", { class: "hide-phone", text: "Drag to zoom, double-click to reset." })), eventTable(company));
}

const windowOf = (x, days) => ({ min: Math.max(x[0], x.at(-1) - days * 86400), max: x.at(-1) });

function setRange(entry, x, days, buttons, pressed) {
  for (const button of buttons) button.setAttribute("aria-pressed", String(button === pressed));
  if (!entry?.plot) return;
  entry.window = windowOf(x, days);
  entry.plot.setScale("x", entry.window);
}

// Draws events as letters above the time axis, each kind in a row of its own.
function drawEvents(plot, company) {
  const { ctx } = plot;
  const ratio = devicePixelRatio || 1;
  ctx.save();
  ctx.font = `600 ${10 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
  ctx.textAlign = "center";
  const bottom = plot.bbox.top + plot.bbox.height;
  [["filings", "F", "faint"], ["dividends", "D", "series-3"], ["splits", "S", "bad"]].forEach(([kind, letter, paint], row) => {
    ctx.fillStyle = colour(paint);
    let last = -Infinity;
    for (const event of company.events[kind]) {
      const at = seconds(event.date);
      if (at < plot.scales.x.min || at > plot.scales.x.max) continue;
      const x = plot.valToPos(at, "x", true);
      // Where events are dense, letters would cover each other.
      if (x - last < 9 * ratio) continue;
      last = x;
      ctx.fillText(letter, x, bottom - (5 + row * 13) * ratio);
    }
  });
  ctx.restore();
}

function eventTable(company) {
  const kinds = [["dividends", "Dividend"], ["splits", "Split"], ["filings", "Filing"]];
  const all = kinds.flatMap(([kind, name]) => company.events[kind].map((event) => ({ name, ...event })));
  all.sort((a, b) => (a.date < b.date ? 1 : -1));
  return el("details", null, el("summary", { class: "note", text: `All ${counted(all.length, "event")}` }), table([
    { title: "Date", left: true, cell: (e) => day(e.date, true) },
    { title: "Event", left: true, cell: (e) => e.name },
    { title: "Amount", cell: (e) => (e.name === "Dividend" && e.value !== null ? exact(e.value) : "") },
    { title: "Details", left: true, cell: (e) => e.text },
  ], all, "No events."));
}

const hasValues = (values) => values.some((value) => value !== null);

// P/E with its median and the range in which it was on 80 % of the days.
function peChart(company, x) {
  const values = company.series.pe;
  if (!hasValues(values)) return null;
  const sorted = values.filter((v) => v !== null).sort((a, b) => a - b);
  const at = (share) => sorted[Math.floor(share * (sorted.length - 1))];
  const line = (share) => values.map(() => (sorted.length ? at(share) : null));
  // A P/E of hundreds, on days with hardly any earnings, would flatten the rest.
  const top = sorted.length ? Math.min(at(1), at(0.9) * 2) : 1;
  const note = sorted.length ? `The shaded band has four fifths of the days since ${day(isoDay(x[0]), true)}: ${show.multiple(at(0.1))} to ${show.multiple(at(0.9))}.` : null;
  return panel("Price to earnings", chart({ x, format: "multiple", height: 220, label: `P/E of ${company.symbol}`,
    range: sorted.length ? [Math.max(0, at(0) * 0.9), top * 1.05] : undefined,
    bands: [[3, 4]],
    series: [
      { label: "P/E", values, colour: "series-1" },
      { label: "median", values: line(0.5), colour: "soft", width: 1, dash: [5, 4] },
      { label: "90th percentile", values: line(0.9), colour: "line-strong", width: 1, unlisted: true },
      { label: "10th percentile", values: line(0.1), colour: "line-strong", width: 1, unlisted: true },
    ] }), note ? el("p", { class: "note", text: note }) : null);
}

function periodChart(company, name, format, lines) {
  const periods = company.periods;
  const x = periods.dates.map(seconds);
  if (!lines.some(([, key]) => hasValues(periods[key]))) return null;
  return panel(name, chart({ x, format, height: 220, label: name,
    when: (n) => (periods.dates[n] ? `${day(periods.dates[n], true)}${periods.suspect[n] ? " (suspect)" : ""}` : ""),
    series: lines.map(([label, key], n) => ({ label, values: periods[key], colour: `series-${n + 1}`, points: x.length < 50 })) }));
}

function dividendChart(company) {
  const paid = company.events.dividends.filter((event) => event.value !== null).slice(-48);
  if (paid.length === 0) return null;
  return panel("Dividends per share", chart({ x: paid.map((event) => seconds(event.date)), format: "per_share", height: 220, label: "Dividends per share",
    range: (_, low, high) => [0, high * 1.1],
    series: [{ label: "on the ex-date, split-adjusted", values: paid.map((event) => event.value), colour: "series-3", bars: true }] }));
}
