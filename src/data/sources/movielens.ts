// What the MovieLens sources have in common (Harper and Konstan 2015).

import type { RemoteFile } from "./download.js";
import type { KnownSource } from "./known-source.js";

/** Homepage, licence and download of the MovieLens set whose archive is "<name>.zip". */
export function movieLens(
  name: string,
  page: string,
  archive: Pick<RemoteFile, "md5" | "members">,
): Pick<KnownSource, "name" | "homepage" | "licence" | "download"> {
  return {
    name,
    homepage: `https://grouplens.org/datasets/movielens/${page}/`,
    licence:
      "for research, with the citation of Harper and Konstan 2015; no redistribution or commercial use without permission",
    download: {
      address: "https://files.grouplens.org/datasets/movielens/",
      files: [{ path: `${name}.zip`, ...archive }],
    },
  };
}
