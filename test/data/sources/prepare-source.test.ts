import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { loadDataset } from "../../../src/data/dataset.js";
import { parseProtocol } from "../../../src/data/protocol.js";
import { type PrepareSourceOptions, prepareSource } from "../../../src/data/sources/prepare-source.js";
import { findSource, knownSources, sourceNames } from "../../../src/data/sources/registry.js";
import { entryCount } from "../../../src/sparse/csr.js";
import { zip } from "../../support/zip.js";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "foldin-source-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Writes files into the source's folder. */
function files(contents: Record<string, string | Buffer>): string {
  for (const [name, content] of Object.entries(contents)) {
    mkdirSync(dirname(join(root, "in", name)), { recursive: true });
    writeFileSync(join(root, "in", name), content);
  }
  return join(root, "in");
}

async function prepare(options: Omit<PrepareSourceOptions, "out">) {
  const notes: string[] = [];
  const out = join(root, "out");
  const { manifest, compared } = await prepareSource({
    out,
    progress: (event) => event.type === "note" && notes.push(event.text),
    ...options,
  });
  return { manifest, compared, notes, dataset: await loadDataset(out) };
}

/** 30 users x 10 items in the given form, every rating 4 or 5 but the last one of each user. */
function rows(form: (user: number, item: number, rating: number) => string): string {
  const lines: string[] = [];
  for (let user = 1; user <= 30; user++)
    for (let k = 0; k < 10; k++) lines.push(form(user, 1 + ((user + 3 * k) % 20), k === 9 ? 3 : 4 + (k % 2)));
  return `${lines.join("\n")}\n`;
}
/** For integers the same as the published threshold of 4, but not a protocol with published counts. */
const unpublished = { validationUsers: 3, testUsers: 3, minRating: 3.5 };

describe("the known sources", () => {
  it("have options that parse, and counts that agree with them", () => {
    for (const source of knownSources) {
      for (const { options, counts } of source.protocols) {
        const protocol = parseProtocol(options);
        if (protocol.protocol !== "strong") continue;
        if (protocol.validationUsers >= 1) expect(counts.validation?.users).toBe(protocol.validationUsers);
        if (counts.users && counts.validation?.users && counts.test?.users)
          expect(counts.users + counts.validation.users + counts.test.users).toBe(counts.filtered?.users);
      }
      expect(source.download ?? source.getting).toBeDefined();
      expect(source.homepage).toMatch(/^https:/);
    }
    expect(new Set(sourceNames).size).toBe(9);
  });

  it("are found by name, or the nearest name is suggested", () => {
    expect(findSource("ml-1m").title).toBe("MovieLens 1M");
    expect(() => findSource("ml-2m")).toThrow(/no source "ml-2m".*demo, ml-100k.*Did you mean ml-1m\?/);
    expect(() => findSource("something-else")).toThrow(/no source "something-else"[^?]*$/);
  });
});

describe("a known source is read in its own format", () => {
  it("ml-100k: tabs, and titles between bars", async () => {
    const from = files({
      "u.data": rows((user, item, rating) => `${user}\t${item}\t${rating}\t880606923`),
      "u.item": Buffer.from(`3|Caf\xe9 "Au" Lait (1995)|01-Jan-1995||x${"|0".repeat(18)}|1\n`, "latin1"),
    });
    const { dataset, manifest } = await prepare({ source: "ml-100k", from, options: unpublished });
    expect(manifest.counts).toMatchObject({ sourceRows: 300, users: 24, items: 20 });
    expect(manifest.counts.filtered).toMatchObject({ interactions: 270, belowRating: 30 });
    expect(dataset.items.titleOf(dataset.items.indexOf("3") as number)).toBe('Café "Au" Lait (1995)');
    expect(dataset.name).toBe("ml-100k");
    expect(manifest.source).toEqual({
      name: "ml-100k",
      files: ["u.data"],
      description: "MovieLens 100K, https://grouplens.org/datasets/movielens/100k/",
    });
  });

  it("netflix: blocks by film become rows, titles may contain commas, and no temporary file is left", async () => {
    const blocks = new Map<number, string[]>();
    rows((user, item, rating) => {
      const block = blocks.get(item) ?? [];
      blocks.set(item, block);
      block.push(`${user},${rating},2005-09-0${rating}`);
      return "";
    });
    const text = (from: number, to: number) =>
      [...blocks]
        .sort(([a], [b]) => a - b)
        .slice(from, to)
        .map(([item, block]) => `${item}:\n${block.join("\n")}\n`)
        .join("");
    const from = files({
      "combined_data_1.txt": text(0, 8),
      "combined_data_2.txt": text(8, 20),
      "movie_titles.csv": Buffer.from("1,2003,Dinosaur, Plan\xe8te\n2,NULL,Nameless\n", "latin1"),
    });
    const { dataset, manifest } = await prepare({ source: "netflix", from, options: unpublished });
    expect(manifest.counts).toMatchObject({ sourceRows: 300, users: 24, items: 20 });
    expect(manifest.counts.filtered.interactions).toBe(270);
    expect(manifest.source.files).toEqual(["combined_data_1.txt", "combined_data_2.txt"]);
    expect(manifest.columns).toEqual({ value: true, time: true });
    expect(dataset.items.titleOf(dataset.items.indexOf("1") as number)).toBe("Dinosaur, Planète");
    expect(readdirSync(root).sort()).toEqual(["in", "out"]);
  });

  it("netflix: one file per film in training_set/", async () => {
    const mv = (item: number) =>
      `${item}:\n${Array.from({ length: 30 }, (_, user) => `${user + 1},5,2005-01-01\n`).join("")}`;
    const from = files(
      Object.fromEntries([1, 2, 3, 4, 5, 6].map((item) => [`training_set/mv_000000${item}.txt`, mv(item)])),
    );
    const { manifest } = await prepare({ source: "netflix", from, options: unpublished });
    expect(manifest.counts).toMatchObject({ sourceRows: 180, users: 24, items: 6 });
  });

  it("amazon-movies: gzipped JSON lines, any rating counts", async () => {
    const from = files({
      "reviews_Movies_and_TV_5.json.gz": gzipSync(
        rows((user, item, rating) =>
          JSON.stringify({
            reviewerID: `A${user}`,
            asin: `000${item}`,
            reviewText: 'A "quoted", text\nover lines',
            overall: rating - 3,
            unixReviewTime: 1342396800,
          }),
        ),
      ),
    });
    const { manifest, dataset } = await prepare({ source: "amazon-movies", from, options: { minUser: 4 } });
    expect(manifest.counts).toMatchObject({ sourceRows: 300, users: 24 });
    expect(manifest.counts.filtered.interactions).toBe(300);
    expect(dataset.items.indexOf("0001")).toBeDefined();
  });
});

describe("citeulike", () => {
  const libraries = Array.from({ length: 40 }, (_, user) =>
    Array.from({ length: 12 }, (_, k) => (user * 31 + k * 17) % 500),
  );
  const line = (articles: number[]) => [articles.length, ...articles].join(" ");
  const text = (lists: number[][]) => lists.map(line).join("\n");
  const options = { minUser: 1 };

  it("uses the released split if it exists, with every article in the catalogue", async () => {
    const from = files({
      "users.dat": text(libraries),
      "splits/cf-train-1-users.dat": text(libraries.map((library) => library.slice(-1))),
      "splits/cf-test-1-users.dat": text(libraries.map((library) => library.slice(0, -1))),
      "titles.txt": Array.from({ length: 16_980 }, (_, k) => `Article ${k}\n`).join(""),
    });
    const { dataset, manifest, notes } = await prepare({
      source: "citeulike-a",
      from,
      options: { ...options, trainItems: 1 },
    });
    expect(manifest.protocol).toMatchObject({ protocol: "given", trainItems: 1, items: "catalogue" });
    expect([dataset.items.size, dataset.users.size, entryCount(dataset.train)]).toEqual([16_980, 40, 40]);
    expect([...dataset.train.indices]).toEqual(libraries.map((library) => library[11]));
    expect(dataset.items.titleOf(31)).toBe("Article 31");
    expect(entryCount(dataset.test.heldOut)).toBe(40 * 11);
    expect(notes.join()).not.toMatch(/new split/);
  });

  it("draws a split if there is none, with a note; rejects a requested split that is missing", async () => {
    const from = files({ "users.dat": text(libraries) });
    const { dataset, manifest, notes } = await prepare({ source: "citeulike-t", from, options });
    expect(manifest.protocol).toMatchObject({ protocol: "weak", trainItems: 10, seed: 123 });
    expect([dataset.items.size, entryCount(dataset.train)]).toEqual([25_975, 400]);
    expect(notes.join()).toMatch(/splits\/cf-train-10-users\.dat.* not in .*new split is drawn/);
    await expect(
      prepareSource({
        source: "citeulike-t",
        from,
        out: join(root, "given"),
        options: { protocol: "given", trainItems: 3 },
      }),
    ).rejects.toThrow(/the released split with 3 training articles per user is missing/);
  });

  it("rejects titles that do not match the articles", async () => {
    const from = files({ "users.dat": text(libraries), "titles.txt": "One\nTwo\n" });
    await expect(prepareSource({ source: "citeulike-a", from, out: join(root, "out") })).rejects.toThrow(
      /titles\.txt: the file has 2 titles \(expected one title for each of the 16980 articles\)/,
    );
  });
});

describe("what a known source is asked for", () => {
  const ratings = rows((user, item, rating) => `${user}::${item}::${rating}::0`);

  it("may be another protocol, which keeps the source's rating threshold", async () => {
    const from = files({ "ratings.dat": ratings });
    const { manifest } = await prepare({ source: "ml-1m", from, options: { protocol: "weak", minUser: 3 } });
    expect(manifest.protocol).toMatchObject({ protocol: "weak", minRating: 4, testShare: 0.1 });
    expect(manifest.counts.users).toBe(30);
  });

  it("is found in a folder of its own name within the folder", async () => {
    const from = files({ "ml-1m/ratings.dat": ratings });
    const { manifest } = await prepare({ source: "ml-1m", from, options: unpublished });
    expect(manifest.counts.sourceRows).toBe(300);
  });

  it("gets a note with both numbers if it differs from the published counts", async () => {
    const from = files({ "ratings.dat": ratings });
    const { notes, compared } = await prepare({ source: "ml-1m", from, options: unpublished });
    expect(compared).toEqual([{ what: "rows of the files", expected: 1_000_209, actual: 300 }]);
    expect(notes).toContain(
      "ml-1m differs from the published data: rows of the files: 300 instead of 1,000,209",
    );
  });

  it.each([
    [
      "none of the expected counts matches",
      { source: "ml-1m", options: { validationUsers: 3, testUsers: 3 } },
      /this is not MovieLens 1M: none of the expected counts matches \(rows of the files: 300 instead of 1,000,209\)/,
    ],
    [
      "too few rows after rewriting",
      { source: "netflix", from: "sparse" },
      /sparse: none of 1 interactions remains after filtering/,
    ],
    ["files of another source", { source: "ml-20m" }, /in: there is no ratings\.csv in this folder/],
    ["an unknown source", { source: "ml1m" }, /no source "ml1m".*Did you mean ml-1m/],
    ["an unknown option", { source: "ml-1m", options: { minRatings: 4 } }, /minRatings/],
    [
      "no folder",
      { source: "ml-1m", from: undefined },
      /ml-1m needs a folder with its files.*https.*--from.*--download/,
    ],
    [
      "a missing folder",
      { source: "ml-1m", from: "/nowhere" },
      /nowhere: there is no such folder.*grouplens/,
    ],
    [
      "no official download",
      { source: "netflix", download: true },
      /netflix cannot be downloaded: Netflix has withdrawn it/,
    ],
    [
      "a damaged block",
      { source: "netflix", from: "combined" },
      /combined_data_1\.txt:2: cannot read the line "12,5"/,
    ],
  ] as const)("is refused for %s, and nothing is left behind", async (_case, options, message) => {
    const from = files({
      "ratings.dat": ratings,
      "combined/combined_data_1.txt": "1:\n12,5\n",
      "sparse/mv_0000001.txt": "1:\n12,5,2005-01-01\n",
    });
    const asked: Partial<PrepareSourceOptions> = options;
    const work = prepareSource({
      out: join(root, "out"),
      source: "ml-1m",
      ...asked,
      from:
        asked.from === "combined" || asked.from === "sparse"
          ? join(from, asked.from)
          : "from" in asked
            ? asked.from
            : from,
    });
    await expect(work).rejects.toThrow(message);
    expect(readdirSync(root)).toEqual(["in"]);
  });
});

describe("--download", () => {
  const archive = zip({
    "ml-latest-small/ratings.csv": `userId,movieId,rating,timestamp\n${rows((u, i, r) => `${u},${i},${r},0`)}`,
    "ml-latest-small/movies.csv": 'movieId,title,genres\n1,"Toys, Stories (1995)",Comedy\n',
    "ml-latest-small/tags.csv": "not needed",
  });
  let server: Server;
  let mirror: string;
  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url === "/ml-latest-small.zip") response.end(archive);
      else if (request.url === "/ml-latest-small.zip.md5")
        response.end(`${createHash("md5").update(archive).digest("hex")}  ml-latest-small.zip`);
      else if (request.url === "/ml-100k.zip") response.end(archive);
      else response.writeHead(404).end();
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it("downloads, unpacks and prepares; the second time it downloads nothing", async () => {
    const from = join(root, "data", "ml-latest-small");
    const options = { source: "ml-latest-small", from, download: true, mirror, options: { ...unpublished } };
    const { dataset } = await prepare(options);
    expect(dataset.train.rows).toBe(24);
    expect(dataset.items.titleOf(dataset.items.indexOf("1") as number)).toBe("Toys, Stories (1995)");
    expect(readdirSync(from).sort()).toEqual(["movies.csv", "ratings.csv"]);
    const again = { ...options, mirror: "http://127.0.0.1:1/", out: join(root, "again") };
    expect((await prepareSource(again)).manifest.counts.users).toBe(24);
  });

  it("leaves no folder if the checksum is wrong", async () => {
    const from = join(root, "ml-100k");
    await expect(
      prepareSource({ source: "ml-100k", from, download: true, mirror, out: join(root, "out") }),
    ).rejects.toThrow(/published one is 0e33842e24a9c977be4e0107933c0723/);
    expect(readdirSync(root)).toEqual([]);
  });
});

describe("the demo", () => {
  it("is a dataset folder like any other, labelled as generated", async () => {
    const { manifest, dataset } = await prepare({ source: "demo" });
    expect(manifest.source).toMatchObject({ name: "demo", generated: true });
    expect(manifest.source.description).toMatch(/^Generated by foldin \(seed 1\)/);
    expect([dataset.train.rows, dataset.validation.users.size, dataset.test.users.size]).toEqual([
      3200, 400, 400,
    ]);
    expect(dataset.items.size).toBeGreaterThan(1190);
    expect(dataset.items.titleOf(dataset.items.indexOf("1") as number)).toBe(
      "Thirteen Velvet Amplifiers (2009)",
    );
    const manifestText = readFileSync(join(root, "out", "manifest.json"), "utf8");
    expect(manifestText).toContain('"generated": true');
  });

  it("has another catalogue for another seed, and any protocol", async () => {
    const { manifest, dataset } = await prepare({ source: "demo", options: { protocol: "temporal" } });
    expect(manifest.counts.test.heldOut).toBeGreaterThan(1000);
    expect(dataset.items.titleOf(dataset.items.indexOf("1") as number)).toBe(
      "Thirteen Velvet Amplifiers (2009)",
    );
    const other = await prepareSource({ source: "demo", out: join(root, "other"), options: { seed: 7 } });
    expect(other.manifest.source.description).toMatch(/seed 7/);
    const films = await loadDataset(join(root, "other"));
    expect(films.items.titleOf(films.items.indexOf("1") as number)).not.toBe(
      "Thirteen Velvet Amplifiers (2009)",
    );
  });
});
