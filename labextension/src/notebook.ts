import type { INotebookTracker, NotebookPanel } from "@jupyterlab/notebook";

/** Insert a code cell below the active one of a notebook, select it, and show the notebook. */
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

/** The notebook that a cell would go into; null if there is none that can be changed. */
export function currentNotebook(tracker: INotebookTracker | null): NotebookPanel | null {
  const panel = tracker?.currentWidget ?? null;
  return panel?.content.model && !panel.content.model.readOnly ? panel : null;
}
