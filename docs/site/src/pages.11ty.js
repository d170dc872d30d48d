import { layout } from "../lib/layout.js";

export const data = {
  pagination: { data: "book.pages", size: 1, alias: "entry" },
  permalink: ({ entry }) => entry.url,
};

export function render({ entry }) {
  return layout(entry);
}
