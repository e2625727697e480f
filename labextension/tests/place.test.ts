import assert from "node:assert/strict";
import { test } from "node:test";

import { partOf, pathBelow, projectOf, taskOf } from "../src/place.ts";

const PREFIX = "/user/a%40b.c/labelstudio/";
const LAB = "https://hub.test/user/a%40b.c/lab";

void test("a page of Label Studio has a path below the prefix", () => {
  const page = "projects/3/data?task=7#region";
  assert.equal(pathBelow(PREFIX, PREFIX + page, LAB), page);
  assert.equal(pathBelow(PREFIX, `https://hub.test${PREFIX}${page}`, LAB), page);
  assert.equal(pathBelow(PREFIX, `/user/a@b.c/labelstudio/${page}`, LAB), page);
  assert.equal(pathBelow(PREFIX, PREFIX, LAB), "");
});

void test("other pages have none", () => {
  for (const url of [
    "about:blank",
    "/user/a%40b.c/lab",
    "/user/b/labelstudio/projects",
    "/user/a%40b.c/labelstudio-other/",
    `https://other.test${PREFIX}`,
  ]) {
    assert.equal(pathBelow(PREFIX, url, LAB), null, url);
  }
});

void test("a page belongs to a part of its project", () => {
  assert.equal(partOf("projects/12/data?tab=1&task=7"), partOf("projects/12/data#region"));
  assert.notEqual(partOf("projects/12/data"), partOf("projects/12/settings/labeling"));
  assert.notEqual(partOf("projects/12/data"), partOf("projects/1/data"));
  assert.equal(partOf("projects"), "");
});

void test("a page of a project names it", () => {
  for (const path of ["projects/12", "projects/12/data?tab=1", "projects/12?x", "projects/12#x"]) {
    assert.equal(projectOf(path), "12", path);
  }
  for (const path of ["", "projects", "projects/", "projects/1x", "api/projects/12"]) {
    assert.equal(projectOf(path), "", path);
  }
});

void test("a page of an item names it", () => {
  assert.equal(taskOf("projects/1/data?tab=2&task=34"), "34");
  assert.equal(taskOf("projects/1/data?labeling=1"), "");
});
