// Checks the built site: links and anchors, formulas, and in a headless Chromium, if there is one, every page opened from
// its file: errors, images, and text that is wider than a phone.
//
//   node docs/site/check.mjs [--shots FOLDER]
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { findBrowser, openBrowser } from "./lib/browser.js";

const site = path.resolve(process.env.BOOK_SITE ?? path.join(path.dirname(fileURLToPath(import.meta.url)), "../../artifacts/site"));
const shotsAt = process.argv.indexOf("--shots");
const shots = shotsAt > 0 ? process.argv[shotsAt + 1] : null;
if (!fs.existsSync(path.join(site, "index.html"))) {
  console.error(`error: there is no site in ${site}; build it: npm --prefix docs/site run build`);
  process.exit(2);
}

const problems = [];
const files = fs.readdirSync(site, { recursive: true }).map((file) => file.split(path.sep).join("/"));
const pages = files.filter((file) => file.endsWith(".html")).sort();
const html = new Map(pages.map((page) => [page, fs.readFileSync(path.join(site, page), "utf8")]));
const ids = new Map(pages.map((page) => [page, [...html.get(page).matchAll(/\sid="([^"]*)"/g)].map((match) => match[1])]));
const existing = new Set(files);

let links = 0;
let formulas = 0;
for (const page of pages) {
  const text = html.get(page);
  const seen = new Set();
  for (const id of ids.get(page)) {
    if (seen.has(id)) problems.push(`${page}: the id ${id} stands twice`);
    seen.add(id);
  }
  for (const [, attribute, value] of text.matchAll(/\s(href|src)="([^"]*)"/g)) {
    if (/^(https?|mailto|data):/.test(value)) {
      if (attribute === "src") problems.push(`${page}: ${value} is not on the reader's machine`);
      continue;
    }
    links++;
    const [target, anchor] = value.replace(/&amp;/g, "&").split("#");
    if (target.startsWith("/")) {
      problems.push(`${page}: ${value} is not relative`);
      continue;
    }
    const file = target === "" ? page : path.posix.normalize(path.posix.join(path.posix.dirname(page), decodeURI(target)));
    if (!existing.has(file)) problems.push(`${page}: ${value} leads to nothing`);
    else if (anchor && file.endsWith(".html") && !ids.get(file).includes(decodeURIComponent(anchor))) problems.push(`${page}: ${value}: there is no such place on that page`);
  }
  formulas += text.split('<span class="katex">').length - 1;
  if (text.includes("katex-error")) problems.push(`${page}: a formula that KaTeX does not know`);
}

// What a reader sees of a page: its text without formulas that were rendered, code and source.
const visible = `(() => {
  const copy = document.querySelector("main").cloneNode(true);
  copy.querySelectorAll(".katex, pre, code, svg").forEach((element) => element.remove());
  const text = copy.textContent;
  return {
    raw: (text.match(/\\$\\$|\\\\tag\\b|\\\\(?:frac|partial|delta|sum|begin)\\b|\\$\`|<!--|(?:^|[\\s(])\\$[^\\s$][^$]{0,80}[^\\s$]\\$/g) ?? []).slice(0, 3),
    errors: document.querySelectorAll(".katex-error").length,
    images: [...document.images].filter((image) => image.complete && image.naturalWidth === 0).map((image) => image.getAttribute("src")),
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  };
})()`;

const program = findBrowser();
if (program) {
  const browser = await openBrowser(program);
  const address = (page) => pathToFileURL(path.join(site, page)).href;
  try {
    for (const page of pages) {
      await browser.size(390, 844);
      const errors = await browser.open(address(page));
      // Images below the screen wait until they are scrolled to.
      await browser.evaluate(`Promise.all([...document.images].map((image) => { image.loading = "eager"; return image.decode().catch(() => {}); }))`);
      const seen = await browser.evaluate(visible);
      for (const error of errors) problems.push(`${page}: ${error}`);
      for (const raw of seen.raw) problems.push(`${page}: unrendered formula near ${raw.trim()}`);
      for (const image of seen.images) problems.push(`${page}: the image ${image} shows nothing`);
      if (seen.errors > 0) problems.push(`${page}: ${seen.errors} formulas with errors`);
      if (seen.wide > 0) problems.push(`${page}: ${seen.wide} pixels wider than a screen of 390`);
    }

    // Search, from a folder: in each language a term is found, and its link leads to a page that is there.
    for (const [page, term] of [["en/index.html", "gradient"], ["ja/index.html", "勾配"]]) {
      if (!existing.has(page)) continue;
      await browser.open(address(page));
      const found = await browser.evaluate(`new Promise((resolve) => {
        const input = document.querySelector(".search input");
        input.value = ${JSON.stringify(term)};
        input.dispatchEvent(new Event("input"));
        const start = Date.now();
        (function look() {
          const links = [...document.querySelectorAll(".results a")].map((link) => link.getAttribute("href"));
          if (links.length > 0 || Date.now() - start > 20000) resolve(links); else setTimeout(look, 50);
        })();
      })`);
      if (found.length === 0) problems.push(`${page}: the search finds nothing for ${term}`);
      for (const href of found) {
        const [target, anchor] = path.posix.join(path.posix.dirname(page), href).split("#");
        if (!ids.get(target) || (anchor && !ids.get(target).includes(anchor))) problems.push(`${page}: the search leads to ${href}, which is not there`);
      }
    }

    if (shots) {
      for (const page of ["en/03-bptt.html", "ja/05-lstm.html", "both/06-gru.html"].filter((page) => existing.has(page))) {
        for (const [name, width, height] of [["wide", 1440, 1600], ["phone", 390, 1400]]) {
          for (const dark of [false, true]) {
            await browser.size(width, height, dark);
            await browser.open(address(page));
            await browser.evaluate(`document.querySelectorAll("main h2")[1]?.scrollIntoView(); new Promise((resolve) => setTimeout(resolve, 500))`);
            await browser.photograph(path.join(shots, `${page.replace(/\W/g, "-")}-${name}-${dark ? "dark" : "light"}.png`));
          }
        }
      }
    }
  } finally {
    await browser.close();
  }
} else {
  console.log("no Chromium on this machine: pages were checked as text only (CHROME=program names one)");
}

for (const problem of problems) console.error(problem);
console.log(`${pages.length} pages, ${links} links, ${formulas} formulas, ${program ? "opened in a browser" : "not opened"}: ${problems.length} problems`);
process.exit(problems.length > 0 ? 1 : 0);
