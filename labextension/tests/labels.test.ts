import assert from "node:assert/strict";
import { test } from "node:test";

import { addLabels, isComplete, splitLabels } from "../src/labels.ts";

const SPLIT: [string, string[]][] = [
  ["", []],
  ["  ", []],
  [",,\n;", []],
  ["cat", ["cat"]],
  [" hot dog , not hot dog ", ["hot dog", "not hot dog"]],
  ["cat\r\ndog\r\n", ["cat", "dog"]],
  ["cat\tdog;bird", ["cat", "dog", "bird"]],
  ['"yes, clearly", no', ["yes, clearly", "no"]],
  ['["Hot dog", "Not hot dog"]', ["Hot dog", "Not hot dog"]],
  ["('a', 'b',)", ["a", "b"]],
  ["(unclear)", ["(unclear)"]],
  ["don't know, 'tis", ["don't know", "'tis"]],
  ['6" pipe, "half', ['6" pipe', '"half']],
  ['"a" b, c', ['"a" b', "c"]],
  ['<b>&"é"🌭', ['<b>&"é"🌭']],
];

for (const [text, labels] of SPLIT) {
  void test(`${JSON.stringify(text)} has ${String(labels.length)} labels`, () => {
    assert.deepEqual(splitLabels(text), labels);
  });
}

void test("a comma completes a label, unless it is in quotation marks", () => {
  assert.ok(!isComplete("cat"));
  assert.ok(isComplete("cat,"));
  assert.ok(isComplete("cat\ndog"));
  assert.ok(!isComplete('"yes, cl'));
  assert.ok(isComplete('"yes, clearly",'));
});

void test("a label is added once", () => {
  const added = addLabels(["cat"], ["dog", "cat", "Cat", "dog"]);
  assert.deepEqual(added, { labels: ["cat", "dog", "Cat"], twice: ["cat", "dog"] });
});
