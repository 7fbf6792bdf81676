// The mean over users with its standard error.

/** The mean over users. Coverage and the Gini index are not means and have no standard error. */
export interface MetricValue {
  mean: number;
  /** Standard deviation over users (ddof 0) / sqrt(users). */
  standardError?: number;
}

/** Mean and standard error (ddof 0). NaN for an empty array. */
export function meanOf(values: Float64Array): { mean: number; standardError: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, standardError: Math.sqrt(variance / values.length) };
}
