// The rules of the playground: a filter, weights, limits and boosts, as in POST /v1/recommendations.

import type { DescriptionAnswer } from "../../../src/studio/models-messages.js";
import { ItemPicker } from "./item-picker.js";
import type { Settings } from "./settings.js";

interface Props {
  readonly settings: Settings;
  readonly change: (changes: Partial<Settings>) => void;
  /** What the first model knows about its items. */
  readonly description: DescriptionAnswer | undefined;
  readonly run: string | undefined;
  readonly nameOf: (id: string) => string;
  /** Where the filter is wrong, from 0. */
  readonly mistake: number | undefined;
}

export function Rules({ settings, change, description, run, nameOf, mistake }: Props) {
  const attributes = description?.attributes ?? [];
  const { where, diversity, novelty, atMost, boosts } = settings;
  const example = exampleOf(attributes);
  return (
    <>
      <label class="field">
        Filter
        <input
          type="search"
          value={where}
          spellcheck={false}
          autocomplete="off"
          maxLength={4000}
          aria-invalid={mistake !== undefined}
          aria-describedby="filter-help"
          placeholder={example}
          onInput={({ currentTarget }) => change({ where: currentTarget.value })}
        />
      </label>
      {mistake !== undefined && <Marked text={where} at={mistake} />}
      <p class="note" id="filter-help">
        {attributes.length === 0 ? (
          "The items have no attributes, so that filters, limits and boosts cannot be used."
        ) : (
          <>
            Attributes:{" "}
            {attributes.map(({ name, type, values }, at) => (
              <span key={name}>
                {at > 0 && "; "}
                <code>{name}</code> ({valuesText(type, values)})
              </span>
            ))}
          </>
        )}
      </p>
      <Weight
        label="Diversity"
        help="items of a list differ"
        value={diversity}
        onChange={(weight) => change({ diversity: weight })}
      />
      <Weight
        label="Novelty"
        help="items that few users have"
        value={novelty}
        onChange={(weight) => change({ novelty: weight })}
        disabled={description !== undefined && !description.popularity}
      />
      <fieldset>
        <legend>At most per value</legend>
        {atMost.map(({ attribute, most }, at) => {
          const replace = (changed: Partial<Settings["atMost"][number]>) =>
            change({ atMost: atMost.map((one, place) => (place === at ? { ...one, ...changed } : one)) });
          return (
            <div class="line" key={attribute}>
              <input
                type="number"
                min={1}
                max={1000}
                value={most}
                aria-label={`Items with the same ${attribute}`}
                onInput={({ currentTarget }) =>
                  replace({ most: Math.max(1, Math.floor(Number(currentTarget.value)) || 1) })
                }
              />
              <span>per {attribute}</span>
              <button
                type="button"
                aria-label={`Remove the limit per ${attribute}`}
                onClick={() => change({ atMost: atMost.filter((_, place) => place !== at) })}
              >
                ×
              </button>
            </div>
          );
        })}
        <select
          aria-label="Add a limit per value of an attribute"
          value=""
          disabled={attributes.length === 0}
          onChange={({ currentTarget }) => {
            const attribute = currentTarget.value;
            currentTarget.value = "";
            if (attribute !== "") change({ atMost: [...atMost, { attribute, most: 1 }] });
          }}
        >
          <option value="">Add a limit …</option>
          {attributes
            .filter(({ name }) => atMost.every(({ attribute }) => attribute !== name))
            .map(({ name }) => (
              <option key={name} value={name}>
                per {name}
              </option>
            ))}
        </select>
      </fieldset>
      <fieldset>
        <legend>Boosts</legend>
        {boosts.map(({ by, where }, at) => {
          const replace = (changed: Partial<Settings["boosts"][number]>) =>
            change({ boosts: boosts.map((one, place) => (place === at ? { ...one, ...changed } : one)) });
          return (
            // A boost has no other identity than its place.
            <div class="line" key={at}>
              <input
                type="number"
                min={-1}
                max={1}
                step={0.1}
                value={by}
                aria-label={`Boost ${at + 1}: by`}
                onInput={({ currentTarget }) =>
                  replace({ by: Math.min(1, Math.max(-1, Number(currentTarget.value) || 0)) })
                }
              />
              <input
                type="search"
                value={where}
                spellcheck={false}
                autocomplete="off"
                placeholder={example}
                aria-label={`Boost ${at + 1}: items (a filter)`}
                onInput={({ currentTarget }) => replace({ where: currentTarget.value })}
              />
              <button
                type="button"
                aria-label={`Remove boost ${at + 1}`}
                onClick={() => change({ boosts: boosts.filter((_, place) => place !== at) })}
              >
                ×
              </button>
            </div>
          );
        })}
        <button
          type="button"
          disabled={attributes.length === 0 || boosts.length >= 20}
          onClick={() => change({ boosts: [...boosts, { by: 0.2, where: "" }] })}
        >
          Add a boost
        </button>
      </fieldset>
      <ItemPicker
        label="Exclude"
        empty="Nothing is excluded."
        run={run}
        ids={settings.exclude}
        nameOf={nameOf}
        onChange={(exclude) => change({ exclude })}
      />
      <ItemPicker
        label="Only these"
        empty="Items are chosen from the whole catalogue."
        run={run}
        ids={settings.candidates}
        nameOf={nameOf}
        onChange={(candidates) => change({ candidates })}
      />
    </>
  );
}

interface WeightProps {
  readonly label: string;
  readonly help: string;
  readonly value: number;
  readonly disabled?: boolean;
  readonly onChange: (value: number) => void;
}

function Weight({ label, help, value, disabled, onChange }: WeightProps) {
  return (
    <label class="weight">
      <span>
        {label} <span class="error">({help})</span>
      </span>
      <input
        type="range"
        min={0}
        max={1}
        step={0.05}
        value={value}
        disabled={disabled}
        onInput={({ currentTarget }) => onChange(Number(currentTarget.value))}
      />
      <output>{value.toFixed(2)}</output>
    </label>
  );
}

/** A text with a mark where it is wrong. */
function Marked({ text, at }: { text: string; at: number }) {
  return (
    <p class="marked" aria-hidden="true">
      {text.slice(0, at)}
      <mark>{text.slice(at, at + 1) || " "}</mark>
      {text.slice(at + 1)}
    </p>
  );
}

/** The most characters of a value that is shown as an example. */
const SHORT = 24;

/** The type of an attribute with its range or a few values; whole sentences are left out. */
function valuesText(type: string, values: readonly string[]): string {
  if (type === "number" || type === "date") return `${type}, ${values.join(" to ")}`;
  const short = values.filter(({ length }) => length <= SHORT).slice(0, 5);
  if (short.length === 0) return type;
  return `${type}: ${short.join(", ")}${values.length > short.length ? ", …" : ""}`;
}

/** A filter that these attributes allow. */
function exampleOf(attributes: DescriptionAnswer["attributes"]): string {
  const parts = attributes.slice(0, 2).flatMap(({ name, type, values }) => {
    const [value] = values;
    if (value === undefined) return [];
    const quoted = (text: string) =>
      /^[\p{L}\p{N}_-]+$/u.test(text) ? text : `'${text.replaceAll("'", "''")}'`;
    return [`${quoted(name)} ${type === "number" || type === "date" ? ">=" : "="} ${quoted(value)}`];
  });
  return parts.length === 0 ? "" : parts.join(" and ");
}
