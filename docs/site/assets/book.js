// A classic script, so that it runs from a folder: colours, copying, the section in view, languages, search.
(function () {
  "use strict";
  var root = document.documentElement;
  var body = document.body;
  var strings = JSON.parse(body.dataset.strings);

  // Light or dark: what the button chose is remembered, else the system decides.
  document.querySelector(".theme").addEventListener("click", function () {
    var dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("book-theme", root.dataset.theme); } catch (e) { /* without storage it holds for this page */ }
  });

  var menu = document.querySelector(".menu");
  if (menu) {
    menu.addEventListener("click", function () {
      var open = document.querySelector(".chapters").classList.toggle("open");
      menu.setAttribute("aria-expanded", String(open));
    });
  }

  // Code is copied without its output.
  document.querySelectorAll(".block:not(.output)").forEach(function (block) {
    var button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = strings.copy;
    button.addEventListener("click", function () {
      copy(block.querySelector("code").textContent);
      button.textContent = strings.copied;
      setTimeout(function () { button.textContent = strings.copy; }, 1500);
    });
    block.querySelector(".block-head").appendChild(button);
  });

  function copy(text) {
    if (navigator.clipboard && window.isSecureContext) {
      navigator.clipboard.writeText(text);
      return;
    }
    var area = document.createElement("textarea");
    area.value = text;
    body.appendChild(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }

  // Answers are unfolded on paper.
  addEventListener("beforeprint", function () {
    document.querySelectorAll("article details").forEach(function (details) { details.open = true; });
  });

  // The section in view is marked in the contents, and kept when the language is switched.
  var headings = Array.prototype.slice.call(document.querySelectorAll("main h2[id]"));
  var links = {};
  document.querySelectorAll(".toc a").forEach(function (link) { links[link.getAttribute("href").slice(1)] = link; });
  var here = "";
  function look() {
    var current = "";
    headings.forEach(function (heading) {
      if (heading.getBoundingClientRect().top < 120) current = heading.id;
    });
    if (current === here) return;
    if (links[here]) links[here].classList.remove("here");
    if (links[current]) links[current].classList.add("here");
    here = current;
  }
  addEventListener("scroll", look, { passive: true });
  look();
  document.querySelectorAll("[data-keep-section]").forEach(function (link) {
    link.addEventListener("click", function () {
      link.hash = here;
    });
  });

  // Search: every word must occur in a section; the text is scanned as it is, so Japanese needs no words.
  var input = document.querySelector(".search input");
  var results = document.querySelector(".results");
  var sections = null;
  var chosen = -1;

  function fold(text) {
    return text.normalize("NFKC").toLowerCase();
  }

  function load(then) {
    if (sections) { then(); return; }
    var script = document.createElement("script");
    script.src = body.dataset.root + "assets/search-" + body.dataset.language + ".js";
    script.onload = function () {
      sections = window.bookSearch.map(function (section) {
        return { section: section, heading: fold(section.h), page: fold(section.p), text: fold(section.t) };
      });
      then();
    };
    document.head.appendChild(script);
  }

  function find(query) {
    var words = fold(query).split(/\s+/).filter(Boolean);
    return sections.map(function (s) {
      var score = 0;
      for (var k = 0; k < words.length; k++) {
        var inHeading = s.heading.indexOf(words[k]) >= 0;
        var count = s.text.split(words[k]).length - 1;
        if (!inHeading && count === 0 && s.page.indexOf(words[k]) < 0) return null;
        score += (inHeading ? 20 : 0) + Math.min(count, 10);
      }
      return { found: s, score: score };
    }).filter(Boolean).sort(function (a, b) { return b.score - a.score; }).slice(0, 20).map(function (hit) { return { hit: hit.found, words: words }; });
  }

  function show() {
    var query = input.value.trim();
    chosen = -1;
    results.textContent = "";
    results.hidden = query === "";
    if (query === "") return;
    var hits = find(query);
    if (hits.length === 0) {
      var nothing = document.createElement("p");
      nothing.textContent = strings.nothing;
      results.appendChild(nothing);
    }
    hits.forEach(function (entry) {
      var link = document.createElement("a");
      link.href = body.dataset.root + entry.hit.section.u;
      link.setAttribute("role", "option");
      link.appendChild(document.createTextNode(entry.hit.section.h));
      link.appendChild(excerpt(entry.hit, entry.words));
      results.appendChild(link);
    });
  }

  // The text around the first word that is found, with the word marked.
  function excerpt(hit, words) {
    var small = document.createElement("small");
    var at = -1;
    var word = "";
    words.forEach(function (w) {
      var k = hit.text.indexOf(w);
      if (k >= 0 && (at < 0 || k < at)) { at = k; word = w; }
    });
    // Folding may change lengths; then the beginning is shown.
    var text = hit.text.length === hit.section.t.length ? hit.section.t : hit.text;
    if (at < 0) { small.textContent = text.slice(0, 120); return small; }
    var mark = document.createElement("mark");
    mark.textContent = text.slice(at, at + word.length);
    small.append((at > 40 ? "…" : "") + text.slice(Math.max(0, at - 40), at), mark, text.slice(at + word.length, at + word.length + 80) + "…");
    return small;
  }

  input.addEventListener("focus", function () { load(function () {}); });
  input.addEventListener("input", function () { load(show); });
  input.addEventListener("keydown", function (event) {
    var items = results.querySelectorAll("a");
    if (event.key === "Escape") { input.value = ""; show(); input.blur(); }
    if (event.key === "Enter" && items.length > 0) { items[Math.max(0, chosen)].click(); results.hidden = true; }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (items[chosen]) items[chosen].classList.remove("chosen");
      chosen = Math.max(0, Math.min(items.length - 1, chosen + (event.key === "ArrowDown" ? 1 : -1)));
      if (items[chosen]) { items[chosen].classList.add("chosen"); items[chosen].scrollIntoView({ block: "nearest" }); }
    }
  });
  addEventListener("keydown", function (event) {
    if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) { event.preventDefault(); input.focus(); }
  });
  addEventListener("click", function (event) {
    if (!event.target.closest(".search")) results.hidden = true;
  });
})();
