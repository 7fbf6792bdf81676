// How large a Cholesky factor of x'x is, from x alone: the elimination tree and the column counts of Gilbert, Ng and Peyton ("An
// efficient algorithm to compute row and column counts for sparse Cholesky factorization", 1994), in the form for x'x of Davis
// ("Direct methods for sparse linear systems", 2006, sections 4.1 and 4.5). Neither x'x nor its factor is formed.

import { type CsrMatrix, transpose } from "./csr.js";

const NONE = -1;

/** The number of entries of each column of the factor of x'x, with its diagonal: [columns]. Values are not read. */
export function factorCounts(x: CsrMatrix): Uint32Array {
  const { rows, columns: n, offsets, indices } = x;
  const parent = eliminationTree(x);
  const post = postorder(parent);
  const place = new Int32Array(n);
  for (const [k, j] of post.entries()) place[j] = k;

  // The rows of x by their first column in postorder: each row is a clique of x'x.
  const first = new Int32Array(n).fill(NONE);
  const counts = new Int32Array(n);
  for (const [k, leaf] of post.entries()) {
    counts[leaf] = first[leaf] === NONE ? 1 : 0;
    for (let j = leaf; j !== NONE && first[j] === NONE; j = parent[j]) first[j] = k;
  }
  const head = new Int32Array(n + 1).fill(NONE);
  const next = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    let earliest = n;
    for (let e = offsets[row]; e < offsets[row + 1]; e++) earliest = Math.min(earliest, place[indices[e]]);
    next[row] = head[earliest];
    head[earliest] = row;
  }

  const ancestor = Int32Array.from({ length: n }, (_, j) => j);
  const latest = new Int32Array(n).fill(NONE);
  const previous = new Int32Array(n).fill(NONE);
  /** Counts column j for row i of the factor, if j is a leaf of the row's subtree. */
  const countLeaf = (i: number, j: number) => {
    if (i <= j || first[j] <= latest[i]) return;
    latest[i] = first[j];
    const former = previous[i];
    previous[i] = j;
    counts[j]++;
    if (former === NONE) return;
    // The least common ancestor of both leaves was counted twice.
    let common = former;
    while (common !== ancestor[common]) common = ancestor[common];
    for (let at = former; at !== common; ) {
      const above = ancestor[at];
      ancestor[at] = common;
      at = above;
    }
    counts[common]--;
  };
  for (const [k, j] of post.entries()) {
    if (parent[j] !== NONE) counts[parent[j]]--;
    for (let row = head[k]; row !== NONE; row = next[row])
      for (let e = offsets[row]; e < offsets[row + 1]; e++) countLeaf(indices[e], j);
    if (parent[j] !== NONE) ancestor[j] = parent[j];
  }
  for (let j = 0; j < n; j++) if (parent[j] !== NONE) counts[parent[j]] += counts[j];
  return Uint32Array.from(counts);
}

/** The parent of each column in the elimination tree of x'x; -1 = a root. */
function eliminationTree(x: CsrMatrix): Int32Array {
  const { offsets, indices, rows: n, columns: rows } = transpose({ ...x, values: undefined });
  const parent = new Int32Array(n).fill(NONE);
  const ancestor = new Int32Array(n).fill(NONE);
  /** The last column so far of each row of x. */
  const last = new Int32Array(rows).fill(NONE);
  for (let k = 0; k < n; k++)
    for (let e = offsets[k]; e < offsets[k + 1]; e++) {
      for (let i = last[indices[e]]; i !== NONE && i < k; ) {
        const above = ancestor[i];
        ancestor[i] = k;
        if (above === NONE) parent[i] = k;
        i = above;
      }
      last[indices[e]] = k;
    }
  return parent;
}

/** The columns with every child before its parent. */
function postorder(parent: Int32Array): Int32Array {
  const n = parent.length;
  const child = new Int32Array(n).fill(NONE);
  const sibling = new Int32Array(n).fill(NONE);
  for (let j = n - 1; j >= 0; j--)
    if (parent[j] !== NONE) {
      sibling[j] = child[parent[j]];
      child[parent[j]] = j;
    }
  const post = new Int32Array(n);
  let count = 0;
  for (let root = 0; root < n; root++) {
    if (parent[root] !== NONE) continue;
    const stack = [root];
    while (stack.length > 0) {
      const j = stack[stack.length - 1];
      if (child[j] === NONE) post[count++] = stack.pop() as number;
      else {
        stack.push(child[j]);
        child[j] = sibling[child[j]];
      }
    }
  }
  return post;
}
