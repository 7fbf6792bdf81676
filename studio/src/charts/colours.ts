// Colours of runs in charts, legends and tables.

const COLOURS = 8;

/** The CSS variable of the run at a place among the shown ones. */
export const colourOf = (place: number): string => `var(--run-${place % COLOURS})`;

/** The CSS class that sets this colour. */
export const classOf = (place: number): string => `run-${place % COLOURS}`;
