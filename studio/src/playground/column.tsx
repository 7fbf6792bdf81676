// The recommendations of one model.

import { useEffect } from "preact/hooks";
import type { Run } from "../../../src/studio/api.js";
import type { RecommendAnswer } from "../../../src/studio/models-messages.js";
import { addressOfRun } from "../use-address.js";
import type { Asked } from "../use-asked.js";

/** Reasons that are shown of each recommendation. */
const MOST_REASONS = 3;

interface Props {
  readonly id: string;
  readonly run: Run | undefined;
  readonly result: Asked<RecommendAnswer>;
  /** The ranks of items in the other columns. */
  readonly others: readonly { readonly id: string; readonly ranks: ReadonlyMap<string, number> }[];
  readonly onLike: (id: string) => void;
  readonly onExclude: (id: string) => void;
  readonly onSimilar: (id: string) => void;
  readonly onAnswer: (answer: RecommendAnswer) => void;
}

export function Column({ id, run, result, others, onAnswer, ...actions }: Props) {
  const { problem, isBusy } = result;
  // What was answered before does not belong to a question with a mistake.
  const answer = problem === undefined ? result.answer : undefined;
  useEffect(() => {
    if (answer) onAnswer(answer);
  }, [answer, onAnswer]);
  const shared = others.map(({ id, ranks }) => ({
    id,
    count: answer?.items.filter((item) => ranks.has(item.id)).length ?? 0,
  }));
  return (
    <section class="model-column" aria-label={id} aria-busy={isBusy}>
      <h2>
        <a href={addressOfRun(id)}>{id}</a>
      </h2>
      <p class="note">
        {run?.model ?? "There is no such run in this folder"}
        {answer &&
          shared.map(({ id, count }) => (
            <span key={id}>
              ; {count} of {answer.items.length} also in {id}
            </span>
          ))}
      </p>
      {problem !== undefined && (
        <p class="warning" role="alert">
          {problem}
        </p>
      )}
      {problem === undefined && !answer && <p class="note">{isBusy ? "Loading the model …" : ""}</p>}
      {answer && <Notes answer={answer} />}
      {answer && (
        <ol class={isBusy ? "recommendations stale" : "recommendations"}>
          {answer.items.map((item) => (
            <Recommended key={item.id} item={item} others={others} {...actions} />
          ))}
        </ol>
      )}
      {answer?.items.length === 0 && (
        <p class="note">No item is left: the filter and the exclusions leave out all of them.</p>
      )}
    </section>
  );
}

function Notes({ answer }: { answer: RecommendAnswer }) {
  const { unknown, unknownValues, history } = answer;
  if (unknown.length === 0 && unknownValues.length === 0) return null;
  return (
    <ul class="notes">
      {unknown.map(({ text, near }) => (
        <li key={text}>
          The model does not know {text}
          {near.length > 0 && `; similar titles: ${near.join(", ")}`}.
        </li>
      ))}
      {unknown.length > 0 && history.length === 0 && (
        <li>These are its recommendations for a user without a history.</li>
      )}
      {unknownValues.map(({ attribute, value, nearest }) => (
        <li key={`${attribute}=${value}`}>
          No item has {attribute} = {value}.{nearest !== undefined && ` Did you mean ${nearest}?`}
        </li>
      ))}
    </ul>
  );
}

interface RecommendedProps extends Pick<Props, "others" | "onLike" | "onExclude" | "onSimilar"> {
  readonly item: RecommendAnswer["items"][number];
}

function Recommended({ item, others, onLike, onExclude, onSimilar }: RecommendedProps) {
  const { id, title, score, deviation, because } = item;
  const elsewhere = others.flatMap((other) => {
    const rank = other.ranks.get(id);
    return rank === undefined ? [] : [`rank ${rank} in ${other.id}`];
  });
  const reasons = because?.filter(({ influence }) => influence > 0).slice(0, MOST_REASONS) ?? [];
  return (
    <li>
      <div class="title">{title}</div>
      <div class="error">
        {title !== id && `${id} · `}
        <span title="score">{scoreText(score)}</span>
        {deviation !== undefined && ` ± ${scoreText(deviation)}`}
        {elsewhere.length > 0 && ` · ${elsewhere.join(", ")}`}
      </div>
      {reasons.length > 0 && (
        <div class="reasons">
          because of {reasons.map(({ title, influence }) => `${title} (+${scoreText(influence)})`).join(", ")}
        </div>
      )}
      <div class="item-actions">
        <button type="button" aria-label={`Add ${title} to the history`} onClick={() => onLike(id)}>
          Add
        </button>
        <button type="button" aria-label={`Exclude ${title}`} onClick={() => onExclude(id)}>
          Exclude
        </button>
        <button type="button" aria-label={`Items similar to ${title}`} onClick={() => onSimilar(id)}>
          Similar
        </button>
      </div>
    </li>
  );
}

/** Three significant digits. */
function scoreText(score: number): string {
  const size = Math.abs(score);
  return size !== 0 && (size < 0.001 || size >= 1e5)
    ? score.toExponential(1)
    : score.toFixed(size < 10 ? 3 : 1);
}
