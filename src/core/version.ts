// The version of this package, from its package.json, which is two folders up both in the sources and in the build.

import { readFileSync } from "node:fs";

const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

export const version = manifest.version;
