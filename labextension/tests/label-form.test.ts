import assert from "node:assert/strict";
import { test } from "node:test";

import { LabelForm } from "../src/label-form.ts";
import { look } from "./look.ts";
import { trans } from "./trans.ts";

void test("the server's proposal fills the form", () => {
  const form = new LabelForm("pets", trans);
  form.propose(look);
  assert.ok(form.complete());
  assert.deepEqual(form.request(look), {
    source: look.source,
    base: look.base,
    title: "pets 2",
    task: "image-classification",
    labels: ["cat", "dog"],
    keep: false,
  });
});

void test("what was typed before the server's answer stays", () => {
  const form = new LabelForm("pets", trans);
  form.set({ title: "My pets", labels: ["hamster"], place: 1, typed: "bir" });
  form.propose({ ...look, keep: "animals.jsonl" });
  form.set({ typed: "bird" });
  assert.ok(form.complete());
  const { title, labels, keep } = form.request({ ...look, keep: "animals.jsonl" });
  assert.deepEqual(
    { title, labels, keep },
    {
      title: "My pets",
      labels: ["hamster", "bird"],
      keep: "animals.jsonl",
    },
  );
});

void test("labels are needed, unless the task has none", () => {
  const form = new LabelForm("pets", trans);
  form.propose({ ...look, labels: [] });
  assert.ok(!form.complete());
  assert.ok(form.fields.isMissing);
  form.set({ task: "automatic-speech-recognition" });
  assert.ok(form.complete());
  assert.ok(!("labels" in form.request(look)));
});

void test("labels are kept in labels.jsonl, if the settings name no other file", () => {
  const form = new LabelForm("pets", trans);
  form.propose(look);
  form.set({ keep: true });
  assert.equal(form.request(look).keep, "labels.jsonl");
});

void test("keeping the labels, which was chosen before the server's answer, stays chosen", () => {
  const form = new LabelForm("pets", trans);
  form.set({ keep: true });
  form.propose(look);
  assert.equal(form.request(look).keep, "labels.jsonl");
});

void test("a label that is there already is named", () => {
  const form = new LabelForm("pets", trans);
  form.propose(look);
  form.set({ typed: "dog" });
  form.complete();
  assert.deepEqual(form.fields.labels, ["cat", "dog"]);
  assert.match(form.fields.note, /dog/);
});
