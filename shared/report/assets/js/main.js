// Builds the page.
function themeButton() {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = stored("findata-theme");
  const apply = (theme) => { root.dataset.theme = theme; redraw(); };
  const current = () => chosen || (system.matches ? "dark" : "light");
  system.addEventListener("change", () => apply(current()));
  addEventListener("beforeprint", () => apply("light"));
  addEventListener("afterprint", () => apply(current()));
  apply(current());
  return iconButton("Switch between light and dark", "M12 3a9 9 0 1 0 9 9 7 7 0 0 1-9-9z", () => {
    chosen = current() === "dark" ? "light" : "dark";
    store("findata-theme", chosen);
    apply(chosen);
  });
}

// Some browsers refuse storage to local files.
function stored(name) {
  try { return localStorage.getItem(name); } catch { return null; }
}
function store(name, value) {
  try { localStorage.setItem(name, value); } catch { /* The choice lasts until the page is closed. */ }
}

function header(links) {
  document.getElementById("top").append(el("div", { class: "top-inner" },
    el("a", { class: "brand", href: "#", text: "findata", onclick: (event) => { event.preventDefault(); scrollTo({ top: 0, behavior: "smooth" }); } }),
    el("nav", { class: "nav", "aria-label": "Sections" }, links),
    el("div", { class: "actions" },
      iconButton("Print", "M7 8V3h10v5M7 17H4v-7h16v7h-3M7 14h10v7H7z", () => print()), themeButton())));
}

function universePage() {
  const app = document.getElementById("app");
  const sections = [["screener", "Screener"], ["run", "Run"], ["history", "History"], ["coverage", "Coverage"], ["quality", "Quality"]];
  const links = sections.map(([id, name]) => el("a", { href: `#${id}`, text: name }));
  header(links);
  const newest = newestDay();
  const run = data.runs.at(-1);
  app.append(
    el("div", { class: "title" }, el("h1", { text: counted(data.companies.length, "company", "companies") }),
      el("p", { class: "lead", text: [newest ? `Prices to ${day(newest)}.` : "No prices.", run ? `Newest run ${run.status} on ${moment(run.started_at)} in ${duration(run.seconds)}.` : null,
        `${counted(data.quality.flagged, "check")} flagged.`].filter(Boolean).join(" ") })),
    screenerSection(), runSection(), historySection(), coverageSection(), qualitySection());
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((e) => e.isIntersecting)) {
      for (const link of links) link.setAttribute("aria-current", String(link.hash === `#${entry.target.id}`));
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  for (const [id] of sections) seen.observe(document.getElementById(id));
}

document.getElementById("foot").textContent = `Written by findata report on ${moment(data.generated)}. This file loads nothing from the network.`;
if (data.kind === "universe") universePage();
else companiesPage();
