// The Markdown of the book → HTML: formulas by KaTeX, code by highlight.js, and the book's own conventions.
import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import csharp from "highlight.js/lib/languages/csharp";
import json from "highlight.js/lib/languages/json";
import katex from "katex";
import MarkdownIt from "markdown-it";

hljs.registerLanguage("bash", bash);
hljs.registerLanguage("csharp", csharp);
hljs.registerLanguage("json", json);

export const escapeHtml = (text) =>
  text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");

export const highlight = (code, language) =>
  hljs.getLanguage(language) ? hljs.highlight(code, { language }).value : escapeHtml(code);

// A formula that KaTeX does not know ends the build, with the page and the formula in the message.
function formula(tex, displayMode, env) {
  try {
    return katex.renderToString(tex, { displayMode, throwOnError: true, strict: "ignore" });
  } catch (error) {
    throw new Error(`${env.path}: the formula ${tex.trim()} cannot be rendered: ${error.message}`);
  }
}

// A formula as one would type it to find it: h_{t-1} is h_t-1, and \alpha is alpha.
const plainFormula = (tex) => escapeHtml(tex
  .replace(/\\(?:left|right|operatorname|text|mathrm|[lr]vert|q?quad)(?![a-zA-Z])|\\[,;!:]/g, "").replace(/\\/g, " ").replace(/[{}]/g, ""));

// $…$ without a space inside next to a dollar, or $`…`$.
function inlineFormula(state, silent) {
  const { src, pos } = state;
  if (src[pos] !== "$" || src[pos + 1] === "$") return false;
  const match = /^\$`([^`]+)`\$/.exec(src.slice(pos)) ?? /^\$((?:[^\s$`\\]|\\.)(?:(?:[^$\\]|\\.)*?(?:[^\s$\\]|\\.))?)\$(?!\d)/.exec(src.slice(pos));
  if (!match) return false;
  if (!silent) state.push("formula", "span", 0).content = match[1];
  state.pos += match[0].length;
  return true;
}

// Lines between $$ and $$.
function displayFormula(state, start, end, silent) {
  const text = (line) => state.src.slice(state.bMarks[line] + state.tShift[line], state.eMarks[line]);
  if (text(start).trim() !== "$$") return false;
  let last = start + 1;
  while (last < end && text(last).trim() !== "$$") last++;
  if (last === end) return false;
  if (silent) return true;
  const token = state.push("equation", "div", 0);
  token.content = state.getLines(start + 1, last, state.tShift[start], false);
  token.map = [start, last + 1];
  state.line = last + 1;
  return true;
}

/** What a page's Markdown is rendered with. env: { path, ids, plain, link(href, text), equation(n), section(n), figure(src, text), strings }. */
export function createMarkdown() {
  const md = new MarkdownIt({ html: true, linkify: false, typographer: false });
  md.inline.ruler.before("escape", "formula", inlineFormula);
  md.block.ruler.before("fence", "equation", displayFormula, { alt: ["paragraph", "blockquote", "list"] });

  md.core.ruler.push("book", (state) => {
    const { tokens, env } = state;
    let table = 0;
    let heading = 0;
    for (let i = 0; i < tokens.length; i++) {
      const token = tokens[i];
      const inline = tokens[i + 1];
      if (token.type === "heading_open") {
        const number = /^(\d+(?:\.\d+)*)/.exec(inline.content)?.[1];
        token.meta = { id: number ? `s${number}` : `h${heading}`, number };
        heading++;
        if (env.ids) token.attrSet("id", token.meta.id);
      } else if (token.type === "blockquote_open" && /^\(\d+\.\d+\).*→/.test(tokens[i + 2]?.content ?? "")) {
        token.attrJoin("class", "code-line");
      } else if (token.type === "table_open") {
        table++;
        token.attrSet("class", `table-${table}`);
      } else if (token.type === "inline") {
        token.children = references(dropComments(token.children), state, tokens[i - 1]?.type === "heading_open");
        figureOfParagraph(tokens, i, env);
      } else if (token.type === "html_block") {
        token.content = token.content.replace(/<!--[\s\S]*?-->/g, "").replace(/(<img[^>]*\ssrc=")([^"]+)"/g, (_, before, src) => `${before}${env.link(src)}"`);
      }
    }
  });

  md.renderer.rules.formula = (tokens, i, _, env) => env.plain ? plainFormula(tokens[i].content) : formula(tokens[i].content, false, env);
  md.renderer.rules.equation = (tokens, i, _, env) => {
    if (env.plain) return "";
    const number = /\\tag\{([^}]*)\}/.exec(tokens[i].content)?.[1];
    const html = formula(tokens[i].content, true, env);
    if (!number) return `<div class="equation">${html}</div>\n`;
    const id = env.ids ? ` id="eq-${number}"` : "";
    return `<div class="equation numbered"${id}>${html}<a class="anchor" href="#eq-${number}" aria-label="(${number})">#</a></div>\n`;
  };
  md.renderer.rules.fence = (tokens, i, _, env) => {
    const language = tokens[i].info.trim();
    const output = language === "text" && tokens[i - 1]?.type === "fence" && tokens[i - 1].info.trim() === "csharp";
    const label = output ? env.strings.output : { csharp: "C#", bash: env.strings.shell }[language] ?? "";
    return `<div class="block${output ? " output" : ""}"><div class="block-head">${label ? `<span>${label}</span>` : ""}</div><pre><code class="language-${escapeHtml(language)}">${highlight(tokens[i].content.replace(/\n$/, ""), language)}</code></pre></div>\n`;
  };
  md.renderer.rules.table_open = () => '<div class="table"><table>\n';
  md.renderer.rules.table_close = () => "</table></div>\n";
  md.renderer.rules.heading_close = (tokens, i, _, env) => {
    const open = tokens.slice(0, i).findLast((token) => token.type === "heading_open");
    const anchor = open.tag === "h1" || !env.ids ? "" : `<a class="anchor" href="#${open.meta.id}" aria-label="${env.strings.linkHere}">#</a>`;
    return `${anchor}</${tokens[i].tag}>\n`;
  };
  return md;
}

const dropComments = (children) => children.filter((child) => child.type !== "html_inline" || !child.content.startsWith("<!--"));

// A paragraph that is one image becomes a figure with its text as the caption.
function figureOfParagraph(tokens, i, env) {
  const { children } = tokens[i];
  for (const child of children) {
    if (child.type === "link_open" && !child.meta?.resolved) child.attrSet("href", env.link(child.attrGet("href"), linkText(children, child)));
    if (child.type === "html_inline") child.content = child.content.replace(/(<img[^>]*\ssrc=")([^"]+)"/, (_, before, src) => `${before}${env.link(src)}"`);
  }
  const images = children.filter((child) => child.type === "image");
  for (const image of images) {
    const html = env.figure(image.attrGet("src"), image.content);
    const alone = children.length === 1 && tokens[i - 1]?.type === "paragraph_open";
    image.type = "html_inline";
    image.content = alone ? `<figure>${html}<figcaption>${env.md.renderInline(image.content, env)}</figcaption></figure>` : html;
    if (alone) {
      tokens[i - 1].hidden = true;
      tokens[i + 1].hidden = true;
    }
  }
}

function linkText(children, open) {
  const at = children.indexOf(open);
  const close = children.findIndex((child, k) => k > at && child.type === "link_close");
  return children.slice(at + 1, close).map((child) => child.content).join("");
}

// (3.4) leads to the equation and §3.4 to the section, on this page or another.
function references(children, state, inHeading) {
  const { env } = state;
  const result = [];
  let inLink = inHeading ? 1 : 0;
  for (const child of children) {
    if (child.type === "link_open") inLink++;
    if (child.type === "link_close") inLink--;
    if (child.type !== "text" || inLink > 0) {
      result.push(child);
      continue;
    }
    let rest = child.content;
    const pattern = /([(（])(\d{1,2}\.\d{1,2})([)）])|(§§?\s?)(\d{1,2}(?:\.\d{1,2})?)/;
    for (let match = pattern.exec(rest); match; match = pattern.exec(rest)) {
      const href = match[2] ? env.equation(match[2]) : env.section(match[5]);
      push("text", rest.slice(0, match.index));
      if (href) {
        const open = new state.Token("link_open", "a", 1);
        open.attrs = [["href", href], ["class", "reference"]];
        open.meta = { resolved: true };
        result.push(open);
        push("text", match[0]);
        result.push(new state.Token("link_close", "a", -1));
      } else {
        push("text", match[0]);
      }
      rest = rest.slice(match.index + match[0].length);
    }
    push("text", rest);
  }
  return result;

  function push(type, content) {
    if (content === "") return;
    const token = new state.Token(type, "", 0);
    token.content = content;
    result.push(token);
  }
}
