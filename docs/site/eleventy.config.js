// The book as a static site: docs/book → artifacts/site. Everything is relative, so that it works opened from a folder.
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const fromHere = (...parts) => path.relative(process.cwd(), path.join(here, ...parts));

export default function (config) {
  config.setUseGitIgnore(false);
  config.addPassthroughCopy({ [fromHere("assets")]: "assets" });
  config.addPassthroughCopy({ [fromHere("../book/figures")]: "figures" });
  config.addPassthroughCopy({ [fromHere("../book/diagrams")]: "diagrams" });
  config.addPassthroughCopy({ [fromHere("node_modules/katex/dist/katex.min.css")]: "assets/katex/katex.min.css" });
  config.addPassthroughCopy({ [fromHere("node_modules/katex/dist/fonts/*.woff2")]: "assets/katex/fonts" });
  config.addPassthroughCopy({ [fromHere("node_modules/katex/LICENSE")]: "assets/katex/LICENSE" });
  config.addPassthroughCopy({ [fromHere("../../src/Unroll.Plots/Fonts/UnrollSans-Regular.ttf")]: "assets/UnrollSans-Regular.ttf" });
  config.addPassthroughCopy({ [fromHere("../../src/Unroll.Plots/Fonts/OFL.txt")]: "assets/UnrollSans-OFL.txt" });
  config.addWatchTarget(fromHere("../book"));
  return {
    dir: { input: fromHere("src"), output: process.env.BOOK_SITE ?? fromHere("../../artifacts/site") },
  };
}
