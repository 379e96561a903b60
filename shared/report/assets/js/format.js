// Formats of numbers and dates, in English on every computer.
const formats = new Map();
function fixed(value, digits) {
  if (!formats.has(digits)) {
    formats.set(digits, new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  }
  return formats.get(digits).format(value).replace(/^-(?=[0.,]*$)/, "").replace("-", "−");
}

const integer = (value) => fixed(value, 0);

// An amount with three or four digits and tn, bn, m or k.
function amount(value) {
  const size = Math.abs(value);
  for (const [unit, scale] of [["tn", 1e12], ["bn", 1e9], ["m", 1e6], ["k", 1e4]]) {
    if (size >= scale * 0.99995) {
      const divided = value / (unit === "k" ? 1e3 : scale);
      return `${fixed(divided, Math.abs(divided) < 10 ? 2 : Math.abs(divided) < 1000 ? 1 : 0)} ${unit}`;
    }
  }
  return fixed(value, size < 100 && size % 1 !== 0 ? 2 : 0);
}

const show = {
  percent: (value) => `${fixed(value * 100, Math.abs(value) >= 10 ? 0 : 1)}%`,
  multiple: (value) => `${fixed(value, Math.abs(value) >= 1000 ? 0 : Math.abs(value) >= 100 ? 1 : 2)}x`,
  number: (value) => fixed(value, 2),
  count: integer,
  money: amount,
  per_share: (value) => fixed(value, 2),
  shares: amount,
  days: (value) => `${fixed(value, Math.abs(value) >= 100 ? 0 : 1)} d`,
};

const formatted = (format, value) => (show[format] || show.number)(value);

// All digits, for lists of inputs and explanations.
function exact(value, unit) {
  const size = Math.abs(value);
  if (size !== 0 && size < 1e-4) return value.toExponential(4).replace("-", "−");
  const digits = size >= 1000 ? 2 : 6;
  const text = new Intl.NumberFormat("en-US", { maximumFractionDigits: digits }).format(value).replace("-", "−");
  return unit && unit !== "ratio" ? `${text} ${unit}` : text;
}

const months = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

// A day such as 2026-11-27 as 27 November 2026, or 27 Nov 2026.
function day(text, isShort) {
  if (!text) return "";
  const [year, month, date] = text.slice(0, 10).split("-").map(Number);
  const name = months[month - 1];
  return `${date} ${isShort ? name.slice(0, 3) : name} ${year}`;
}

const moment = (text) => (text ? `${day(text, true)} ${text.slice(11, 16)} UTC` : "");
const seconds = (text) => Date.parse(`${text}T00:00:00Z`) / 1000;
const isoDay = (at) => new Date(at * 1000).toISOString().slice(0, 10);

function duration(value) {
  if (value < 1) return `${integer(value * 1000)} ms`;
  if (value < 120) return `${fixed(value, value < 10 ? 2 : 1)} s`;
  return `${Math.floor(value / 60)} min ${integer(value % 60)} s`;
}

function bytes(value) {
  for (const [unit, scale] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) {
    if (value >= scale) return `${fixed(value / scale, 1)} ${unit}`;
  }
  return `${integer(value)} B`;
}

const counted = (n, one, many) => `${integer(n)} ${n === 1 ? one : many || `${one}s`}`;
const plain = (name) => name.replaceAll("_", " ").replace(/\b(ttm|fmp|roe|eps|ev|ebitda|fcf|ocf)\b/g, (word) => word.toUpperCase()).replace(/\bp([ebs]) ratio/g, (_, by) => `P/${by.toUpperCase()} ratio`);
const title = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const numbers = (text) => (text === "" ? [] : text.split(",").map((part) => (part === "" ? null : Number(part))));
