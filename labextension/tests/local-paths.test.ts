import assert from "node:assert/strict";
import { test } from "node:test";

import { foreignDrive, withLocalPaths } from "../src/local-paths.ts";

// As JupyterLab's contents manager splits paths.
const contents = {
  driveName: (path: string) => (path.includes(":") ? (path.split(":")[0] ?? "") : ""),
  localPath: (path: string) => path.slice(path.indexOf(":") + 1),
};

void test("files of jupyter-collaboration are Jupyter's", () => {
  const request = { paths: ["RTC:pets/a.png", "pets/b.png"] };
  assert.equal(foreignDrive(request, contents), "");
  assert.deepEqual(withLocalPaths(request, contents), { paths: ["pets/a.png", "pets/b.png"] });
});

void test("files of other drives are not", () => {
  assert.equal(foreignDrive({ path: "s3:bucket/pets" }, contents), "s3");
  assert.equal(foreignDrive({ paths: ["a.png", "s3:b.png"] }, contents), "s3");
});

void test("Jupyter's root folder has an empty path", () => {
  assert.equal(foreignDrive({ path: "" }, contents), "");
  assert.deepEqual(withLocalPaths({ path: "" }, contents), { path: "" });
});
