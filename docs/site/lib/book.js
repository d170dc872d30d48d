// Reads the book and the source files it links to, and makes the pages of the site out of them.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { createMarkdown, escapeHtml, highlight } from "./markdown.js";
import { strings } from "./strings.js";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
const bookFolder = path.join(root, "docs/book");
export const languages = ["en", "ja"];
const posix = (p) => p.split(path.sep).join("/");

/** From one page of the site to another. */
export const relative = (from, to) => posix(path.relative(path.dirname(from), to)) || path.basename(to);

const pageName = (file) => (file === "README.md" ? "index.html" : file.replace(/\.md$/, ".html"));

export function readBook() {
  const md = createMarkdown();
  const sources = new Map(); // path in the repository → page of the site
  const chapters = Object.fromEntries(languages.map((language) => [language, read(language)]));
  const byChapter = (language, number) => chapters[language].find((page) => page.number === number);

  for (const page of languages.flatMap((language) => chapters[language])) {
    page.html = render(page, `${page.language}/${page.name}`, { ids: true });
    page.sections = split(render(page, `${page.language}/${page.name}`, { ids: true, plain: true }));
  }

  const pages = [];
  for (const language of languages) {
    for (const [index, page] of chapters[language].entries()) {
      const other = languages.find((l) => l !== language);
      pages.push({
        ...page, kind: "page", url: `${language}/${page.name}`, contents: chapters[language],
        previous: chapters[language][index - 1], next: chapters[language][index + 1],
        translation: chapters[other].some((p) => p.name === page.name) ? `${other}/${page.name}` : null,
      });
    }
  }

  // Both languages, row by row: the headings correspond.
  const shared = chapters.en.filter((page) => chapters.ja.some((other) => other.name === page.name));
  for (const [index, english] of shared.entries()) {
    const japanese = chapters.ja.find((page) => page.name === english.name);
    const url = `both/${english.name}`;
    const left = split(render(english, url, { ids: true }));
    const right = split(render(japanese, url, { ids: false }));
    pages.push({
      ...english, kind: "both", url, titles: [english.title, japanese.title], contents: shared,
      rows: left.map((section, k) => [section.html, right[k]?.html ?? ""]),
      previous: shared[index - 1], next: shared[index + 1],
    });
  }

  // The pages of source files, which may be added while one is made (folders list files that are shown).
  const shown = new Set();
  while (shown.size < sources.size) {
    for (const [file, url] of [...sources]) {
      if (shown.has(file)) continue;
      shown.add(file);
      pages.push({ kind: "source", url, file, title: file, html: sourcePage(file, url) });
    }
  }

  pages.push({ kind: "home", url: "index.html", title: strings.en.book, chapters });
  return { pages, search: Object.fromEntries(languages.map((language) => [language, searchData(chapters[language])])) };

  function read(language) {
    const folder = path.join(bookFolder, language);
    return fs.readdirSync(folder).filter((file) => file.endsWith(".md")).map((file) => {
      const text = fs.readFileSync(path.join(folder, file), "utf8");
      const number = /^0?(\d+)-/.exec(file)?.[1] ?? null;
      return {
        language, file, text, number, name: pageName(file), path: `docs/book/${language}/${file}`,
        title: /^# +(.*)$/m.exec(text)?.[1] ?? file, equations: new Set([...text.matchAll(/\\tag\{([^}]*)\}/g)].map((m) => m[1])),
        headings: new Set([...text.matchAll(/^#+ +(\d+(?:\.\d+)*)/gm)].map((m) => m[1])),
      };
    }).sort((a, b) => order(a) - order(b));
  }

  // README first, then the chapters, then the glossary.
  function order(page) {
    return page.file === "README.md" ? -1 : page.number === null ? 1000 : Number(page.number);
  }

  // Of two texts on one page only one has ids; the plain one is for the search.
  function render(page, url, { ids, plain = false }) {
    let figures = 0;
    const to = (number, anchor, has) => {
      const target = byChapter(page.language, number.split(".")[0]);
      if (!target || !has(target)) return null;
      const base = url.startsWith("both/") ? "both" : page.language;
      return target.name === page.name ? `#${anchor}` : `${relative(url, `${base}/${target.name}`)}#${anchor}`;
    };
    const env = {
      path: page.path, ids, plain, md, strings: strings[page.language],
      equation: (number) => to(number, `eq-${number}`, (target) => target.equations.has(number)),
      section: (number) => to(number, `s${number}`, (target) => target.headings.has(number)),
      link: (href, text) => link(page, url, href, text),
      figure: (src, alt) => figure(page, url, src, alt, `${page.language}${++figures}-`),
    };
    return md.render(page.text, env);
  }

  function figure(page, url, src, alt, prefix) {
    const file = path.resolve(bookFolder, page.language, src);
    const name = posix(path.relative(bookFolder, file));
    if (!fs.existsSync(file)) console.warn(`${page.path}: the image ${src} does not exist`);
    if (!name.startsWith("figures/") || !fs.existsSync(file)) return `<img src="${relative(url, name)}" alt="${escapeHtml(alt)}" loading="lazy">`;
    // A chart stands in the page itself, where its text is set in its own font; its ids must not meet those of another.
    const svg = fs.readFileSync(file, "utf8").trim()
      .replace(/ id="/g, ` id="${prefix}`).replace(/url\(#/g, `url(#${prefix}`).replace(/href="#/g, `href="#${prefix}`)
      .replace(/^<svg([^>]*?) width="[^"]*"/, "<svg$1").replace(/^<svg([^>]*?) height="[^"]*"/, "<svg$1");
    return `<div class="chart">${svg}</div>`;
  }

  function link(page, url, href, text) {
    if (/^[a-z]+:/.test(href)) return href;
    const [target, anchor] = href.split("#");
    if (target === "") return anchorOf(page, anchor);
    const file = path.resolve(bookFolder, page.language, target);
    const inBook = posix(path.relative(bookFolder, file));
    const language = inBook.split("/")[0];
    if (languages.includes(language) && file.endsWith(".md")) {
      const base = url.startsWith("both/") && language === page.language ? "both" : language;
      const known = chapters[language].find((p) => p.file === path.basename(file));
      if (!known) return missing(page, href);
      return relative(url, `${base}/${known.name}`) + (anchor ? anchorOf(known, anchor) : "");
    }
    if (/^(figures|diagrams)\/.+\.svg$/.test(inBook)) return relative(url, inBook);
    if (!fs.existsSync(file)) return missing(page, href);
    return relative(url, source(file)) + line(file, text);
  }

  // A link to a chapter that is not written yet leads nowhere, and the check tells.
  function missing(page, href) {
    console.warn(`${page.path}: the link ${href} leads to nothing`);
    return `missing/${href}`;
  }

  // GitHub makes the anchor of a heading out of its text; the site out of its number.
  function anchorOf(page, anchor) {
    const headings = [...page.text.replace(/^```[\s\S]*?^```/gm, "").matchAll(/^#+ +(.*)$/gm)].map((m) => m[1]);
    const at = headings.findIndex((heading) => slug(heading) === decodeURIComponent(anchor));
    if (at < 0) return `#${anchor}`;
    const number = /^(\d+(?:\.\d+)*)/.exec(headings[at])?.[1];
    return `#${number ? `s${number}` : `h${at}`}`;
  }

  function slug(heading) {
    return heading.trim().toLowerCase().replace(/[^\p{L}\p{N}\p{M} _-]/gu, "").replace(/ /g, "-");
  }

  function source(file) {
    const inRepository = posix(path.relative(root, file)) || ".";
    if (!sources.has(inRepository)) sources.set(inRepository, `source/${inRepository === "." ? "repository" : inRepository}${fs.statSync(file).isDirectory() ? "/index" : ""}.html`);
    return sources.get(inRepository);
  }

  // `RnnCell.Backward` leads to the line of the member.
  function line(file, text) {
    const member = /^([A-Z]\w*)(?:\.(\w+))?$/.exec((text ?? "").replace(/`/g, ""));
    if (!member || !file.endsWith(".cs")) return "";
    const lines = fs.readFileSync(file, "utf8").split("\n");
    const type = lines.findIndex((l) => new RegExp(`\\b(class|struct|record|enum|interface)\\s+${member[1]}\\b`).test(l));
    if (type < 0) return "";
    const at = member[2] ? lines.findIndex((l, k) => k > type && /\b(public|internal|static|override)\b/.test(l) && new RegExp(`\\b${member[2]}\\b`).test(l)) : type;
    return at < 0 ? "" : `#L${at + 1}`;
  }

  function sourcePage(file, url) {
    const full = path.join(root, file);
    if (fs.statSync(full).isDirectory()) {
      const items = fs.readdirSync(full, { withFileTypes: true }).filter((entry) => entry.isFile() && /\.(cs|csproj|json|md)$/.test(entry.name)).map((entry) => entry.name).sort();
      return `<ul class="files">${items.map((name) => `<li><a href="${relative(url, source(path.join(full, name)))}">${escapeHtml(name)}</a></li>`).join("\n")}</ul>`;
    }
    const language = { ".cs": "csharp", ".json": "json", ".sh": "bash" }[path.extname(file)];
    const html = highlight(fs.readFileSync(full, "utf8").replace(/\r/g, "").trimEnd(), language);
    return `<pre class="source"><code>${numbered(html)}</code></pre>`;
  }

  // One element a line; a span that runs over several lines is closed and opened again.
  function numbered(html) {
    let open = [];
    return html.split("\n").map((text, k) => {
      const before = open.join("");
      for (const tag of text.match(/<span[^>]*>|<\/span>/g) ?? []) tag === "</span>" ? open.pop() : open.push(tag);
      return `<span class="line" id="L${k + 1}">${before}${text}${"</span>".repeat(open.length)}</span>`;
    }).join("");
  }

  /** The page's HTML, cut before each heading of level 2; the first part is what stands before them. */
  function split(html) {
    return html.split(/(?=<h2[ >])/).map((part) => ({ html: part, id: /^<h2[^>]* id="([^"]+)"/.exec(part)?.[1] ?? "" }));
  }
}

/** What search looks through: a section each, its text without markup. */
function searchData(pages) {
  return pages.flatMap((page) => page.sections.map((section) => {
    const heading = /<h[12][^>]*>([\s\S]*?)<\/h[12]>/.exec(section.html);
    return {
      u: `${page.language}/${page.name}${section.id ? `#${section.id}` : ""}`, p: page.title, h: heading ? plain(heading[1]) : page.title,
      t: plain(section.html.replace(heading?.[0] ?? "", "")),
    };
  }));
}

function plain(html) {
  return html.replace(/<svg[\s\S]*?<\/svg>/g, " ").replace(/<a class="anchor"[\s\S]*?<\/a>/g, "").replace(/<[^>]+>/g, "")
    .replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&quot;/g, '"').replace(/&amp;/g, "&").replace(/\s+/g, " ").trim();
}
