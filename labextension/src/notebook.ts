import type { INotebookTracker, NotebookPanel } from "@jupyterlab/notebook";

/** Insert a code cell below the active cell of a notebook, and edit it. `codeFor`: gets the code cells that exist. */
export async function insertCode(
  panel: NotebookPanel,
  codeFor: (sources: readonly string[]) => string,
): Promise<void> {
  await panel.context.ready;
  const notebook = panel.content;
  const cells = notebook.model?.sharedModel;
  if (!cells) return;
  const sources = cells.cells
    .filter(({ cell_type: type }) => type === "code")
    .map((cell) => cell.getSource());
  const index = notebook.activeCellIndex + 1;
  cells.insertCell(index, { cell_type: "code", source: codeFor(sources), metadata: {} });
  notebook.activeCellIndex = index;
  notebook.mode = "edit";
}

/** Return the current notebook; null if there is none, or if it cannot be changed. */
export function currentNotebook(tracker: INotebookTracker | null): NotebookPanel | null {
  const panel = tracker?.currentWidget ?? null;
  return panel?.content.model && !panel.content.model.readOnly ? panel : null;
}
