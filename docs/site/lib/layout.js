// The frame of a page: head, bar, chapters, contents of the page, text.
import { languages, relative } from "./book.js";
import { escapeHtml } from "./markdown.js";
import { strings } from "./strings.js";

// Before anything is drawn, so that the page does not flash in the other colours.
const earlyScript = `try{var t=localStorage.getItem("book-theme");if(t)document.documentElement.dataset.theme=t}catch(e){}`;

const titleText = (title) => escapeHtml(title.replace(/\$`?|`?\$|`/g, ""));

export function layout(page) {
  switch (page.kind) {
    case "page": return chapterPage(page);
    case "both": return bothPage(page);
    case "source": return sourcePage(page);
    default: return homePage(page);
  }
}

function frame(page, language, { bar, nav = "", toc = "", main, body = "" }) {
  const at = (url) => relative(page.url, url);
  const s = strings[language];
  return `<!DOCTYPE html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${titleText(page.title)}${page.kind === "home" ? "" : ` · ${s.book}`}</title>
<script>${earlyScript}</script>
<link rel="stylesheet" href="${at("assets/katex/katex.min.css")}">
<link rel="stylesheet" href="${at("assets/book.css")}">
</head>
<body class="${page.kind}" data-root="${at("index.html").replace(/index\.html$/, "")}" data-language="${language}" data-strings="${escapeHtml(JSON.stringify({ copy: s.copy, copied: s.copied, nothing: s.nothing }))}"${body}>
<header class="bar">
${nav ? `<button class="menu" type="button" aria-expanded="false" aria-controls="chapters" aria-label="${s.menu}">☰</button>` : ""}
<a class="name" href="${at(page.kind === "source" || page.kind === "home" ? "index.html" : `${page.kind === "both" ? "both" : language}/index.html`)}">${s.book}</a>
<div class="search"><input type="search" placeholder="${s.search}" aria-label="${s.search}" autocomplete="off" spellcheck="false"><div class="results" role="listbox" hidden></div></div>
<div class="tools">${bar}<button class="theme" type="button" title="${s.theme}" aria-label="${s.theme}">◐</button></div>
</header>
<div class="columns">
${nav}
<main>
${main}
</main>
${toc}
</div>
<script src="${at("assets/book.js")}"></script>
</body>
</html>
`;
}

function switcher(page, name, current) {
  const items = [...languages.map((l) => [l, `${l}/${name}`, strings[l].language, l]), ["both", `both/${name}`, `${strings.ja.both}`, "ja"]];
  return `<nav class="languages">${items.map(([key, url, text, lang]) => {
    if (key === current) return `<span aria-current="true" lang="${lang}">${text}</span>`;
    return page.available(url) ? `<a data-keep-section href="${relative(page.url, url)}" lang="${lang}"${key === "both" ? ` title="${strings.en.both}"` : ""}>${text}</a>` : "";
  }).join("")}</nav>`;
}

function chapterList(page, base, language) {
  return `<nav class="chapters" id="chapters" aria-label="${strings[language].chapters}"><ol>${page.contents.map((entry) =>
    `<li><a href="${relative(page.url, `${base}/${entry.name}`)}"${entry.name === page.name ? ' aria-current="page"' : ""}>${titleText(entry.title)}</a></li>`).join("\n")}</ol></nav>`;
}

function contentsOf(html, language) {
  const items = [...html.matchAll(/<h2[^>]* id="([^"]+)"[^>]*>([\s\S]*?)(?:<a class="anchor"[\s\S]*?)?<\/h2>/g)];
  if (items.length < 2) return "";
  return `<nav class="toc" aria-label="${strings[language].onThisPage}"><details open><summary>${strings[language].onThisPage}</summary><ol>${items.map(([, id, text]) =>
    `<li><a href="#${id}">${text}</a></li>`).join("\n")}</ol></details></nav>`;
}

function turnPages(page, base, language) {
  const side = (entry, className, word) => entry
    ? `<a class="${className}" href="${relative(page.url, `${base}/${entry.name}`)}"><small>${word}</small>${titleText(entry.title)}</a>` : "<span></span>";
  return `<nav class="turn">${side(page.previous, "previous", strings[language].previous)}${side(page.next, "next", strings[language].next)}</nav>`;
}

function chapterPage(page) {
  return frame({ ...page, available: (url) => url.startsWith(page.language) || page.translation !== null }, page.language, {
    bar: switcher({ ...page, available: () => page.translation !== null }, page.name, page.language),
    nav: chapterList(page, page.language, page.language),
    toc: contentsOf(page.html, page.language),
    main: `<article lang="${page.language}">${page.html}</article>${turnPages(page, page.language, page.language)}`,
  });
}

function bothPage(page) {
  return frame(page, "en", {
    bar: switcher({ ...page, available: () => true }, page.name, "both"),
    nav: chapterList(page, "both", "en"),
    main: `<div class="pairs">${page.rows.map(([left, right]) =>
      `<section class="pair"><article lang="en">${left}</article><article lang="ja">${right}</article></section>`).join("\n")}</div>${turnPages(page, "both", "en")}`,
  });
}

function sourcePage(page) {
  return frame(page, "en", { bar: "", main: `<article class="file"><h1>${escapeHtml(page.file)}</h1>${page.html}</article>` });
}

function homePage(page) {
  return frame(page, "en", {
    bar: "",
    main: `<div class="home">${languages.map((language) => `<section lang="${language}"><h1>${strings[language].book}</h1><ol>${page.chapters[language].map((entry) =>
      `<li><a href="${language}/${entry.name}">${titleText(entry.title)}</a></li>`).join("\n")}</ol></section>`).join("\n")}
<p class="both-link"><a href="both/index.html">${strings.en.both} · <span lang="ja">${strings.ja.both}</span></a></p></div>`,
  });
}
