// The upper tail of the standard normal distribution.

/** Coefficients of the Chebyshev fit of erfc (Press et al., Numerical Recipes, 3rd edition, section 6.2.2), highest order last. */
const COEFFICIENTS = [
  -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587,
  -0.82215223, 0.17087277,
];

/** P(Z >= z) for a standard normal Z; the relative error is below 1.2e-7. */
export function normalTail(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + x / 2);
  const exponent = COEFFICIENTS.reduceRight((sum, coefficient) => sum * t + coefficient, 0);
  const tail = (t * Math.exp(-x * x + exponent)) / 2;
  return z >= 0 ? tail : 1 - tail;
}
