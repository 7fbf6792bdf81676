import { describe, expect, it } from "vitest";
import { renderReport } from "../../src/experiments/report.js";
import { inventedReport } from "./invented-report.js";

describe("report.html", () => {
  it("escapes text from users and files", async () => {
    const page = await renderReport(inventedReport());
    expect(page).not.toContain("<script");
    expect(page).not.toContain("<b>7</b>");
    expect(page).toContain("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;Ōkami&#39;");
    expect(page).toContain("demo &amp; co");
  });

  it("needs nothing from outside the file", async () => {
    const page = await renderReport(inventedReport());
    const outside = page.replaceAll('xmlns="http://www.w3.org/2000/svg"', "");
    expect(outside).not.toMatch(/https?:|\bsrc=|url\(|@import|<link/);
  });

  it("marks held-out recommendations, changed options and the chosen epoch", async () => {
    const page = await renderReport(inventedReport());
    expect(page.match(/<li><mark>/g)).toHaveLength(3);
    expect(page).toContain("3 of 7 held-out items found");
    expect(page).toMatch(
      /<tr class="changed"><th scope="row">epochs<\/th><td>50<span class="default">default 200/,
    );
    expect(page.match(/class="changed"/g)).toHaveLength(1);
    expect(page).toContain("weights of epoch 33");
    expect(page.match(/<svg/g)).toHaveLength(3);
  });

  it("draws the curve where the numbers are", async () => {
    const report = inventedReport();
    const rising = await renderReport({ ...report, epochs: report.epochs.slice(0, 3) });
    // The line of the validation metric: three points, each higher on the page (smaller y) than the one before.
    const line = /aria-roledescription="line mark"[^>]*d="M([^"]*)"/.exec(rising)?.[1] ?? "";
    const points = line.split("L").map((pair) => pair.split(",").map(Number));
    expect(points).toHaveLength(3);
    expect(points[1][1]).toBeLessThan(points[0][1]);
    expect(points[2][0]).toBeGreaterThan(points[1][0]);
  });

  it("leaves out missing parts: epochs, examples, options, metrics", async () => {
    const page = await renderReport({
      ...inventedReport(),
      epochs: [],
      chosenEpoch: undefined,
      examples: [],
      options: [],
      metrics: [],
    });
    expect(page).not.toMatch(/<svg|Learning curves|undefined|NaN/);
  });
});
