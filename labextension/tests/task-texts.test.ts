import assert from "node:assert/strict";
import { test } from "node:test";

import { contentsText, taskText } from "../src/task-texts.ts";
import { look } from "./look.ts";
import { trans } from "./trans.ts";

void test("what a folder has is said in words", () => {
  const text = contentsText({ ...look, media: { image: 1, "time-series": 2 }, others: 3 }, trans);
  assert.equal(text, "1 picture, 2 CSV files, 3 other files");
});

void test("a task of a newer server has its name", () => {
  assert.equal(taskText("image-classification", trans), "Classify pictures");
  assert.equal(taskText("image-matting", trans), "image-matting");
});
