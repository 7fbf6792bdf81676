import { existsSync } from "node:fs";

/** A Chromium of the system: named by FOLDIN_CHROMIUM, or where Debian, Fedora and Ubuntu put it. */
export const browserPath = [
  process.env.FOLDIN_CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
].find((path) => path && existsSync(path));
if (!browserPath) console.log("skipped: there is no Chromium to try pages in (FOLDIN_CHROMIUM names one)");
