// NumPy's legacy generator, `numpy.random.RandomState(seed)`: the Mersenne Twister MT19937 seeded by `init_genrand`, and
// the distributions that published splits and initial values use. The numbers are identical to NumPy's, bit for bit.

const words = 624;
const middle = 397;

/** The state advances with each draw, as in NumPy; create a new generator or call `reseed` to start again. */
export class NumpyRandom {
  readonly #state = new Uint32Array(words);
  #next = words;
  #spareNormal: number | undefined;

  /** Like `RandomState(seed)`. Throws RangeError unless 0 <= seed < 2^32. */
  constructor(seed: number) {
    this.reseed(seed);
  }

  /** Like `numpy.random.seed(seed)`: starts the sequence again. */
  reseed(seed: number): void {
    if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff)
      throw new RangeError(`NumPy seeds must be integers from 0 to 4294967295; got ${seed}`);
    const state = this.#state;
    state[0] = seed;
    for (let i = 1; i < words; i++) {
      const previous = state[i - 1] ^ (state[i - 1] >>> 30);
      state[i] = Math.imul(1812433253, previous) + i;
    }
    this.#next = words;
    this.#spareNormal = undefined;
  }

  /** The next 32 random bits. */
  uint32(): number {
    if (this.#next === words) this.#generate();
    let y = this.#state[this.#next++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  #generate(): void {
    const state = this.#state;
    for (let i = 0; i < words; i++) {
      const mixed = (state[i] & 0x80000000) | (state[(i + 1) % words] & 0x7fffffff);
      state[i] = state[(i + middle) % words] ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
    }
    this.#next = 0;
  }

  /** An integer in [0, max], inclusive, by rejection sampling of masked words. max < 2^32. */
  interval(max: number): number {
    if (max === 0) return 0;
    const mask = 0xffffffff >>> Math.clz32(max);
    for (;;) {
      const drawn = (this.uint32() & mask) >>> 0;
      if (drawn <= max) return drawn;
    }
  }

  /** Shuffles in place, like `RandomState.shuffle`. */
  shuffle(values: Uint32Array | number[]): void {
    for (let i = values.length - 1; i > 0; i--) {
      const j = this.interval(i);
      const held = values[i];
      values[i] = values[j];
      values[j] = held;
    }
  }

  /** The numbers 0 .. n - 1 in random order, like `RandomState.permutation(n)`. */
  permutation(n: number): Uint32Array {
    const order = new Uint32Array(n);
    for (let index = 0; index < n; index++) order[index] = index;
    this.shuffle(order);
    return order;
  }

  /** `size` different numbers below n, like `RandomState.choice(n, size, replace=False)`. Throws RangeError if size > n. */
  choice(n: number, size: number): Uint32Array {
    if (size > n) throw new RangeError(`cannot choose ${size} different numbers out of ${n}`);
    return this.permutation(n).subarray(0, size);
  }

  /** A float64 in [0, 1) from 53 bits, like `RandomState.random_sample()`. */
  random(): number {
    const high = this.uint32() >>> 5;
    const low = this.uint32() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  }

  /** A standard normal float64 by the polar method, like `RandomState.standard_normal()`. */
  normal(): number {
    if (this.#spareNormal !== undefined) {
      const spare = this.#spareNormal;
      this.#spareNormal = undefined;
      return spare;
    }
    for (;;) {
      const x = 2 * this.random() - 1;
      const y = 2 * this.random() - 1;
      const square = x * x + y * y;
      if (square >= 1 || square === 0) continue;
      const scale = Math.sqrt((-2 * Math.log(square)) / square);
      this.#spareNormal = scale * x;
      return scale * y;
    }
  }
}
