import type { Contents } from "@jupyterlab/services";

import type { LookRequest } from "./api-types.ts";

/** The drive of jupyter-collaboration, whose files are Jupyter's. */
const COLLABORATION = "RTC";

type Drives = Pick<Contents.IManager, "driveName" | "localPath">;

/** The first drive of these paths that is not Jupyter's; "" if there is none. */
export function foreignDrive({ path, paths }: LookRequest, contents: Drives): string {
  const drives = (paths ?? [path ?? ""]).map((each) => contents.driveName(each));
  return drives.find((drive) => drive !== "" && drive !== COLLABORATION) ?? "";
}

/** The request with paths relative to Jupyter's root folder. */
export function withLocalPaths({ path, paths }: LookRequest, contents: Drives): LookRequest {
  return paths
    ? { paths: paths.map((each) => contents.localPath(each)) }
    : { path: contents.localPath(path ?? "") };
}
