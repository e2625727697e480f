import type { IDisposable } from "@lumino/disposable";
import { MessageLoop } from "@lumino/messaging";
import type { Widget } from "@lumino/widgets";

import type { StudioModel } from "./state.ts";

const CHANGES = ["after-show", "after-hide", "after-attach", "after-detach"];

/** Keep the model up to date while a widget is visible. */
export function followWhileVisible(widget: Widget, model: StudioModel): void {
  let following: IDisposable | null = null;
  const update = () => {
    if (widget.isVisible) {
      following ??= model.follow();
    } else {
      following?.dispose();
      following = null;
    }
  };
  MessageLoop.installMessageHook(widget, (_, { type }) => {
    // The widget handles the message after this hook returns
    if (CHANGES.includes(type)) queueMicrotask(update);
    return true;
  });
  widget.disposed.connect(update);
  update();
}
