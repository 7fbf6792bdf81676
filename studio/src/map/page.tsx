// The map of a model's items. The model, the view, the colours and the selected item are in the address.

import { useEffect, useMemo, useState } from "preact/hooks";
import type { Run } from "../../../src/studio/api.js";
import type { ItemMap, MapAnswer } from "../../../src/studio/map-api.js";
import { ask, tell } from "../ask.js";
import { classOf } from "../charts/colours.js";
import { ItemSearch } from "../playground/item-picker.js";
import { count } from "../texts.js";
import type { Address } from "../use-address.js";
import { usePolled } from "../use-polled.js";
import { MapCanvas } from "./canvas.js";
import { Grid } from "./grid.js";
import "./map.css";
import { type View, viewOf, viewText } from "./view.js";

/** Milliseconds after the last movement until the address has it. */
const PAUSE = 300;
/** The least zoom at which a found item is shown. */
const FOUND_ZOOM = 8;

export function MapPage({ runs, address }: { runs: readonly Run[]; address: Address }) {
  const usable = runs.filter(({ modelBytes }) => modelBytes !== null);
  const given = address.parameters.get("run");
  // A popularity model has no map.
  const first = [...usable].sort((a, b) => b.changed - a.changed).find(({ model }) => model !== "popularity");
  const id = given ?? first?.id;
  const run = runs.find((one) => one.id === id);
  if (id === undefined)
    return (
      <>
        <h1>Map of items</h1>
        <p class="note">
          There is no run with a model in this folder. <code>foldin train</code> creates one.
        </p>
      </>
    );
  return (
    <>
      <h1>Map of items</h1>
      <div class="toolbar">
        <label>
          Model
          <select
            value={id}
            onChange={({ currentTarget }) =>
              address.set({ run: currentTarget.value, view: undefined, colour: undefined })
            }
          >
            {run === undefined && <option value={id}>{id}</option>}
            {usable.map(({ id, model }) => (
              <option key={id} value={id}>
                {id === model ? id : `${id} (${model})`}
              </option>
            ))}
          </select>
        </label>
      </div>
      {run === undefined ? (
        <p class="warning" role="alert">
          There is no run {id} in this folder
        </p>
      ) : (
        <MapOfRun key={`${id} ${run.changed}`} run={id} address={address} />
      )}
    </>
  );
}

const whileRunning = (answer: MapAnswer | undefined) =>
  answer === undefined || answer.state === "waiting" || answer.state === "running" ? 0.5 : 3600;

/** Starts the computation, and shows its progress and the map. */
function MapOfRun({ run, address }: { run: string; address: Address }) {
  const [job, setJob] = useState<string>();
  const [isStopped, setStopped] = useState(false);
  const [refusal, setRefusal] = useState<string>();
  const [map, setMap] = useState<ItemMap>();
  const { answer, problem } = usePolled<MapAnswer>(job && `/api/maps/${job}`, whileRunning);
  const isDone = answer?.state === "done";
  const start = () => {
    setStopped(false);
    setRefusal(undefined);
    tell<MapAnswer>("POST", "/api/maps", { run })
      .then(({ id }) => setJob(id))
      .catch(({ message }: Error) => setRefusal(message));
  };
  useEffect(start, [run]);
  useEffect(() => {
    if (!isDone || job === undefined) return;
    ask<ItemMap>(`/api/maps/${job}/points`)
      .then(setMap)
      .catch(({ message }: Error) => setRefusal(message));
  }, [isDone, job]);
  if (map) return <Shown map={map} run={run} address={address} />;
  const trouble = refusal ?? answer?.problem ?? (isStopped ? undefined : problem);
  const waiting =
    answer?.progress ?? (answer?.state === "waiting" ? "another map is being computed" : "starting");
  const stop = () => {
    if (job !== undefined) void tell("DELETE", `/api/maps/${job}`).catch(() => {});
    setJob(undefined);
    setStopped(true);
  };
  return (
    <>
      <p class="status" role="status">
        {trouble === undefined && !isStopped && `The map is computed once: ${waiting} …`}
        {isStopped && "Stopped."}
      </p>
      {trouble !== undefined && (
        <p class="warning" role="alert">
          {trouble}
        </p>
      )}
      {trouble !== undefined || isStopped ? (
        <button type="button" onClick={start}>
          Compute the map
        </button>
      ) : (
        <button type="button" onClick={stop}>
          Stop
        </button>
      )}
    </>
  );
}

function Shown({ map, run, address }: { map: ItemMap; run: string; address: Address }) {
  const { parameters, set } = address;
  const places = useMemo(() => new Map(map.ids.map((id, place) => [id, place])), [map]);
  const grid = useMemo(() => new Grid(map.x, map.y), [map]);
  const order = useMemo(() => {
    const { users } = map;
    const all = Uint32Array.from(map.ids.keys());
    return users ? all.sort((a, b) => users[b] - users[a] || a - b) : all;
  }, [map]);
  const [view, setView] = useState<View>(() => viewOf(parameters.get("view")));
  const [missing, setMissing] = useState<string>();
  const attribute = parameters.get("colour") ?? map.colours[0]?.attribute ?? "";
  const colours = map.colours.find((one) => one.attribute === attribute);
  const selected = places.get(parameters.get("item") ?? "");
  const scene = useMemo(
    () => ({ map, grid, order, codes: colours?.codes, selected }),
    [map, grid, order, colours, selected],
  );
  useEffect(() => {
    const timer = setTimeout(() => set({ view: viewText(view) }), PAUSE);
    return () => clearTimeout(timer);
  }, [view, set]);
  const select = (item: number) => {
    setMissing(undefined);
    set({ item: map.ids[item] });
  };
  /** Selects an item and moves it into the middle. */
  const showItem = (id: string) => {
    const item = places.get(id);
    if (item === undefined) {
      setMissing(id);
      return;
    }
    select(item);
    setView(({ zoom }) => ({ x: map.x[item], y: map.y[item], zoom: Math.max(zoom, FOUND_ZOOM) }));
  };
  return (
    <div class="map-page">
      <div>
        <div class="toolbar">
          <ItemSearch label="Find an item" run={run} onChoose={showItem} />
          {map.colours.length > 0 && (
            <label>
              Colours by
              <select
                value={attribute}
                onChange={({ currentTarget }) => set({ colour: currentTarget.value || "none" })}
              >
                <option value="none">nothing</option>
                {map.colours.map((one) => (
                  <option key={one.attribute} value={one.attribute}>
                    {one.attribute}
                  </option>
                ))}
              </select>
            </label>
          )}
        </div>
        {colours && (
          <ul class="legend" aria-label={`Colours by ${colours.attribute}`}>
            {colours.labels.map((label, place) => (
              <li key={label}>
                <span class={`swatch ${classOf(place)}`} />
                {label}
              </li>
            ))}
            <li>
              <span class="swatch other" />
              other or none
            </li>
          </ul>
        )}
        <MapCanvas scene={scene} view={view} onView={setView} onSelect={select} />
        <p class="note">
          {count(map.ids.length)} items, near each other if they are similar: UMAP of {map.vectors}.
          {map.left > 0 &&
            ` ${count(map.left)} items are not shown, because the model knows nothing about them.`}
        </p>
      </div>
      <section class="map-item" aria-label="Selected item">
        {missing !== undefined && (
          <p class="warning" role="alert">
            The item {missing} is not on the map: the model knows nothing about it.
          </p>
        )}
        {selected === undefined ? (
          <p class="note">Click an item, or find one by its title.</p>
        ) : (
          <Selected map={map} item={selected} run={run} onShow={showItem} />
        )}
      </section>
    </div>
  );
}

interface SelectedProps {
  readonly map: ItemMap;
  readonly item: number;
  readonly run: string;
  readonly onShow: (id: string) => void;
}

function Selected({ map, item, run, onShow }: SelectedProps) {
  const id = map.ids[item];
  const near = map.near.slice(item * map.nearest, (item + 1) * map.nearest);
  const values = map.colours.flatMap(({ attribute, labels, codes }) =>
    codes[item] < 0 ? [] : [`${attribute}: ${labels[codes[item]]}`],
  );
  return (
    <>
      <h2>{map.titles[item]}</h2>
      <p class="note">
        {id}
        {map.users && `, ${count(map.users[item])} users`}
        {values.length > 0 && `; ${values.join("; ")}`}
      </p>
      <h3>Nearest items</h3>
      <ol class="near">
        {near.map((other) => (
          <li key={other}>
            <button type="button" class="link" onClick={() => onShow(map.ids[other])}>
              {map.titles[other]}
            </button>
          </li>
        ))}
      </ol>
      <p>
        <a href={`#/playground?${new URLSearchParams({ runs: run, history: id })}`}>
          Recommendations for a user with this item
        </a>
      </p>
    </>
  );
}
