import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, mock, test } from "node:test";

import { ServerConnection } from "@jupyterlab/services";

import { Api, ApiError } from "../src/api.ts";
import type { State } from "../src/api-types.ts";
import { StudioModel } from "../src/state.ts";
import { snapshot } from "./snapshot.ts";
import { trans } from "./trans.ts";

/** A page that tests hide. */
class TestPage extends EventTarget {
  hidden = false;

  hide(hidden: boolean): void {
    this.hidden = hidden;
    this.dispatchEvent(new Event("visibilitychange"));
  }
}

let server: Server;
let api: Api;
let model: StudioModel;
let page: TestPage;
let requests: string[];
let streams: ServerResponse[];
let changed: () => void;
let answer: (url: string, response: ServerResponse) => void;

beforeEach(async () => {
  requests = [];
  streams = [];
  changed = () => undefined;
  answer = (_, response) => {
    send(response, 200, { ...snapshot({ state: "ready" }), log: [] });
  };
  server = createServer(({ method = "", url = "" }, response) => {
    const [path = ""] = url.replace("/api/labelstudio", "").split(/[?&]\d+$/);
    requests.push(`${method} ${path}`);
    if (path === "/events") {
      response.writeHead(200, { "Content-Type": "text/event-stream" }).flushHeaders();
      response.on("close", () => {
        streams = streams.filter((each) => each !== response);
        changed();
      });
      streams.push(response);
    } else {
      answer(path, response);
    }
    changed();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const settings = ServerConnection.makeSettings({
    baseUrl: `http://127.0.0.1:${String(port)}/`,
    fetch,
    Request,
    Headers,
  });
  api = new Api(settings, trans);
  page = new TestPage();
  model = new StudioModel(api, page);
  model.changed.connect(() => {
    changed();
  });
});

afterEach(() => {
  mock.timers.reset();
  model.dispose();
  server.closeAllConnections();
  server.close();
});

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}

function emit(name: string, data: unknown): void {
  for (const stream of streams) stream.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
}

function until(condition: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    changed = () => {
      if (condition()) resolve();
    };
    changed();
  });
}

const stateIs = (name: State["state"]) => until(() => model.state?.state === name);

void test("the state is followed while a part is visible, and not longer", async () => {
  const [first, second] = [model.follow(), model.follow()];
  await until(() => streams.length === 1);
  emit("state", snapshot({ state: "starting" }));
  await stateIs("starting");
  emit("projects", { projects: [{ id: 1 }] });
  await until(() => model.projects?.length === 1);
  first.dispose();
  emit("state", snapshot({ state: "ready" }));
  await stateIs("ready");
  second.dispose();
  await until(() => streams.length === 0);
  assert.deepEqual(requests, ["GET /events"]);
});

void test("a hidden page listens to nothing", async () => {
  model.follow();
  await until(() => streams.length === 1);
  page.hide(true);
  await until(() => streams.length === 0);
  page.hide(false);
  await until(() => streams.length === 1);
});

void test("a page that comes back asks for the state once", async () => {
  await model.refresh();
  page.hide(true);
  answer = (_, response) => {
    send(response, 200, { ...snapshot({ state: "stopped" }), log: [] });
  };
  page.hide(false);
  await stateIs("stopped");
  assert.deepEqual(requests, ["GET ", "GET "]);
});

void test("a command is followed until Label Studio is at rest", async () => {
  answer = (_, response) => {
    send(response, 202, { ...snapshot({ state: "stopping" }), log: [] });
  };
  await model.run("stop");
  await until(() => streams.length === 1);
  emit("state", snapshot({ state: "stopped" }));
  await until(() => streams.length === 0);
  assert.deepEqual(requests, ["POST /stop", "GET /events"]);
});

void test("a response does not replace the state of an event that came after its request", async () => {
  const following = model.follow();
  await until(() => streams.length === 1);
  emit("state", snapshot({ state: "starting" }));
  await stateIs("starting");
  answer = (_, response) => {
    emit("state", snapshot({ state: "stopped" }));
    void stateIs("stopped").then(() => {
      send(response, 202, { ...snapshot({ state: "starting" }), log: [[1, "a"]] });
    });
  };
  await model.run("stop");
  assert.equal(model.state?.state, "stopped");
  assert.equal(model.log.length, 1);
  following.dispose();
});

void test("a stream that breaks off is opened again", async () => {
  model.follow();
  await until(() => streams.length === 1);
  streams[0]?.destroy();
  await until(() => model.problem !== null);
  await until(() => streams.length === 1);
  emit("state", snapshot({ state: "ready" }));
  await stateIs("ready");
  assert.equal(model.problem, null);
});

void test("a stream that is silent for long is opened again", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  model.follow();
  await until(() => streams.length === 1);
  emit("state", snapshot({ state: "ready" }));
  await stateIs("ready");
  const [silent] = streams;
  mock.timers.tick(45_000);
  await until(() => model.problem !== null && streams.length === 0);
  mock.timers.tick(1000);
  await until(() => streams.length === 1 && streams[0] !== silent);
});

void test("the state is asked for while a proxy keeps the events back", async () => {
  mock.timers.enable({ apis: ["setInterval"] });
  model.follow();
  await until(() => streams.length === 1);
  mock.timers.tick(5000);
  await stateIs("ready");
  assert.equal(model.problem, null);
  emit("state", snapshot({ state: "stopping" }));
  await stateIs("stopping");
  mock.timers.tick(60_000);
  assert.deepEqual(requests, ["GET /events", "GET "]);
});

void test("a start is not followed for ever after the connection is lost", async () => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  answer = (_, response) => {
    send(response, 202, { ...snapshot({ state: "starting" }), log: [] });
  };
  await model.run("start");
  await until(() => streams.length === 1);
  streams[0]?.destroy();
  await until(() => model.problem !== null);
  mock.timers.tick(30_000);
  await model.refresh(); // asks only if nothing is followed
  assert.equal(requests.at(-1), "GET ");
});

void test("the log has each line once, also after a pause", async () => {
  model.follow();
  await until(() => streams.length === 1);
  emit("log", [[1, "a"], [2, "b"]]); // prettier-ignore
  emit("log", [[2, "b"], [3, "c"]]); // prettier-ignore
  await until(() => model.log.length === 3);
  emit("log", [[1, "of the next gateway"]]);
  await until(() => model.log.length === 1);
});

void test("a Jupyter without the server extension is recognised", async () => {
  answer = (_, response) => {
    send(response, 404, { message: "Not Found" });
  };
  await model.refresh();
  assert.equal(model.isMissing, true);
});

void test("making a project waits for Label Studio, and shows its steps", async () => {
  let state: State["state"] = "starting";
  const steps: State["steps"] = [
    { id: "a", title: "Prepare", state: "current", detail: "", seconds: null },
  ];
  answer = (url, response) => {
    if (url === "/projects" && state === "ready") {
      response.writeHead(200);
      response.write('{"progress": {"done": 1, "total": 2, "what": "Read"}}\n{"proj');
      response.end('ect": {"id": 7}, "added": 2, "notes": []}\n');
    } else {
      send(response, url ? 503 : 200, snapshot({ state, steps }));
    }
  };
  const shown: string[] = [];
  const made = await api.make({ source: { kind: "path", path: "a" } }, ({ what }) => {
    if (what === "Prepare") state = "ready";
    shown.push(what);
  });
  assert.equal(made.project.id, 7);
  assert.deepEqual(shown, ["Prepare", "Read"]);
});

void test("another attempt after a failed start starts Label Studio", async () => {
  const error = { what: "It failed again.", why: "", remedy: "" };
  answer = (url, response) => {
    const isStart = url === "/start";
    send(response, isStart ? 202 : 503, snapshot({ state: isStart ? "starting" : "failed" }));
    if (isStart)
      answer = (_, next) => {
        send(next, 200, snapshot({ state: "failed", error }));
      };
  };
  const made = api.make({ source: { kind: "path", path: "a" } }, () => undefined);
  await assert.rejects(made, /It failed again/);
  assert.deepEqual(requests, ["POST /projects", "POST /start", "GET "]);
});

void test("a connection that is lost in the middle of making says so", async () => {
  answer = (_, response) => {
    response.writeHead(200);
    response.write('{"progress": {"done": 1, "total": 2, "what": "Read"}}\n');
  };
  const made = api.make({ source: { kind: "path", path: "a" } }, () => {
    server.closeAllConnections();
  });
  await assert.rejects(made, /connection to Jupyter is lost/);
});

void test("errors have the words of the API", async () => {
  const problem = { what: "No.", why: "So.", remedy: "Do." };
  const asked = () => api.make({ source: { kind: "path", path: "a" } }, () => undefined);
  const isProblem = (error: unknown) => {
    assert.ok(error instanceof ApiError);
    assert.deepEqual(error.problem, problem);
    return true;
  };
  answer = (_, response) => {
    send(response, 400, { error: problem });
  };
  await assert.rejects(asked, isProblem);
  answer = (_, response) => {
    send(response, 200, { error: problem }); // at the end of a stream
  };
  await assert.rejects(asked, isProblem);
  answer = (_, response) => {
    send(response, 503, { detail: "No.", ...problem });
  };
  await assert.rejects(asked, isProblem);
  answer = (_, response) => {
    response.writeHead(200).end('{"progress": {"done": 1, "total": 2, "what": "Read"}}\n');
  };
  await assert.rejects(asked, /connection to Jupyter is lost/);
});

void test("a login page is no answer", async () => {
  answer = (_, response) => {
    response.writeHead(200, { "Content-Type": "text/html" }).end("<form>");
  };
  await assert.rejects(api.state(), /session ended/);
});
