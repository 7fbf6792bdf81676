// The help of the options that restrict what is recommended.

export const WHERE_HELP =
  "recommend only items whose attributes fulfil this filter, such as 'genre = Comedy and year >= 1990': = != < <= > >=, in (...), is missing, and, or, not, parentheses";
export const UNAVAILABLE_HELP =
  "file with the ids of items not to recommend, one per line, or CSV with a column item or id";
