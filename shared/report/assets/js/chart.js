// Charts with uPlot. All charts are drawn again when the theme changes.
const charts = new Set();
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// Draws a chart into a new element. `options`: x (seconds), series [{label, values, colour, format, width,
// dash, fill, bars, hidden}], format of the axis, height, bands, hooks, legend (whether to show it).
function chart(options) {
  const host = el("div", { class: "chart" });
  const legend = el("div", { class: "legend", "aria-hidden": "true" });
  host.append(legend);
  if (!options.series.some((s) => s.values.some((v) => v !== null && v !== undefined))) {
    host.replaceChildren(el("p", { class: "empty", text: options.empty || "No figures for this chart." }));
    return host;
  }
  const entry = { host, options, legend, plot: null };
  entry.draw = () => draw(entry);
  charts.add(entry);
  new ResizeObserver(() => {
    const width = Math.floor(host.clientWidth);
    if (width > 0 && !entry.plot) entry.draw();
    else if (width > 0 && width !== entry.plot.width) entry.plot.setSize({ width, height: options.height || 240 });
  }).observe(host);
  host.chart = entry;
  return host;
}

function draw(entry) {
  const { host, options } = entry;
  entry.plot?.destroy();
  const shown = options.series;
  const axis = {
    stroke: colour("faint"), font: `12px ${getComputedStyle(document.body).fontFamily}`,
    grid: { stroke: colour("line"), width: 1 }, ticks: { show: false },
  };
  const series = shown.map((s) => ({
    label: s.label, stroke: colour(s.colour), width: s.width ?? 1.75, dash: s.dash, spanGaps: s.spanGaps ?? false,
    fill: s.fill ? `${colour(s.colour)}22` : undefined,
    paths: s.bars ? uPlot.paths.bars({ size: [0.62, 46], radius: 0.12 }) : undefined,
    points: { show: s.points ?? false, size: 6, fill: colour(s.colour) },
    ...(s.bars ? { fill: colour(s.colour), points: { show: false } } : {}),
    show: !s.hidden,
  }));
  entry.plot = new uPlot({
    width: Math.max(200, Math.floor(host.clientWidth)), height: options.height || 240,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
    padding: [8, 18, 0, 0], legend: { show: false },
    cursor: { points: { size: 7 }, drag: { x: options.zoom !== false, y: false } },
    scales: { x: { time: options.time !== false }, y: { range: options.range } },
    axes: [
      { ...axis, grid: { show: false }, space: 70, values: options.xValues || timeTicks, gap: 6, size: (_, texts) => ((texts || []).some((t) => String(t ?? "").includes("\n")) ? 44 : 28) },
      { ...axis, size: options.axisSize || 58, values: (_, ticks) => ticks.map((v) => (v === null ? "" : axisText(options.format, v, ticks))) },
    ],
    series: [{}, ...series],
    bands: options.bands?.map((band) => ({ series: band, fill: `${colour("series-1")}1f` })),
    hooks: {
      setCursor: [(plot) => writeLegend(entry, plot.cursor.idx)],
      draw: options.drawn ? [(plot) => options.drawn(plot)] : [],
    },
  }, [options.x, ...shown.map((s) => s.values)], host);
  entry.plot.root.setAttribute("role", "img");
  entry.plot.root.setAttribute("aria-label", options.label || shown.map((s) => s.label).join(", "));
  writeLegend(entry, null);
  if (entry.window) entry.plot.setScale("x", entry.window);
}

// The labels of a time axis: years, months or days, with the year below where it changes.
function timeTicks(_, ticks) {
  const step = ticks.length > 1 ? (ticks[1] - ticks[0]) / 86400 : 1;
  return ticks.map((at, n) => {
    const [year, month, date] = isoDay(at).split("-").map(Number);
    if (step > 300) return String(year);
    const text = step > 26 ? months[month - 1].slice(0, 3) : `${date} ${months[month - 1].slice(0, 3)}`;
    return n === 0 || isoDay(ticks[n - 1]).slice(0, 4) !== String(year) ? `${text}\n${year}` : text;
  });
}

function axisText(format, value, ticks) {
  if (format === "percent") {
    const step = Math.abs((ticks[1] ?? 1) - (ticks[0] ?? 0));
    return `${fixed(value * 100, step < 0.0095 ? 1 : 0)}%`;
  }
  if (format === "money" || format === "shares") return value === 0 ? "0" : amount(value).replace(/\.0+(?= )/, "").replace(/(\.\d)0(?= )/, "$1");
  if (format === "multiple") return `${fixed(value, 0)}x`;
  const step = Math.abs((ticks[1] ?? 1) - (ticks[0] ?? 0));
  return fixed(value, step < 1 ? 2 : 0);
}

// Writes the values under the cursor, or the newest ones.
function writeLegend(entry, at) {
  const { options, legend } = entry;
  const last = at ?? options.x.length - 1;
  const when = options.when ? options.when(last) : day(isoDay(options.x[last]), true);
  legend.replaceChildren(el("span", { class: "when", text: when }), ...options.series.filter((s) => !s.unlisted).map((s) => {
    const value = s.values[last];
    const mark = el("i");
    mark.style.background = `var(--${s.colour})`;
    return el("span", null, mark, `${s.label} `, el("b", { text: value === null || value === undefined ? "–" : formatted(s.format || options.format, value) }));
  }));
}

function redraw() {
  for (const entry of charts) {
    if (!entry.host.isConnected) charts.delete(entry);
    else if (entry.plot) entry.draw();
  }
}
