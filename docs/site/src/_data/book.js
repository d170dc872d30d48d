import { readBook } from "../../lib/book.js";

export default () => readBook();
