import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
// @ts-expect-error: scripts are plain JavaScript.
import { changesetsOf, entryOf, places, withSection } from "../scripts/version.mjs";

const root = resolve(import.meta.dirname, "..");
const read = (folder: string, name: string) => readFileSync(join(folder, name), "utf8");
const versionOf = (folder: string): string => JSON.parse(read(folder, "package.json")).version;

/** The version at every place that states it, by file. */
const stated = (folder: string) =>
  (places as [string, RegExp][]).map(([file, pattern]) => [file, pattern.exec(read(folder, file))?.[2]]);

describe("the version", () => {
  it("is the same in every file that states it", () => {
    for (const [file, version] of stated(root)) expect(version, file).toBe(versionOf(root));
  });

  it("has a dated section in the changelog, newer than all others", () => {
    const sections = [...read(root, "CHANGELOG.md").matchAll(/^## \[(\d[^\]]*)\] - (\d{4}-\d\d-\d\d)$/gm)];
    expect(sections[0][1]).toBe(versionOf(root));
    const dates = sections.map(([, , date]) => date);
    expect(dates).toEqual([...dates].sort().reverse());
  });

  it("is not stated by the platform packages, which scripts/pack.mjs gives the main package's", () => {
    for (const platform of readdirSync(join(root, "native", "npm")))
      expect(JSON.parse(read(root, `native/npm/${platform}/package.json`)).version).toBeUndefined();
  });
});

describe("changesets", () => {
  const folder = mkdtempSync(join(tmpdir(), "foldin-version-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("that are pending each have a heading of the changelog", () => {
    expect(() => changesetsOf(root)).not.toThrow();
    expect(() => entryOf('---\n"foldin": minor\n---\n\nA new thing\n', "x.md")).toThrow(
      ".changeset/x.md: the text must begin with one of Added, ",
    );
  });

  it("become a section, together with what stands under Unreleased", () => {
    const before = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- a\n\n## [0.1.0] - 2026-01-01\n\n- old\n";
    const entries = [
      { heading: "Fixed", text: "f" },
      { heading: "Added", text: "b\nc" },
    ];
    expect(withSection(before, "0.2.0", "2026-02-03", entries)).toBe(
      "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-02-03\n\n### Added\n\n- a\n- b\n  c\n\n" +
        "### Fixed\n\n- f\n\n## [0.1.0] - 2026-01-01\n\n- old\n",
    );
  });

  it("make the next version in every file", () => {
    const files = [
      "package.json",
      "CHANGELOG.md",
      ".changeset/config.json",
      ...places.map(([file]: [string]) => file),
    ];
    for (const file of files) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      cpSync(join(root, file), join(folder, file));
    }
    writeFileSync(join(folder, ".changeset", "a.md"), '---\n"foldin": minor\n---\n\nAdded: a new thing.\n');
    spawnSync("git", ["init", "--quiet", "--initial-branch", "main"], { cwd: folder });
    const script = join(root, "scripts", "version.mjs");
    const { status, stderr } = spawnSync(process.execPath, [script, folder], { encoding: "utf8" });
    expect(status, stderr).toBe(0);
    const [major, minor] = versionOf(root).split(".").map(Number);
    const next = `${major}.${minor + 1}.0`;
    expect(versionOf(folder)).toBe(next);
    for (const [file, version] of stated(folder)) expect(version, file).toBe(next);
    expect(read(folder, "CHANGELOG.md")).toMatch(
      new RegExp(
        `^## \\[${next.replaceAll(".", "\\.")}\\] - \\d{4}-\\d\\d-\\d\\d$[\\s\\S]*^- a new thing\\.$`,
        "m",
      ),
    );
    expect(changesetsOf(folder)).toEqual([]);
  });
});
