import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeFileAtomic } from "../../src/core/atomic-file.js";
import { restoreReplaced, writeFolder } from "../../src/core/atomic-folder.js";
import { AbortedError, UserError } from "../../src/core/errors.js";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-test-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const marker = "manifest.json";
const fill = (text: string) => async (folder: string) => writeFileSync(join(folder, marker), text);
const read = (name: string) => readFileSync(join(home, name, marker), "utf8");

describe("writeFolder", () => {
  it("makes the folder and its parents, and leaves nothing else", async () => {
    await writeFolder(join(home, "a/b/out"), { marker }, fill("new"));
    expect(read("a/b/out")).toBe("new");
    expect(readdirSync(join(home, "a/b"))).toEqual(["out"]);
  });

  it("leaves nothing behind when the writer fails", async () => {
    const failing = writeFolder(join(home, "out"), { marker }, async (folder) => {
      writeFileSync(join(folder, "half"), "half");
      throw new Error("the disk is full");
    });
    await expect(failing).rejects.toThrow("the disk is full");
    expect(readdirSync(home)).toEqual([]);
  });

  it("leaves nothing behind when the work is aborted", async () => {
    const stop = new AbortController();
    const stopped = writeFolder(join(home, "out"), { marker, signal: stop.signal }, async (folder) => {
      writeFileSync(join(folder, marker), "late");
      stop.abort();
    });
    await expect(stopped).rejects.toThrow(AbortedError);
    expect(readdirSync(home)).toEqual([]);
  });

  it("refuses a folder that exists, and replaces it when forced", async () => {
    const out = join(home, "out");
    await writeFolder(out, { marker }, fill("first"));
    await expect(writeFolder(out, { marker }, fill("second"))).rejects.toThrow(UserError);
    expect(read("out")).toBe("first");
    await writeFolder(out, { marker, force: true }, fill("third"));
    expect(read("out")).toBe("third");
    expect(readdirSync(home)).toEqual(["out"]);
  });

  it("keeps the old folder when a forced replacement fails", async () => {
    const out = join(home, "out");
    await writeFolder(out, { marker }, fill("first"));
    const failing = writeFolder(out, { marker, force: true }, async () => {
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(read("out")).toBe("first");
    expect(readdirSync(home)).toEqual(["out"]);
  });

  it("never replaces a file or a folder that foldin did not write", async () => {
    mkdirSync(join(home, "photos"));
    writeFileSync(join(home, "photos", "cat.jpg"), "cat");
    writeFileSync(join(home, "file"), "text");
    for (const name of ["photos", "file"])
      await expect(writeFolder(join(home, name), { marker, force: true }, fill("x")), name).rejects.toThrow(
        UserError,
      );
    expect(readFileSync(join(home, "photos", "cat.jpg"), "utf8")).toBe("cat");
  });

  it("fills an empty folder and removes the leftovers of a killed process", async () => {
    mkdirSync(join(home, "out"));
    mkdirSync(join(home, ".out.partial-999999999-0badcafe"));
    await writeFolder(join(home, "out"), { marker }, fill("new"));
    expect(readdirSync(home)).toEqual(["out"]);
  });
});

/** A dataset-like kind: two files, one of them in a folder, and a head that says what it is. */
const kind = {
  marker,
  recognises: (head: unknown) => typeof head === "object" && head !== null && "ours" in head,
  own: /^(manifest\.json|tables\/.+\.parquet)$/,
};
const fillOurs = (version: number) => async (folder: string) => {
  mkdirSync(join(folder, "tables"));
  writeFileSync(join(folder, "tables", "rows.parquet"), String(version));
  writeFileSync(join(folder, marker), JSON.stringify({ ours: version }));
};
const tree = (folder: string) =>
  (readdirSync(folder, { recursive: true }) as string[])
    .toSorted()
    .filter((name) => !name.endsWith("tables"));

describe("user files in a folder that is replaced", () => {
  it("are moved to the new folder: files, links and folders, also inside folders of foldin", async () => {
    const out = join(home, "out");
    await writeFolder(out, kind, fillOurs(1));
    writeFileSync(join(out, "notes.txt"), "mine");
    mkdirSync(join(out, "plots", "deep"), { recursive: true });
    writeFileSync(join(out, "plots", "deep", "a.png"), "png");
    writeFileSync(join(out, "tables", "rows.csv"), "mine, too");
    symlinkSync("/nowhere", join(out, "link"));
    await writeFolder(out, { ...kind, force: true }, fillOurs(2));
    expect(tree(out)).toEqual([
      ...["link", "manifest.json", "notes.txt", "plots", "plots/deep", "plots/deep/a.png"],
      ...["tables/rows.csv", "tables/rows.parquet"],
    ]);
    expect(read("out")).toBe('{"ours":2}');
    expect(readFileSync(join(out, "tables", "rows.csv"), "utf8")).toBe("mine, too");
    expect(readdirSync(home)).toEqual(["out"]);
  });

  it("are renamed if the new folder has a file with the same name", async () => {
    const out = join(home, "out");
    await writeFolder(out, kind, fillOurs(1));
    writeFileSync(join(out, "extra"), "mine");
    await writeFolder(out, { ...kind, force: true }, async (folder) => {
      await fillOurs(2)(folder);
      writeFileSync(join(folder, "extra"), "new");
    });
    expect(readFileSync(join(out, "extra"), "utf8")).toBe("new");
    expect(readFileSync(join(out, "extra.1"), "utf8")).toBe("mine");
  });

  it("are safe if only the name of the marker matches", async () => {
    mkdirSync(join(home, "app"));
    for (const text of ['{"name": "a web app"}', "no JSON", ""]) {
      writeFileSync(join(home, "app", marker), text);
      await expect(writeFolder(join(home, "app"), { ...kind, force: true }, fillOurs(1))).rejects.toThrow(
        /the folder is not replaced because foldin did not write its manifest\.json/,
      );
      expect(read("app")).toBe(text);
    }
  });

  it("are kept when the target of a link is replaced; the link stays", async () => {
    await writeFolder(join(home, "v1"), kind, fillOurs(1));
    symlinkSync("v1", join(home, "current"));
    await writeFolder(join(home, "current"), { ...kind, force: true }, fillOurs(2));
    expect(readlinkSync(join(home, "current"))).toBe("v1");
    expect(read("v1")).toBe('{"ours":2}');
    expect(readdirSync(home).toSorted()).toEqual(["current", "v1"]);
  });

  it("are not written through a broken link", async () => {
    symlinkSync("nowhere", join(home, "dead"));
    await expect(writeFolder(join(home, "dead"), kind, fillOurs(1))).rejects.toThrow(/broken symbolic link/);
    expect(readdirSync(home)).toEqual(["dead"]);
  });
});

describe("a replacement killed between its two renames", () => {
  const old = (hex: string) => join(home, `.out.old-0badcafe-999999999-${hex}`);
  const interrupt = async () => {
    await writeFolder(join(home, "out"), kind, fillOurs(1));
    writeFileSync(join(home, "out", "notes.txt"), "mine");
    renameSync(join(home, "out"), old("00000001"));
    mkdirSync(join(home, ".out.partial-0badcafe-999999999-00000002"));
  };

  it("is undone by the next reader", async () => {
    await interrupt();
    await restoreReplaced(join(home, "out"));
    expect(read("out")).toBe('{"ours":1}');
    expect(readdirSync(home)).toEqual(["out"]);
  });

  it("is undone by the next writer, who does not overwrite without force", async () => {
    await interrupt();
    await expect(writeFolder(join(home, "out"), kind, fillOurs(2))).rejects.toThrow(/already exists/);
    expect(read("out")).toBe('{"ours":1}');
    await writeFolder(join(home, "out"), { ...kind, force: true }, fillOurs(3));
    expect(read("out")).toBe('{"ours":3}');
    expect(readFileSync(join(home, "out", "notes.txt"), "utf8")).toBe("mine");
    expect(readdirSync(home)).toEqual(["out"]);
  });

  it("is undone if an earlier version left it", async () => {
    await interrupt();
    renameSync(old("00000001"), join(home, ".out.old-999999999-00000001"));
    await restoreReplaced(join(home, "out"));
    expect(read("out")).toBe('{"ours":1}');
  });

  it("is completed if the new folder is already in place", async () => {
    await interrupt();
    mkdirSync(join(home, "out"));
    await fillOurs(2)(join(home, "out"));
    await restoreReplaced(join(home, "out"));
    expect(read("out")).toBe('{"ours":2}');
    await writeFolder(join(home, "out"), { ...kind, force: true }, fillOurs(3));
    expect(readFileSync(join(home, "out", "notes.txt"), "utf8")).toBe("mine");
    expect(readdirSync(home)).toEqual(["out"]);
  });

  it("restores the newest of several", async () => {
    await interrupt();
    await writeFolder(old("00000003"), kind, fillOurs(5));
    await restoreReplaced(join(home, "out"));
    expect(read("out")).toBe('{"ours":5}');
  });

  it("leaves a user's file with a similar name alone", async () => {
    writeFileSync(join(home, ".out.old-notes"), "mine");
    await restoreReplaced(join(home, "out"));
    await writeFolder(join(home, "out"), kind, fillOurs(1));
    expect(readdirSync(home).toSorted()).toEqual([".out.old-notes", "out"]);
  });
});

describe("leftovers of a killed process next to a file", () => {
  const left = (owner: string) => `.a.txt.partial-${owner}-0badcafe`;

  it("are removed by the next write; files that another process may still be writing stay", async () => {
    for (const owner of ["999999999", `${process.ppid}`, "12345678-999999999"])
      writeFileSync(join(home, left(owner)), "half");
    utimesSync(join(home, left("12345678-999999999")), new Date(), new Date());
    await writeFileAtomic(join(home, "a.txt"), "whole");
    expect(readdirSync(home).toSorted()).toEqual(
      ["a.txt", left(`${process.ppid}`), left("12345678-999999999")].toSorted(),
    );
  });

  it("are removed after a day, whatever machine or process they belong to", async () => {
    const yesterday = new Date(Date.now() - 25 * 3600_000);
    for (const owner of [`${process.ppid}`, "12345678-1"]) {
      writeFileSync(join(home, left(owner)), "half");
      utimesSync(join(home, left(owner)), yesterday, yesterday);
    }
    await writeFileAtomic(join(home, "a.txt"), "whole");
    expect(readdirSync(home)).toEqual(["a.txt"]);
  });
});

describe("writeFileAtomic", () => {
  it("replaces a file and leaves nothing else", async () => {
    const path = join(home, "config.json");
    await writeFileAtomic(path, "one");
    await writeFileAtomic(path, "two");
    expect(readFileSync(path, "utf8")).toBe("two");
    expect(readdirSync(home)).toEqual(["config.json"]);
  });

  it("leaves nothing behind if the location is not writable", async () => {
    mkdirSync(join(home, "taken"));
    await expect(writeFileAtomic(join(home, "taken"), "x")).rejects.toThrow();
    expect(readdirSync(home)).toEqual(["taken"]);
  });
});
