import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import type { Project, State } from "../src/api-types.ts";
import {
  codeParts,
  count,
  dataFrameCode,
  duration,
  folderName,
  plain,
  secondsOf,
  size,
  wordsOf,
} from "../src/words.ts";
import { snapshot } from "./snapshot.ts";
import { trans } from "./trans.ts";

const project = (id: number, title: string) => ({ id, title }) as Project;

void test("each state has the words of the start page", () => {
  const page = readFileSync(
    new URL("../../labelstudio_proxy/gateway/start_page.py", import.meta.url),
    "utf8",
  );
  const words = new Map(
    [...page.matchAll(/^ {4}"(\w+)": \("(.*)", "(.*)"\),(?: {2}#.*)?$/gm)].map(
      ([, name = "", heading, sentence]) => [name, { heading, sentence }],
    ),
  );
  assert.equal(words.size, 14);
  words.set("ready", { heading: "Label Studio is ready", sentence: "" }); // the page opens it then

  const holder = { action: "Take over" } as State["holder"];
  const states: Record<string, Partial<State>> = {
    stopped: { state: "stopped" },
    preparing: { state: "preparing" },
    pulling: { state: "pulling" },
    installing: { state: "installing" },
    starting: { state: "starting" },
    ready: { state: "ready" },
    stopping: { state: "stopping" },
    failed: { state: "failed" },
    ended: { state: "failed", ready_after: 3 },
    elsewhere: { state: "failed", holder },
    missing: { state: "failed", installed: false },
    offer: { state: "failed", offer: { folder: "/data" } },
    waiting: { state: "failed", ready_after: 3, next_start: 10 },
    trying: { state: "failed", next_start: 10 },
  };
  for (const [name, state] of Object.entries(states)) {
    assert.deepEqual(wordsOf(snapshot(state), trans), words.get(name), name);
  }
});

void test("the current step runs by the server's clock", () => {
  const steps: State["steps"] = [
    { id: "a", title: "A", state: "done", detail: "", seconds: 2 },
    { id: "b", title: "B", state: "current", detail: "", seconds: null },
    { id: "c", title: "C", state: "next", detail: "", seconds: null },
  ];
  const state = snapshot({ state: "starting", started_at: 100, now: 104, steps });
  const seconds = steps.map((step) => secondsOf(step, state, 105));
  assert.deepEqual(seconds, [2, 3, null]);
});

void test("numbers are as people write them", () => {
  assert.equal(duration(3.44, trans), "3.4 s");
  assert.equal(duration(59.9, trans), "59 s");
  assert.equal(duration(125, trans), "2 min 05 s");
  assert.equal(count({ done: 3, total: 12 }, trans), "3 of 12");
  assert.equal(count({ done: 3e8, total: 4e8 }, trans), "75 %");
  assert.equal(count({ done: 3, total: 0 }, trans), "");
  assert.equal(size(177_400_000, trans), "177 MB");
  assert.equal(size(1_240_000_000, trans), "1.2 GB");
});

void test("the code imports the package once", () => {
  const every = [project(1, "Animals"), project(2, 'A "b" \\ é')];
  const [first, second] = every as [Project, Project];
  assert.equal(
    dataFrameCode(first, every, ["import labelstudio_proxy"]),
    'import labelstudio_proxy as lsp\n\nlsp.project("Animals").to_dataframe()',
  );
  assert.equal(
    dataFrameCode(second, every, ["x = 1\nimport labelstudio_proxy as lsp\n"]),
    'lsp.project("A \\"b\\" \\\\ é").to_dataframe()',
  );
});

void test("the code names a project by its number if its title is not unique", () => {
  const every = [project(1, "Animals"), project(2, "Animals")];
  assert.match(dataFrameCode(project(2, "Animals"), every, []), /lsp\.project\(2\)/);
});

void test("the folder of an export has a name that every file system takes", () => {
  assert.equal(folderName("Hot dogs: / é"), "Hot-dogs-é-export");
  assert.equal(folderName("../.."), "project-export");
});

void test("texts of programs are shown as text and code", () => {
  assert.deepEqual(codeParts("Run `pip` now."), ["Run ", "pip", " now."]);
  assert.equal(plain("\u001b[31mred\u001b[0m"), "red");
});
