// A list of items: titles are suggested as they are typed (ARIA combobox), and chosen items can be removed.

import { useId, useRef, useState } from "preact/hooks";
import type { ItemsAnswer } from "../../../src/studio/models-messages.js";
import { ask } from "../ask.js";
import { useAnswer } from "../use-asked.js";
import { remember } from "./names.js";

/** Milliseconds after the last key. */
const PAUSE = 120;

interface Props {
  readonly label: string;
  /** What an empty list means. */
  readonly empty: string;
  /** The run in whose catalogue titles are searched. */
  readonly run: string | undefined;
  readonly ids: readonly string[];
  readonly nameOf: (id: string) => string;
  readonly onChange: (ids: readonly string[]) => void;
}

export function ItemPicker({ label, empty, run, ids, nameOf, onChange }: Props) {
  return (
    <div class="picker">
      <ItemSearch
        label={label}
        run={run}
        onChoose={(id) => onChange(ids.includes(id) ? ids : [...ids, id])}
        onBack={() => onChange(ids.slice(0, -1))}
      />
      {ids.length === 0 ? (
        <p class="note">{empty}</p>
      ) : (
        <ul class="chips" aria-label={`${label}: chosen`}>
          {ids.map((id) => (
            <li key={id}>
              <span>{nameOf(id)}</span>
              <button
                type="button"
                aria-label={`Remove ${nameOf(id)}`}
                onClick={() => onChange(ids.filter((other) => other !== id))}
              >
                ×
              </button>
            </li>
          ))}
          {ids.length > 1 && (
            <li class="plain">
              <button type="button" onClick={() => onChange([])}>
                Remove all
              </button>
            </li>
          )}
        </ul>
      )}
    </div>
  );
}

interface SearchProps {
  readonly label: string;
  readonly run: string | undefined;
  readonly onChoose: (id: string) => void;
  /** Backspace in the empty field. */
  readonly onBack?: () => void;
}

export function ItemSearch({ label, run, onChoose, onBack }: SearchProps) {
  const list = useId();
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState("");
  const [isOpen, setOpen] = useState(false);
  const [active, setActive] = useState(0);
  const wanted = text.trim();
  const { answer, problem, isBusy } = useAnswer<ItemsAnswer>(
    run === undefined || wanted === "" ? undefined : `${run}\n${wanted}`,
    (signal) => ask(`/api/items?${new URLSearchParams({ run: run ?? "", search: wanted })}`, signal),
    PAUSE,
  );
  const found = wanted === "" || !answer ? [] : answer.items.length > 0 ? answer.items : answer.near;
  const isNear = found.length > 0 && answer?.items.length === 0;
  const place = Math.min(active, found.length - 1);
  const isShown = isOpen && found.length > 0;
  const choose = (at: number) => {
    const item = found[at];
    if (!item || run === undefined) return;
    remember(run, [item]);
    onChoose(item.id);
    setText("");
    setActive(0);
    input.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0 && found.length > 0) {
      setOpen(true);
      setActive(isShown ? (place + step + found.length) % found.length : 0);
      event.preventDefault();
    } else if (event.key === "Enter") {
      // What is shown may belong to the text before.
      if (isShown && !isBusy) choose(place);
      event.preventDefault();
    } else if (event.key === "Escape") {
      if (isShown) setOpen(false);
      else setText("");
      event.preventDefault();
    } else if (event.key === "Backspace" && text === "") onBack?.();
  };
  const message =
    problem ??
    (wanted !== "" && !isBusy && found.length === 0
      ? `No item is called “${wanted}”.`
      : isNear
        ? `No title contains “${wanted}”. Did you mean:`
        : "");
  return (
    <div class="search">
      <label>
        {label}
        <input
          ref={input}
          type="search"
          // biome-ignore lint/a11y/noRedundantRoles: a search field has this role only with a list.
          role="combobox"
          list={undefined}
          autocomplete="off"
          spellcheck={false}
          placeholder="Title or id"
          aria-expanded={isShown}
          aria-controls={list}
          aria-autocomplete="list"
          aria-activedescendant={isShown ? `${list}-${place}` : undefined}
          value={text}
          disabled={run === undefined}
          onInput={({ currentTarget }) => {
            setText(currentTarget.value);
            setActive(0);
            setOpen(true);
          }}
          onFocus={() => setOpen(true)}
          onBlur={() => setOpen(false)}
          onKeyDown={onKeyDown}
        />
      </label>
      <p class="status" role="status">
        {message}
        {message === "" && isShown && (
          <span class="hidden">
            {found.length} {found.length === 1 ? "suggestion" : "suggestions"}
          </span>
        )}
      </p>
      <div class="suggestions" hidden={!isShown}>
        <div role="listbox" id={list} aria-label={`${label}: suggestions`} tabIndex={-1}>
          {found.map(({ id, title }, at) => (
            // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the field; aria-activedescendant names the option.
            // biome-ignore lint/a11y/useKeyWithClickEvents: the field handles keys.
            <div
              key={id}
              id={`${list}-${at}`}
              role="option"
              aria-selected={at === place}
              // The field keeps the focus.
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => choose(at)}
            >
              {title}
              {title !== id && <span class="error"> {id}</span>}
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}
