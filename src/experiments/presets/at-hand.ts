// Which studies of a preset can run with the files that are there.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../core/errors.js";
import { findSourceFolder } from "../../data/sources/prepare-source.js";
import type { Study } from "./preset.js";

interface StudiesAtHand {
  readonly studies: Study[];
  /** Studies that are left out, and why. */
  readonly skipped: { title: string; why: string }[];
}

/** Divides studies by whether the files in `data` suffice. Throws UserError where those of a study that is not optional are missing. */
export async function studiesAtHand(
  preset: string,
  chosen: readonly Study[],
  data: string,
): Promise<StudiesAtHand> {
  const faults = new Map<Study, string>();
  for (const study of chosen) {
    const { source, needs = [], optional } = study;
    const folder = await findSourceFolder(source, data);
    const missing = folder === undefined ? [] : needs.filter((name) => !existsSync(join(folder, name)));
    if (folder !== undefined && missing.length === 0) continue;
    if (!optional)
      throw new UserError({
        place: data,
        problem: `does not contain the files of ${source}, which ${preset} needs`,
        expected: `the folder of ${source}, or a folder with ${source}/ in it`,
        remedy: `Download them with foldin prepare ${source} --download --out <folder>, if the publisher allows it`,
      });
    faults.set(
      study,
      folder === undefined
        ? `${data} does not contain the files of ${source}`
        : `${missing.join(" and ")} of ${source} is not in ${data}`,
    );
  }
  for (const study of chosen) {
    const better = chosen.find(({ key }) => key === study.insteadOf);
    if (better && !faults.has(better)) faults.set(study, `the files of ${better.title} are there`);
  }
  return {
    studies: chosen.filter((study) => !faults.has(study)),
    skipped: chosen.flatMap((study) => {
      const why = faults.get(study);
      return why === undefined ? [] : [{ title: study.title, why }];
    }),
  };
}
