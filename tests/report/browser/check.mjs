// Opens both reports in headless Chromium and uses them as a reader would. Exits with 1 and the list of
// what is wrong. Arguments: folder with node_modules, Chromium, report about all companies, report about a few.
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const [modules, executablePath, universe, companies] = process.argv.slice(2);
const { chromium } = createRequire(`${modules}/package.json`)("playwright-core");

const faults = [];
const check = (holds, what) => holds || faults.push(what);
const equal = (found, expected, what) =>
  check(JSON.stringify(found) === JSON.stringify(expected), `${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(expected)}`);

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });

// Opens a file on a page that reports console errors, outside requests and dialogs as faults.
async function open(file, options) {
  const page = await browser.newPage(options);
  page.setDefaultTimeout(15_000);
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && faults.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`error: ${error.stack}`));
  page.on("request", (request) => /^(file|blob|data):/.test(request.url()) || faults.push(`request: ${request.url()}`));
  page.on("dialog", (dialog) => { faults.push("a dialog opened"); dialog.dismiss(); });
  await page.goto(pathToFileURL(file).href);
  return page;
}

const symbols = (page) => page.$$eval(".screener tbody .co b", (all) => all.map((one) => one.textContent));

async function checkSorting(page) {
  await page.getByRole("button", { name: "P/E", exact: true }).click();
  const cells = () => page.$$eval(".screener tbody tr td:nth-of-type(4)", (all) => all.map((one) => one.textContent));
  const known = (texts) => texts.filter((text) => text !== "–").map((text) => Number(text.replace(/[^\d.]/g, "")));
  const down = await cells();
  check(known(down).length >= 4, `P/E of few companies: ${down}`);
  equal(known(down), [...known(down)].sort((a, b) => b - a), "P/E, falling");
  check(!down.includes("–") || down.indexOf("–") >= known(down).length, `NULL comes last: ${down}`);
  await page.getByRole("button", { name: "P/E", exact: true }).click();
  const up = await cells();
  equal(known(up), [...known(up)].sort((a, b) => a - b), "P/E, rising");
  check(!up.includes("–") || up.indexOf("–") >= known(up).length, `NULL comes last: ${up}`);
  equal(await page.locator("th[aria-sort]").getAttribute("aria-sort"), "ascending", "the sorted column");
  await page.getByRole("button", { name: "Company", exact: true }).click();
  const names = await symbols(page);
  equal(names, [...names].sort(), "symbols");
}

async function checkFilters(page) {
  const all = (await symbols(page)).length;
  await page.fill("#search", "aapl");
  equal(await symbols(page), ["AAPL"], "search");
  await page.fill("#search", "");
  await page.selectOption("#only", "suspect");
  equal(await symbols(page), ["KO"], "companies with suspect figures");
  await page.selectOption("#only", "");
  await page.selectOption("#filter-figure", "net_margin");
  await page.selectOption("#filter-operator", ">=");
  await page.fill("#filter-value", "15");
  await page.click("#filter-add");
  const margins = await page.$$eval(".screener tbody tr td:nth-of-type(9)", (cells) => cells.map((cell) => parseFloat(cell.textContent.replace("⚠", ""))));
  check(margins.length > 0 && margins.length < all, `the filter keeps ${margins.length} of ${all} companies`);
  check(margins.every((margin) => margin >= 14.95), `margins of at least 15 %: ${margins}`);
  equal(await page.textContent("#filters"), "Net margin at least 15.0%", "the filter's chip");
  await page.click("#filters button");
  equal((await symbols(page)).length, all, "companies without a filter");
  await page.fill("#filter-value", "many");
  await page.click("#filter-add");
  equal(await page.getAttribute("#filter-value", "aria-invalid"), "true", "a limit that is not a number");
  await page.fill("#filter-value", "");
}

async function checkCsv(page) {
  await page.fill("#search", "HOSTL");
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#csv")]);
  const text = await readFile(await download.path(), "utf8");
  const [head, row] = text.split("\r\n");
  check(head.startsWith("symbol,company_name,sector") && head.includes("pe_ratio_ttm"), `heading: ${head}`);
  check(row.startsWith('HOSTL,"</script><img src=x onerror=""hacked = 1"">'), `row: ${row}`);
  await page.fill("#search", "");
}

async function checkHostileName(page, selector) {
  const text = await page.locator(selector, { hasText: "onerror" }).first().textContent();
  check(text.includes("</script><img src=x"), `the hostile name is shown as text: ${text}`);
  equal(await page.locator("img").count(), 0, "images");
  equal(await page.evaluate(() => typeof hacked), "undefined", "a script of the hostile name");
}

async function checkSheet(page) {
  await page.locator(".screener tbody .co", { hasText: "AAPL" }).click();
  await page.waitForSelector("#sheet[open] canvas");
  const figure = page.locator('#sheet details[data-figure="pe_ratio_ttm"]');
  await figure.locator("summary").click();
  const why = await figure.textContent();
  check(why.includes("close price ÷ TTM EPS diluted") && why.includes("Only when"), `the formula of P/E: ${why}`);
  check((await figure.locator(".inputs span").count()) === 4, "two inputs with values");
  await page.keyboard.press("Escape");
  equal(await page.locator("#sheet[open]").count(), 0, "open sheets");
}

async function checkReasons(page) {
  await page.locator(".screener tbody tr", { hasText: "SPY" }).locator(".null").first().hover();
  const reason = await page.textContent("#tip:not([hidden])");
  check(reason.startsWith("NULL: ") && reason.length > 20, `the reason for NULL: ${reason}`);
  await page.locator(".screener tbody tr", { hasText: "KO" }).locator(".suspect").first().hover();
  check((await page.textContent("#tip:not([hidden])")).includes("unbalanced"), "the reason of a suspect figure");
}

async function checkTheme(page) {
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const before = await background();
  await page.getByRole("button", { name: "Switch between light and dark" }).click();
  check((await background()) !== before, "the button changes the colours");
}

async function checkUniverse() {
  const page = await open(universe, { viewport: { width: 1400, height: 900 } });
  equal(await page.textContent("h1"), "8 companies", "heading");
  for (const id of ["run", "history", "coverage", "quality"]) check(await page.locator(`#${id} .panel`).count(), `section ${id}`);
  check((await page.locator("#history canvas").count()) === 4, "trends of the runs");
  await checkSorting(page);
  await checkFilters(page);
  await checkHostileName(page, ".co span");
  await checkCsv(page);
  await checkReasons(page);
  await checkSheet(page);
  await checkTheme(page);
  await page.getByRole("button", { name: "All", exact: true }).click();
  check((await page.locator(".screener thead th").count()) > 40, "all figures as columns");
  await page.emulateMedia({ media: "print" });
  check(!(await page.locator(".controls").first().isVisible()), "controls are not printed");
  await page.close();
}

async function checkCompanies() {
  const page = await open(companies, { viewport: { width: 1400, height: 900 } });
  await page.waitForSelector(".panel canvas");
  check((await page.locator("canvas").count()) >= 6, "charts of a company");
  await page.locator('.kpi[data-figure="pe_ratio_ttm"]').click();
  const text = await page.textContent("#sheet[open] .tree");
  for (const part of ["close price ÷ TTM EPS diluted", "FMP income-statement epsDiluted sent", "analytics.fact_market_metrics.pe_ratio_ttm"]) {
    check(text.includes(part), `the explanation has ${part}`);
  }
  check((await page.textContent("#sheet[open]")).includes("sha256"), "the files of the explanation");
  await page.keyboard.press("Escape");
  await page.locator("#years td button").first().click();
  check((await page.textContent("#sheet[open] .tree")).includes("revenue"), "the explanation of a fiscal year");
  await page.keyboard.press("Escape");
  check((await page.locator("#fmp tbody tr").count()) > 30, "figures next to FMP's");
  await page.getByRole("button", { name: "1Y", exact: true }).click();
  for (const symbol of ["HOSTL", "KO", "SPY", "JPM"]) {
    await page.locator(".nav a", { hasText: symbol }).click();
    await page.waitForFunction((name) => document.querySelector(".lead").textContent.startsWith(name), symbol);
    if (symbol === "HOSTL") await checkHostileName(page, "h1");
    if (symbol === "KO") check((await page.textContent(".banner")).startsWith("⚠Unbalanced"), "the banner of suspect figures");
  }
  await page.close();
}

// On a phone, a page must not be wider than the screen, and a tap must show the reason for NULL.
async function checkPhone() {
  for (const file of [universe, companies]) {
    const page = await open(file, { viewport: { width: 400, height: 800 }, hasTouch: true, isMobile: true, colorScheme: "dark" });
    const extra = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    equal(extra, 0, `${file}: pixels beyond the screen`);
    const columns = await page.locator(".kpis").first().evaluate((grid) => getComputedStyle(grid).gridTemplateColumns.split(" ").length);
    equal(columns, 2, `${file}: columns of key figures`);
    equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark", "the theme of the system");
    if (file === universe) {
      await page.locator(".screener tbody tr", { hasText: "SPY" }).locator(".null").first().tap();
      check((await page.textContent("#tip:not([hidden])")).startsWith("NULL: "), "a tap shows the reason for NULL");
      await page.locator(".screener tbody .co", { hasText: "AAPL" }).tap();
    } else {
      await page.locator('.kpi[data-figure="market_cap"]').tap();
    }
    const beyond = await page.locator("#sheet[open]").evaluate((sheet) => sheet.scrollWidth - sheet.clientWidth);
    equal(beyond, 0, `${file}: pixels of the sheet beyond the screen`);
    await page.close();
  }
}

try {
  await checkUniverse();
  await checkCompanies();
  await checkPhone();
} catch (error) {
  faults.push(error.stack);
}
await browser.close();
if (faults.length > 0) {
  console.error([...new Set(faults)].join("\n"));
  process.exit(1);
}
