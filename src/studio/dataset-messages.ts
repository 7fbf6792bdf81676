// What the studio and the process with a loaded dataset ask and answer.

import type { z } from "zod";
import type {
  DatasetAnswer,
  datasetItemsQuery,
  datasetUserQuery,
  datasetUsersQuery,
  ItemsPage,
  UserAnswer,
  UsersPage,
} from "./dataset-api.js";

type Without<T> = Omit<T, "dataset">;

/** The first message to the process. */
export interface DatasetStart {
  readonly folder: string;
}

export type ItemsQuestion = Without<z.output<typeof datasetItemsQuery>>;
export type UsersQuestion = Without<z.output<typeof datasetUsersQuery>>;
export type UserQuestion = Without<z.output<typeof datasetUserQuery>>;

export interface DatasetQuestions {
  readonly describe: { readonly question: Record<string, never>; readonly answer: DatasetAnswer };
  readonly items: { readonly question: ItemsQuestion; readonly answer: ItemsPage };
  readonly users: { readonly question: UsersQuestion; readonly answer: UsersPage };
  readonly user: { readonly question: UserQuestion; readonly answer: UserAnswer };
}
