import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { MlflowClient, mlflowPlace } from "../../../../src/experiments/trackers/mlflow/client.js";
import { mlflowServer } from "../../../support/mlflow-server.js";

const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

describe("the address of a server", () => {
  it.each([
    ["http://localhost:5000", {}, "http://localhost:5000", undefined],
    ["https://me:s3cr%40t@tracker.example/team/", {}, "https://tracker.example/team", basic("me", "s3cr@t")],
    [
      "http://h",
      { MLFLOW_TRACKING_USERNAME: "me", MLFLOW_TRACKING_PASSWORD: "word", MLFLOW_TRACKING_TOKEN: "t" },
      "http://h",
      basic("me", "word"),
    ],
    ["http://h", { MLFLOW_TRACKING_TOKEN: "token" }, "http://h", "Bearer token"],
    [undefined, { MLFLOW_TRACKING_URI: "http://from.environment" }, "http://from.environment", undefined],
    ["http://given", { MLFLOW_TRACKING_URI: "http://from.environment" }, "http://given", undefined],
  ])("%s with %j", (given, env, url, authorization) => {
    const place = mlflowPlace(given, env);
    expect([place.url, place.authorization]).toEqual([url, authorization]);
  });

  it.each([
    [undefined, {}, /--mlflow: no server is given \(expected .*MLFLOW_TRACKING_URI/],
    ["runs", {}, /--mlflow: is not an address/],
    ["sqlite:///mlruns.db", {}, /--mlflow: sqlite: addresses are not supported/],
    [undefined, { MLFLOW_TRACKING_URI: "databricks" }, /MLFLOW_TRACKING_URI: is not an address/],
  ])("%s with %j is refused", (given, env, message) => {
    expect(() => mlflowPlace(given, env)).toThrow(message);
  });

  it("never shows its login", async () => {
    const gone = await mlflowServer();
    await gone.close();
    const address = `${gone.url.replace("//", "//me:hush%2Fhush@")}/`;
    const place = mlflowPlace(address, {});
    const error = await new MlflowClient(place).experiment("demo").catch((error: unknown) => error);
    expect(inspect(error, { depth: 9 })).toMatch(/ECONNREFUSED/);
    expect(inspect(error, { depth: 9 })).not.toMatch(/hush/);
    expect(place.hide(`${address} says hush/hush, ${place.authorization}`)).not.toMatch(/hush|bWU6/);
  });
});
