// The text that search looks through, as a classic script: a page opened from a folder may not fetch files.
export const data = {
  pagination: { data: "book.search", size: 1, alias: "language" },
  permalink: ({ language }) => `assets/search-${language}.js`,
};

export function render({ language, book }) {
  return `window.bookSearch = ${JSON.stringify(book.search[language]).replace(/</g, "\\u003c")};\n`;
}
