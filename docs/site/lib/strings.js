// The words of the site around the text.
export const strings = {
  en: {
    book: "Recurrent neural networks", chapters: "Chapters", onThisPage: "On this page", search: "Search", nothing: "Nothing found.",
    previous: "Previous", next: "Next", both: "Side by side", theme: "Light or dark", output: "Output", shell: "Shell", copy: "Copy",
    copied: "Copied", linkHere: "Link to this section", source: "Source", menu: "Menu", language: "English",
  },
  ja: {
    book: "再帰型ニューラルネットワーク", chapters: "章", onThisPage: "このページの内容", search: "検索", nothing: "見つかりません。",
    previous: "前へ", next: "次へ", both: "対訳", theme: "明暗の切り替え", output: "出力", shell: "シェル", copy: "コピー",
    copied: "コピーしました", linkHere: "この節へのリンク", source: "ソース", menu: "メニュー", language: "日本語",
  },
};
