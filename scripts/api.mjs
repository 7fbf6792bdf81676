// The public API in reports that a change of it changes: one per entry point in api/, made by API Extractor from the declarations in
// dist/ (`npm run build` first). `node scripts/api.mjs` fails where a report differs; with --update it writes them.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { Extractor, ExtractorConfig } from "@microsoft/api-extractor";

const root = join(import.meta.dirname, "..");

/** Each entry point of package.json with its declarations and its report: [{name, declarations, report}]. */
export function entryPoints() {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return Object.entries(exports)
    .filter(([, target]) => target.types)
    .map(([path, { types }]) => {
      const name = path === "." ? "foldin" : path.slice(2).replaceAll("/", "-");
      return {
        name,
        declarations: join(root, types),
        report: join(root, "api", [name, "api", "md"].join(".")),
      };
    });
}

const compilerOptions = {
  target: "ES2022",
  lib: ["ES2023"],
  module: "NodeNext",
  moduleResolution: "NodeNext",
  types: ["node"],
  strict: true,
  skipLibCheck: true,
};

/** The report of an entry point, as text. Throws where API Extractor fails. */
export function reportOf({ report, declarations }) {
  const folder = mkdtempSync(join(tmpdir(), "foldin-api-"));
  const problems = [];
  try {
    const config = ExtractorConfig.prepare({
      packageJsonFullPath: join(root, "package.json"),
      configObject: {
        projectFolder: root,
        mainEntryPointFilePath: declarations,
        newlineKind: "lf",
        compiler: { overrideTsconfig: { compilerOptions, files: [declarations] } },
        apiReport: {
          enabled: true,
          reportFileName: basename(report),
          reportFolder: folder,
          reportTempFolder: folder,
        },
        docModel: { enabled: false },
        dtsRollup: { enabled: false },
        tsdocMetadata: { enabled: false },
        messages: {
          compilerMessageReporting: { default: { logLevel: "error" } },
          // Types that a signature names and that no entry point exports, and exports without a docstring, are part of the report.
          extractorMessageReporting: {
            default: { logLevel: "warning", addToApiReportFile: true },
            "ae-missing-release-tag": { logLevel: "none" },
          },
          tsdocMessageReporting: { default: { logLevel: "none" } },
        },
      },
    });
    const result = Extractor.invoke(config, {
      localBuild: true,
      messageCallback(message) {
        if (message.logLevel === "error") problems.push(message.formatMessageWithLocation(root));
        message.handled = true;
      },
    });
    if (!result.succeeded) throw new Error(`API Extractor failed on ${declarations}: ${problems.join("; ")}`);
    return readFileSync(join(folder, basename(report)), "utf8");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The first line that differs, for a message. */
export function firstDifference(before, after) {
  const [old, now] = [before.split("\n"), after.split("\n")];
  const at = now.findIndex((line, i) => line !== old[i]);
  const line = at === -1 ? now.length : at;
  return `line ${line + 1}: "${old[line] ?? ""}" is now "${now[line] ?? ""}"`;
}

function main(update) {
  for (const entry of entryPoints()) {
    const now = reportOf(entry);
    if (update) writeFileSync(entry.report, now);
    else {
      const before = readFileSync(entry.report, "utf8");
      if (before === now) continue;
      console.error(
        `api: the public API of ${entry.name} differs from its report, ${firstDifference(before, now)}. ` +
          "If the change is intended, run npm run api:update and commit the report.",
      );
      process.exitCode = 1;
    }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) main(process.argv.includes("--update"));
