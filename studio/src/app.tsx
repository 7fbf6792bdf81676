// The frame of the page: heading, navigation, and the view that the address names.

import { useEffect } from "preact/hooks";
import type { FolderAnswer } from "../../src/studio/api.js";
import { FIRST_QUESTION } from "../../src/studio/first-question.js";
import { ComparePage } from "./compare/page.js";
import { DatasetPage } from "./datasets/dataset.js";
import { DatasetsPage } from "./datasets/page.js";
import { MapPage } from "./map/page.js";
import { PlaygroundPage } from "./playground/page.js";
import { RunPage } from "./run/page.js";
import { RunsPage } from "./runs/page.js";
import { plural } from "./texts.js";
import { type Address, useAddress } from "./use-address.js";
import { usePolled } from "./use-polled.js";
import { UserPage } from "./users/page.js";

const views: Readonly<Record<string, string>> = {
  runs: "Runs",
  datasets: "Datasets",
  playground: "Playground",
  map: "Map",
};
/** The views in the navigation that lead to others. */
const parents: Readonly<Record<string, string>> = { dataset: "datasets", user: "datasets" };
const titles: Readonly<Record<string, string>> = { ...views, compare: "Comparison" };

/** Runs in training are followed closely. */
const secondsAfter = (answer: FolderAnswer | undefined) =>
  answer?.runs.some(({ state }) => state === "training") ? 2 : 10;

export function App() {
  const address = useAddress();
  const { answer, problem } = usePolled<FolderAnswer>("/api/folder", secondsAfter, FIRST_QUESTION);
  const current = address.page in views ? address.page : (parents[address.page] ?? "runs");
  useEffect(() => {
    const { page, parameters } = address;
    const about = page === "run" || page === "dataset" ? parameters.get("id") : null;
    const title = about ?? (page === "user" ? `User ${parameters.get("user")}` : titles[page]);
    document.title = `${title ?? "Not found"} – foldin studio`;
  }, [address]);
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById("main")?.focus()}>
        Skip to the content
      </button>
      <header class="top">
        <p class="brand">foldin studio</p>
        <nav aria-label="Views">
          {Object.entries(views).map(([name, label]) => (
            <a key={name} href={`#/${name}`} aria-current={current === name ? "page" : undefined}>
              {label}
            </a>
          ))}
        </nav>
        {answer && <p class="folder">{answer.folder}</p>}
      </header>
      <main id="main" tabIndex={-1}>
        {problem !== undefined && (
          <p class="warning" role="alert">
            {problem}
          </p>
        )}
        {answer ? <View answer={answer} address={address} /> : <p class="note">Reading the folder …</p>}
      </main>
      {answer && <footer>foldin {answer.version}</footer>}
    </>
  );
}

function View({ answer, address }: { answer: FolderAnswer; address: Address }) {
  switch (address.page) {
    case "runs":
      return (
        <>
          <RunsPage runs={answer.runs} lowerIsBetter={answer.lowerIsBetter} address={address} />
          <Problems problems={answer.problems} />
        </>
      );
    case "run":
      return <RunPage runs={answer.runs} id={address.parameters.get("id") ?? ""} />;
    case "compare":
      return (
        <ComparePage
          runs={answer.runs}
          datasets={answer.datasets}
          ids={(address.parameters.get("runs") ?? "").split("|")}
        />
      );
    case "playground":
      return <PlaygroundPage runs={answer.runs} address={address} />;
    case "map":
      return <MapPage runs={answer.runs} address={address} />;
    case "datasets":
      return <DatasetsPage datasets={answer.datasets} />;
    case "dataset":
      return <DatasetPage key={address.parameters.get("id")} datasets={answer.datasets} address={address} />;
    case "user":
      return <UserPage datasets={answer.datasets} runs={answer.runs} address={address} />;
    default:
      return <h1>There is nothing at this address</h1>;
  }
}

function Problems({ problems }: Pick<FolderAnswer, "problems">) {
  if (problems.length === 0) return null;
  return (
    <section>
      <h2>{plural(problems.length, "problem")}</h2>
      <ul>
        {problems.map(({ id, problem }) => (
          <li key={id}>{problem}</li>
        ))}
      </ul>
    </section>
  );
}
