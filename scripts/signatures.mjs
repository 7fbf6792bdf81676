// The registry's signatures of the installed packages, where the registry offers them: `npm audit signatures` after `npm ci`. Says what was
// checked. A registry without signing keys (a mirror, often) is no failure, unless --required is given.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const root = join(import.meta.dirname, "..");

/** Whether a registry publishes keys to check signatures with: true, or the reason why not. */
export async function offersKeys(registry) {
  try {
    const answer = await fetch(new URL("-/npm/v1/keys", registry.endsWith("/") ? registry : `${registry}/`));
    if (!answer.ok) return `it answers ${answer.status} when asked for its signing keys`;
    const { keys } = await answer.json();
    return keys?.length > 0 || "it has no signing keys";
  } catch (error) {
    return `it cannot be asked for its signing keys (${error.cause?.code ?? error.message})`;
  }
}

/** "N packages, M of them with an integrity hash", from the lock file. */
export function hashes() {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const entries = Object.entries(packages).filter(([path]) => path !== "");
  return `${entries.length} packages, ${entries.filter(([, { integrity }]) => integrity).length} of them with an integrity hash`;
}

async function main(required) {
  const shell = process.platform === "win32";
  const npm = (args, options) => spawnSync("npm", args, { cwd: root, encoding: "utf8", shell, ...options });
  const offered = await offersKeys(npm(["config", "get", "registry"]).stdout.trim());
  console.log(`signatures: package-lock.json lists ${hashes()}, which npm ci verifies`);
  if (offered !== true) {
    console.error(`signatures: not checked, because of the registry in use: ${offered}`);
    if (required) process.exitCode = 1;
    return;
  }
  const { status } = npm(["audit", "signatures"], { stdio: "inherit" });
  if (status === 0) console.log("signatures: npm audit signatures found no wrong signature or attestation");
  else {
    console.error("signatures: npm audit signatures failed; see the lines above");
    process.exitCode = 1;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  await main(process.argv.includes("--required"));
