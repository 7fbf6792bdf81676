import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { Factors, packedSize, type Unclicked, unpacked } from "../../../src/models/content/factors.js";
import { fromRows } from "../../../src/sparse/csr.js";

const K = 2;
// User 2 has no item, items 3 and 4 no user.
const clicks = [[0, 1], [1, 2], [], [0]];
const ITEMS = 5;
const options = { a: 1, b: 0.3, lambdaU: 0.4, lambdaV: 0.7 };

type Numbers = ArrayLike<number>;
interface Gaussians {
  readonly means: Numbers;
  readonly covariances?: Numbers;
}

/** E_q of sum C_ij (R_ij - u_i'v_j)^2 + lambda_u ||u||^2 + lambda_v ||v - theta||^2, written out over the cells that count. */
function objective(
  users: Gaussians,
  items: Gaussians,
  theta: Numbers,
  counted: (i: number, j: number) => boolean,
) {
  const row = (x: Numbers, n: number) => Array.from({ length: K }, (_, k) => x[n * K + k]);
  const covariance = ({ covariances }: Gaussians, n: number) => {
    const p = packedSize(K);
    return covariances
      ? unpacked(
          Array.from({ length: p }, (_, k) => covariances[n * p + k]),
          K,
        )
      : new Float64Array(K * K);
  };
  const quadratic = (x: number[], S: Float64Array) =>
    x.reduce((sum, a, k) => sum + x.reduce((inner, b, l) => inner + a * S[k * K + l] * b, 0), 0);
  let total = 0;
  for (let i = 0; i < clicks.length; i++) {
    const [u, S] = [row(users.means, i), covariance(users, i)];
    total += options.lambdaU * u.reduce((sum, x) => sum + x * x, 0);
    for (let j = 0; j < ITEMS; j++) {
      if (!counted(i, j)) continue;
      const [v, T] = [row(items.means, j), covariance(items, j)];
      const clicked = clicks[i].includes(j);
      const product = u.reduce((sum, x, k) => sum + x * v[k], 0);
      const both = S.reduce((sum, s, k) => sum + s * T[k], 0);
      const spread = quadratic(u, T) + quadratic(v, S) + both;
      total += (clicked ? options.a : options.b) * (((clicked ? 1 : 0) - product) ** 2 + spread);
    }
  }
  for (let j = 0; j < ITEMS; j++)
    total +=
      options.lambdaV * row(items.means, j).reduce((sum, x, k) => sum + (x - theta[j * K + k]) ** 2, 0);
  return total;
}

/** The largest derivative of a function of numbers, by central differences. */
function slope(at: Numbers, value: (x: Numbers) => number): number {
  return Math.max(
    ...Array.from(at, (_, n) => {
      const moved = (step: number) => value(Array.from(at, (x, k) => (k === n ? x + step : x)));
      return Math.abs(moved(1e-4) - moved(-1e-4)) / 2e-4;
    }),
  );
}

async function swept(unclicked: Unclicked | undefined, bayesian: boolean) {
  const engine = new ReferenceEngine({ precision: "float64" });
  const factors = new Factors(engine, fromRows(ITEMS, clicks), K, { ...options, unclicked, bayesian });
  const theta = engine.tensor(ITEMS, K, [0.5, -1, 1, 0.25, -0.5, 0.75, 2, -1.5, 0.3, 1.2]);
  engine.copy(factors.items, theta);
  const read = async () => {
    const { users, items, userCovariances, itemCovariances } = factors.state;
    const side = async (means: typeof users, covariances?: typeof users): Promise<Gaussians> => ({
      means: Array.from(await engine.read(means)),
      ...(covariances && { covariances: Array.from(await engine.read(covariances)) }),
    });
    return { users: await side(users, userCovariances), items: await side(items, itemCovariances) };
  };
  const before = await read();
  await factors.sweep(theta);
  const after = await read();
  const target = Array.from(await engine.read(theta));
  return {
    ...{ before, after, target, factors },
    /** The slope in the users at the items as they were, then in the items at the users as they are. */
    slopes: (counted: (i: number, j: number) => boolean) => [
      slope(after.users.means, (means) =>
        objective({ ...after.users, means }, before.items, target, counted),
      ),
      slope(after.items.means, (means) => objective(after.users, { ...after.items, means }, target, counted)),
    ],
  };
}

describe("a sweep of least squares", () => {
  const all = () => true;
  const withClicks = (i: number, j: number) => clicks[i].length > 0 && j < 3;

  it.each([false, true])(
    "unclicked=counted minimises the papers' sum over all users and all items (Bayesian: %s)",
    async (bayesian) => {
      const { slopes, after } = await swept("counted", bayesian);
      expect(Math.max(...slopes(all))).toBeLessThan(1e-5);
      expect(Math.max(...slopes(withClicks))).toBeGreaterThan(0.01);
      // A user without items has nothing to differ from the prior mean.
      expect(Array.from(after.users.means).slice(4, 6)).toEqual([0, 0]);
    },
  );

  it("otherwise the sum leaves out what has no interaction, as the authors' programs do", async () => {
    const { before, after, slopes, factors } = await swept(undefined, false);
    const [users, items] = slopes(withClicks);
    expect(users).toBeLessThan(1e-5);
    expect(Math.max(...slopes(all))).toBeGreaterThan(0.01);
    // Items without a user are solved against the users that are counted too: they are in no sum over items.
    expect(items).toBeGreaterThan(0.01);
    expect(slopes((i) => clicks[i].length > 0)[1]).toBeLessThan(1e-5);
    expect(Array.from(after.users.means).slice(4, 6)).toEqual(Array.from(before.users.means).slice(4, 6));
    expect([...factors.clickedItems, ...factors.unclickedItems]).toEqual([0, 1, 2, 3, 4]);
  });
});
