// Filters on figures. A limit is typed as the table shows it: 15 for 15%, 12 for 12x, 5 bn for an amount.
const operators = { ">=": "at least", "<=": "at most" };

function filterControls() {
  const figure = el("select", { "aria-label": "Figure to filter", id: "filter-figure" }, groupsOfFigures());
  const operator = select("Comparison", "filter-operator", Object.entries(operators), () => {});
  const limit = el("input", { class: "number", id: "filter-value", "aria-label": "Limit", placeholder: "15", inputmode: "decimal", size: "8" });
  [figure.value, operator.value] = ["pe_ratio_ttm", "<="];
  const add = () => {
    const at = figureAt.get(figure.value);
    const value = parseLimit(limit.value, data.figures[at].format);
    limit.setAttribute("aria-invalid", String(value === null));
    if (value === null) { limit.focus(); return; }
    screen.filters.push({ at, operator: operator.value, value });
    limit.value = "";
    update();
  };
  limit.addEventListener("keydown", (event) => event.key === "Enter" && add());
  return [figure, operator, limit, el("button", { class: "button", type: "button", id: "filter-add", onclick: add, text: "Add filter" })];
}

function groupsOfFigures() {
  const groups = new Map();
  for (const figure of data.figures) {
    if (!groups.has(figure.group)) groups.set(figure.group, []);
    groups.get(figure.group).push(figure);
  }
  return [...groups].map(([name, figures]) => el("optgroup", { label: name },
    figures.map((figure) => el("option", { value: figure.name, text: figure.format === "percent" ? `${figure.title} (%)` : figure.title }))));
}

const scales = { tn: 1e12, t: 1e12, bn: 1e9, b: 1e9, m: 1e6, mn: 1e6, k: 1e3 };

// Returns the limit in the unit of the stored figures, or null for text that is not a number.
function parseLimit(text, format) {
  const parts = /^([+\-−]?[\d.,]+)\s*(tn|t|bn|b|mn|m|k|%|x|d)?$/i.exec(text.trim());
  if (!parts) return null;
  const value = Number(parts[1].replace("−", "-").replaceAll(",", ""));
  if (!Number.isFinite(value)) return null;
  return (value * (scales[(parts[2] || "").toLowerCase()] || 1)) / (format === "percent" ? 100 : 1);
}

// NULL passes no filter.
function passes(filter, value) {
  if (value === null) return false;
  return filter.operator === ">=" ? value >= filter.value : value <= filter.value;
}

function showChips() {
  screen.chips.hidden = screen.filters.length === 0;
  screen.chips.replaceChildren(...screen.filters.map((filter) => {
    const figure = data.figures[filter.at];
    const text = `${figure.title} ${operators[filter.operator]} ${formatted(figure.format, filter.value)}`;
    return el("button", { class: "chip", type: "button", "aria-label": `Remove the filter ${text}`, text,
      onclick: () => { screen.filters = screen.filters.filter((other) => other !== filter); update(); } });
  }));
}
