// Drives a headless Chromium through a pipe: enough of its protocol to open pages, ask them and photograph them.
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

const names = [process.env.CHROME, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/** The browser on this machine, or null. */
export const findBrowser = () => names.find((name) => name && spawnSync(name, ["--version"], { stdio: "ignore" }).status === 0) ?? null;

export async function openBrowser(program) {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), "book-check-"));
  const child = spawn(program, [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-extensions", "--disable-dev-shm-usage",
    `--user-data-dir=${profile}`, "--remote-debugging-pipe", "about:blank",
  ], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
  const [input, output] = [child.stdio[3], child.stdio[4]];
  const waiting = new Map();
  const listeners = [];
  let buffer = "";
  let last = 0;
  output.setEncoding("utf8");
  output.on("data", (text) => {
    buffer += text;
    const messages = buffer.split("\0");
    buffer = messages.pop();
    for (const message of messages.map((m) => JSON.parse(m))) {
      const pending = waiting.get(message.id);
      waiting.delete(message.id);
      if (pending) message.error ? pending.reject(new Error(message.error.message)) : pending.resolve(message.result);
      else for (const listener of listeners) listener(message);
    }
  });
  child.on("exit", () => {
    for (const pending of waiting.values()) pending.reject(new Error("the browser ended"));
  });

  const send = (method, params = {}, sessionId = undefined) => new Promise((resolve, reject) => {
    waiting.set(++last, { resolve, reject });
    input.write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`);
  });
  const { targetId } = await send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
  const page = (method, params) => send(method, params, sessionId);
  await Promise.all(["Page", "Runtime", "Log"].map((domain) => page(`${domain}.enable`)));

  return {
    /** Opens an address; the messages of the console and the errors until `loaded` are returned. */
    async open(url) {
      const errors = [];
      const loaded = new Promise((resolve) => {
        const listen = ({ method, params }) => {
          if (method === "Runtime.exceptionThrown") errors.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
          if (method === "Log.entryAdded" && params.entry.level === "error") errors.push(`${params.entry.text} ${params.entry.url ?? ""}`.trim());
          if (method === "Runtime.consoleAPICalled" && params.type === "error") errors.push(params.args.map((a) => a.value ?? a.description).join(" "));
          if (method === "Page.loadEventFired") {
            listeners.splice(listeners.indexOf(listen), 1);
            resolve();
          }
        };
        listeners.push(listen);
      });
      await page("Page.navigate", { url });
      await loaded;
      return errors;
    },
    async evaluate(expression) {
      const { result, exceptionDetails } = await page("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
      return result.value;
    },
    async size(width, height, dark = false) {
      await page("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: width < 600 });
      await page("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }] });
    },
    async photograph(file) {
      const { data } = await page("Page.captureScreenshot", { format: "png" });
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, Buffer.from(data, "base64"));
    },
    async close() {
      const ended = new Promise((resolve) => child.on("exit", resolve));
      await send("Browser.close").catch(() => {});
      await ended;
      fs.rmSync(profile, { recursive: true, force: true });
    },
  };
}
