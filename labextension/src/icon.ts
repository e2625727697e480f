import { LabIcon } from "@jupyterlab/ui-components";

import svgstr from "../../labelstudio_proxy/static/labelstudio.svg";

/** The icon of the tile. */
export const labelStudioIcon = new LabIcon({ name: "labelstudio-proxy:icon", svgstr });
