import { Dialog, showDialog } from "@jupyterlab/apputils";
import type { TranslationBundle } from "@jupyterlab/translation";
import type * as React from "react";

import { problemFrom } from "./api.ts";
import type { Problem } from "./api-types.ts";
import { Fragment, h } from "./jsx.ts";
import { codeParts } from "./words.ts";

/** A sentence whose `backticks` are code. */
export function Prose({ text }: { text: string }): React.JSX.Element {
  return (
    <>
      {codeParts(text).map((part, index) =>
        index % 2 ? <code key={index}>{part}</code> : <span key={index}>{part}</span>,
      )}
    </>
  );
}

/** What happened, why, and what to do. */
export function ProblemView({ problem }: { problem: Problem }): React.JSX.Element {
  const { what, why, remedy } = problem;
  return (
    <div className="jp-LabelStudio-problem">
      {what && (
        <p className="jp-LabelStudio-what">
          <Prose text={what} />
        </p>
      )}
      {why && (
        <p>
          <Prose text={why} />
        </p>
      )}
      {remedy && (
        <p>
          <Prose text={remedy} />
        </p>
      )}
    </div>
  );
}

/** Show anything that was thrown in a dialog. */
export async function showProblem(error: unknown, trans: TranslationBundle): Promise<void> {
  await showDialog({
    title: trans.__("Label Studio"),
    body: <ProblemView problem={problemFrom(error)} />,
    buttons: [Dialog.okButton({ label: trans.__("Close") })],
  });
}
