// The process with a loaded dataset.

import { loadDataset } from "../data/dataset.js";
import { answerQuestions } from "./asked-process.js";
import type { DatasetQuestions, DatasetStart } from "./dataset-messages.js";
import { DatasetView } from "./dataset-view.js";

answerQuestions<DatasetQuestions, DatasetStart>(async ({ folder }) => {
  // Content may be large, and is not shown.
  const view = new DatasetView(await loadDataset(folder, { values: true, content: false }));
  return {
    describe: () => view.describe(),
    items: (question) => view.items(question),
    users: (question) => view.users(question),
    user: (question) => view.user(question),
  };
});
