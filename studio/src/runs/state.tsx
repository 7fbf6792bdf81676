// The state of a run as text: colour is never the only sign.

import type { Run } from "../../../src/studio/api.js";

export function State({ run }: { run: Run }) {
  const { state, epochs, plannedEpochs } = run;
  const of = plannedEpochs === undefined ? "" : ` of ${plannedEpochs}`;
  const text = state === "finished" ? "finished" : `${state}, epoch ${epochs}${of}`;
  return (
    <span class={`state ${state}`}>
      {text}
      {run.replaces !== undefined && `; will replace ${run.replaces}`}
    </span>
  );
}
