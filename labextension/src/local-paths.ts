import type { Contents } from "@jupyterlab/services";

import type { LookRequest } from "./api-types.ts";

/** jupyter-collaboration's drive. Its files are those of the Jupyter server. */
const COLLABORATION = "RTC";

type Drives = Pick<Contents.IManager, "driveName" | "localPath">;

/** Return the first drive of these paths that is not the Jupyter server's; "" if there is none. */
export function foreignDrive({ path, paths }: LookRequest, contents: Drives): string {
  const drives = (paths ?? [path ?? ""]).map((each) => contents.driveName(each));
  return drives.find((drive) => drive !== "" && drive !== COLLABORATION) ?? "";
}

/** Return the request with paths relative to Jupyter's root folder. */
export function withLocalPaths({ path, paths }: LookRequest, contents: Drives): LookRequest {
  return paths
    ? { paths: paths.map((each) => contents.localPath(each)) }
    : { path: contents.localPath(path ?? "") };
}
