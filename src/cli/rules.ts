// --where and --unavailable: what may be recommended.

import type { Filter } from "../recommender/filter/filter.js";
import { parseWhere } from "../recommender/filter/where.js";
import { readUnavailable } from "../serving/availability/file.js";

export interface RulesFlags {
  where?: string;
  unavailable?: string;
}

/** The filter and the ids of unavailable items. Throws UserError, naming the option and the position, or the file and the line. */
export async function rulesOf({ where, unavailable }: RulesFlags): Promise<{
  filter: Filter | undefined;
  unavailable: string[] | undefined;
}> {
  return {
    filter: where === undefined ? undefined : parseWhere(where, "--where"),
    unavailable: unavailable === undefined ? undefined : await readUnavailable(unavailable),
  };
}
