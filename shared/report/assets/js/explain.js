// The full explanation of a figure: the tree of its inputs, down to the rows that FMP sent.
function openExplanation(company, at, name) {
  const node = company.explanations.nodes[at];
  openSheet([el("h2", { text: title(plain(name || node.label)) }), el("p", { class: "note", text: `${company.symbol} · ${whenOf(node)}` })],
    el("div", { class: "tree" }, treeOf(company, node, 0)), filesOf(company, at));
}

function whenOf(node) {
  const basis = { MARKET: "session of", PRICE: "session of", TTM: "twelve months to", FY: "fiscal year to" }[node.basis] || (node.basis ? `${node.basis} to` : "");
  return node.date ? `${basis} ${day(node.date)}`.trim() : "";
}

const valueOf = (node) => (node.value === null ? "NULL" : exact(node.value, node.unit));

function treeOf(company, node, depth) {
  const line = [el("span", { class: "name" }, plain(node.label), depth > 0 ? el("small", { text: `  ${whenOf(node)}` }) : null), el("span", { class: node.contradictions ? "value suspect-mark" : "value", text: valueOf(node) })];
  const meta = metaOf(company, node, depth);
  const inputs = (node.inputs || []).map((n) => treeOf(company, company.explanations.nodes[n], depth + 1));
  const details = el("details", { open: depth < 2 }, el("summary", null, line), meta, inputs);
  return details;
}

function metaOf(company, node, depth) {
  const text = (content, kind) => el("span", { class: kind, text: content });
  const isCopy = (node.inputs || []).length === 1 && node.formula === company.explanations.nodes[node.inputs[0]].label;
  const dates = [node.filing_date ? `filed ${day(node.filing_date, true)}` : null, node.known_on ? `known on ${day(node.known_on, true)}` : null].filter(Boolean);
  const source = node.source;
  return el("div", { class: "meta" },
    node.formula && !isCopy ? text(`= ${node.formula}`, "formula") : null,
    node.only_when ? text(`Only when ${node.only_when.join(", and ")}.`) : null,
    node.reason ? text(`NULL: ${plain(node.reason.word)}. ${node.reason.meaning}`, "warn") : null,
    node.mismatch ? text(`The inputs give ${node.mismatch.recomputed === null ? "NULL" : exact(node.mismatch.recomputed)}, not the stored value.`, "warn") : null,
    (node.contradictions || []).map((c) => text(contradictionText(c), "warn")),
    dates.length ? text(title(dates.join(", "))) : null,
    node.place ? el("code", { text: node.place }) : null,
    (node.notes || []).map((note) => text(`${title(note)}.`)),
    source ? text(`FMP ${source.endpoint} ${source.field} ${source.sent === null ? "was not sent" : `sent ${source.sent}`}, row ${source.row ?? "unknown"} of file ${source.file + 1}, hash ${source.row_hash}`) : null);
}

function contradictionText(c) {
  const values = c.our_value !== null && c.their_value !== null ? ` ${c.period || ""}: ${c.ours} is ${exact(c.our_value)}, ${c.theirs} is ${exact(c.their_value)}.` : "";
  return `Suspect: ${plain(c.code)}. ${c.meaning}${values}`;
}

// The files of all sources below a figure.
function filesOf(company, at) {
  const { nodes, files } = company.explanations;
  const used = new Set();
  const visit = (n) => {
    if (nodes[n].source) used.add(nodes[n].source.file);
    (nodes[n].inputs || []).forEach(visit);
  };
  visit(at);
  if (used.size === 0) return null;
  return el("div", { class: "stack", style: "gap:8px" }, el("h3", { text: "Files" }), el("div", { class: "tree" },
    [...used].sort((a, b) => a - b).map((n) => el("div", { class: "meta" },
      el("code", { text: `${n + 1}. ${files[n].file}` }),
      files[n].sha256 ? el("code", { text: `sha256 ${files[n].sha256}` }) : null,
      el("span", { text: `Run ${files[n].run_id}, fetched ${files[n].observed_at.slice(0, 19)} UTC` })))));
}

// A button with a figure that opens its explanation.
function explained(company, at, format, className) {
  if (at === null || at === undefined) return el("span", { class: "null", "data-tip": "Not available", tabindex: "0" }, el("span", { text: "–" }));
  const node = company.explanations.nodes[at];
  return el("button", { class: className || "value", type: "button", onclick: () => openExplanation(company, at) }, valueNode(node, format));
}

// A NULL figure shows its reason on hover; a suspect one is marked.
function valueNode(node, format, isPrice) {
  if (node.value === null) {
    const reason = node.reason ? `NULL: ${plain(node.reason.word)}.\n${node.reason.meaning}` : "NULL";
    return el("span", { class: "is-null", "data-tip": reason, text: "–" });
  }
  // A figure that depends on prices only does not depend on what is contradicted.
  if (!node.contradictions || isPrice) return formatted(format, node.value);
  const codes = [...new Set(node.contradictions.map((c) => `${plain(c.code)}: ${c.meaning}`))];
  return el("span", { class: "suspect", "data-tip": `Suspect: data behind this figure contradict each other.\n${codes.join("\n")}` },
    el("span", { text: formatted(format, node.value) }));
}
