import { Dialog, ReactWidget, showDialog } from "@jupyterlab/apputils";
import type { TranslationBundle } from "@jupyterlab/translation";
import * as React from "react";

import type { ExportRequest, Format, Project } from "./api-types.ts";
import { Fragment, h } from "./jsx.ts";

/** Ask for the format and the folder of an export; null if the user cancels. */
export async function askForExport(
  project: Project,
  formats: readonly Format[],
  folder: string,
  trans: TranslationBundle,
): Promise<ExportRequest | null> {
  const body = new ExportBody(formats, folder, trans);
  const { button, value } = await showDialog({
    title: trans.__("Export “%1”", project.title),
    body,
    buttons: [
      Dialog.cancelButton({ label: trans.__("Cancel") }),
      Dialog.okButton({ label: trans.__("Export") }),
    ],
    focusNodeSelector: "select",
  });
  return button.accept ? value : null;
}

class ExportBody extends ReactWidget implements Dialog.IBodyWidget<ExportRequest> {
  private readonly _formats: readonly Format[];
  private readonly _trans: TranslationBundle;
  private _request: ExportRequest;

  constructor(formats: readonly Format[], folder: string, trans: TranslationBundle) {
    super();
    this._formats = formats;
    this._trans = trans;
    this._request = { format: formats[0]?.name ?? "", folder, pictures: false };
    this.addClass("jp-LabelStudio-export");
  }

  getValue(): ExportRequest {
    return this._request;
  }

  protected override render(): React.JSX.Element {
    return (
      <ExportForm
        first={this._request}
        formats={this._formats}
        trans={this._trans}
        onChange={(request) => {
          this._request = request;
        }}
      />
    );
  }
}

interface FormProps {
  first: ExportRequest;
  formats: readonly Format[];
  trans: TranslationBundle;
  onChange: (request: ExportRequest) => void;
}

function ExportForm({ first, formats, trans, onChange }: FormProps): React.JSX.Element {
  const [request, setRequest] = React.useState(first);
  const change = (part: Partial<ExportRequest>) => {
    const next = { ...request, ...part };
    setRequest(next);
    onChange(next);
  };
  const format = formats.find(({ name }) => name === request.format);
  return (
    <>
      <label htmlFor="jp-LabelStudio-format">{trans.__("Format")}</label>
      <select
        id="jp-LabelStudio-format"
        className="jp-mod-styled"
        value={request.format}
        aria-describedby="jp-LabelStudio-formatHint"
        onChange={({ target }) => {
          change({ format: target.value });
        }}
      >
        {formats.map(({ name, title }) => (
          <option key={name} value={name}>
            {title}
          </option>
        ))}
      </select>
      <p id="jp-LabelStudio-formatHint" className="jp-LabelStudio-hint">
        {format?.description}
      </p>
      {format?.pictures && (
        <label className="jp-LabelStudio-check">
          <input
            type="checkbox"
            checked={request.pictures ?? false}
            onChange={({ target }) => {
              change({ pictures: target.checked });
            }}
          />
          {trans.__("Include the pictures")}
        </label>
      )}
      <label htmlFor="jp-LabelStudio-folder">{trans.__("Folder")}</label>
      <input
        id="jp-LabelStudio-folder"
        type="text"
        className="jp-mod-styled"
        value={request.folder}
        spellCheck={false}
        aria-describedby="jp-LabelStudio-folderHint"
        onChange={({ target }) => {
          change({ folder: target.value });
        }}
      />
      <p id="jp-LabelStudio-folderHint" className="jp-LabelStudio-hint">
        {trans.__("A new or empty folder, below the root of the file browser.")}
      </p>
    </>
  );
}
