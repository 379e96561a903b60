// One tooltip for all elements with `data-tip`, for mouse, keyboard and touch.
const tip = document.getElementById("tip");
let tipOwner = null;

function showTip(owner) {
  if (owner === tipOwner) return;
  tipOwner = owner;
  tip.textContent = owner.dataset.tip;
  // Inside a modal dialog, only its descendants are above the backdrop.
  (owner.closest("dialog") || document.body).append(tip);
  tip.hidden = false;
  const box = owner.getBoundingClientRect();
  const size = tip.getBoundingClientRect();
  const left = Math.min(Math.max(12, box.left + box.width / 2 - size.width / 2), window.innerWidth - size.width - 12);
  const above = box.top - size.height - 8;
  tip.style.left = `${left}px`;
  tip.style.top = `${above > 8 ? above : Math.min(box.bottom + 8, window.innerHeight - size.height - 8)}px`;
}

function hideTip() {
  tip.hidden = true;
  tipOwner = null;
}

function ownerOf(event) {
  return event.target instanceof Element ? event.target.closest("[data-tip]") : null;
}

document.addEventListener("pointerover", (event) => {
  if (event.pointerType !== "touch") ownerOf(event) ? showTip(ownerOf(event)) : hideTip();
});
document.addEventListener("focusin", (event) => (ownerOf(event) ? showTip(ownerOf(event)) : hideTip()));
document.addEventListener("click", (event) => (ownerOf(event) ? showTip(ownerOf(event)) : hideTip()), true);
document.addEventListener("scroll", hideTip, true);
document.addEventListener("keydown", (event) => event.key === "Escape" && hideTip());

// A figure as a node: the number, a marked suspect number, or a dash with the reason for NULL.
function figureNode(format, value, reason, suspicions) {
  if (value === null || value === undefined) {
    return el("span", { class: "null", tabindex: "0", "data-tip": `NULL: ${reasonText(reason)}` }, el("span", { text: "–" }));
  }
  const text = formatted(format, value);
  if (!suspicions || suspicions.length === 0) return document.createTextNode(text);
  return el("span", { class: "suspect", tabindex: "0", "data-tip": suspectText(suspicions) }, el("span", { text }));
}

const reasonText = (code) => `${plain(code || "missing_input")}.\n${(data.reasons || {})[code] || ""}`.trim();
const suspectText = (codes) =>
  `Suspect: data behind this figure contradict each other.\n${codes.map((code) => `${plain(code)}: ${data.suspicions[code] || ""}`).join("\n")}`;
