import { demoCatalogue } from "foldin";
import { afterEach, describe, expect, it, vi } from "vitest";

afterEach(() => vi.restoreAllMocks());

describe("examples/train-and-recommend.ts", () => {
  it("runs, learns, and recommends titles that are not in the history", async () => {
    const lines: string[] = [];
    vi.spyOn(console, "log").mockImplementation((line: string) => lines.push(line));
    await import("../../examples/train-and-recommend.js");
    const [evaluated, asked, ...recommended] = lines;
    // Popularity has 0.229 on this catalogue.
    expect(Number(/^NDCG@100 on 200 viewers: (0\.\d{3}) ± 0\.0\d\d$/.exec(evaluated)?.[1])).toBeGreaterThan(
      0.35,
    );
    const genreOf = new Map(
      demoCatalogue({ films: 600, viewers: 1 }).films.map(({ title, genres }) => [title, genres.join()]),
    );
    const fantasy = recommended.filter((line) => genreOf.get(line.slice(3))?.includes("Fantasy"));
    expect(fantasy.length).toBeGreaterThanOrEqual(3); // a twelfth of the catalogue
    const title = /[A-Z][^()]* \((?:19|20)\d\d\)/g;
    const history = asked.match(title) ?? [];
    expect(history).toHaveLength(3);
    expect(recommended).toHaveLength(5);
    recommended.forEach((line, k) => {
      expect(line).toMatch(new RegExp(`^${k + 1}\\. [A-Z].* \\((19|20)\\d\\d\\)$`));
      for (const seen of history) expect(line).not.toContain(seen.replace(/^A user who watched /, ""));
    });
  });
});
