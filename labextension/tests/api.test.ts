import assert from "node:assert/strict";
import { test } from "node:test";

import { linesOf } from "../src/api.ts";

/** A response that arrives in these parts. */
function inParts(...parts: Uint8Array[]): Response {
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });
  return new Response(stream);
}

void test("lines arrive whole, wherever the parts of a response end", async () => {
  const bytes = new TextEncoder().encode("größe: 1\nnext\nlast");
  for (let at = 0; at <= bytes.length; at++) {
    const lines: string[] = [];
    for await (const line of linesOf(inParts(bytes.slice(0, at), bytes.slice(at)))) {
      lines.push(line);
    }
    assert.deepEqual(lines, ["größe: 1", "next", "last"]);
  }
});
