import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { get, type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { temporaryFolder } from "./buffers.ts";
import { program } from "./child.ts";
import { endRun, epochTo, writeRun } from "./watching/run-files.ts";

interface Watcher {
  readonly child: ChildProcess;
  readonly url: string;
  readonly port: number;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stderr: string }>;
}

/** The program, until it has said where its page is. */
async function watch(cwd: string, ...words: string[]): Promise<Watcher> {
  const child = spawn(process.execPath, [...program, "watch", "--json", ...words], { cwd });
  onTestFinished(() => void child.kill("SIGKILL"));
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<Awaited<Watcher["ended"]>>((done) =>
    child.on("close", (code, signal) => done({ code, signal, stderr })),
  );
  const said = await Promise.race([
    new Promise<string>((done) => child.stdout.once("data", (data) => done(`${data}`))),
    ended,
  ]);
  if (typeof said !== "string") throw new Error(said.stderr);
  return { child, ended, ...(JSON.parse(said) as { url: string; port: number }) };
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

function ask(url: string, { method = "GET", host }: { method?: string; host?: string } = {}): Promise<Answer> {
  return new Promise((done, refuse) => {
    const asked = request(url, { method, agent: false, ...(host ? { headers: { host } } : {}) }, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => done({ status: response.statusCode!, headers: response.headers, text }));
    });
    asked.on("error", refuse).end();
  });
}

interface Told {
  readonly event: string;
  readonly data: { readonly runs: Readonly<Record<string, unknown>>[]; readonly gone: readonly number[] };
}

/** The stream's events, one after the other; null at its end. */
async function listen(url: string): Promise<() => Promise<Told | null>> {
  const response = await new Promise<IncomingMessage>((done, refuse) => {
    get(`${url}events`, { agent: false }, done).on("error", refuse);
  });
  onTestFinished(() => void response.destroy());
  expect(response.headers["content-type"]).toBe("text/event-stream");
  const chunks = response.setEncoding("utf8")[Symbol.asyncIterator]();
  let text = "";
  return async () => {
    for (;;) {
      const found = /^event: (\w+)\ndata: (.*)\n\n/.exec(text.replace(/^(:\n\n)+/, ""));
      if (found) {
        text = text.slice(text.indexOf(found[0]) + found[0].length);
        return { event: found[1]!, data: JSON.parse(found[2]!) };
      }
      const { value, done } = await chunks.next().catch(() => ({ value: "", done: true }));
      if (done) return null;
      text += value;
    }
  };
}

describe("astrochem watch", () => {
  it("answers its own page and stream, and nothing else", async () => {
    const cwd = temporaryFolder();
    writeRun(join(cwd, "runs/<b>a"));
    const { url, port } = await watch(cwd, "runs");
    expect(url).toMatch(new RegExp(`^http://127\\.0\\.0\\.1:${port}/[\\w-]{32}/$`));
    const page = await ask(url);
    expect([page.status, page.headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
    expect(page.headers["content-security-policy"]).toMatch(
      /^default-src 'none';.* connect-src 'self';.*frame-ancestors 'none'$/,
    );
    expect(page.headers).toMatchObject({ "referrer-policy": "no-referrer", "cache-control": "no-store" });
    // Nothing is named that another host would be asked for.
    expect(page.text.match(/\b(?:https?:)?\/\/[\w.]+/g)?.filter((each) => !each.includes("www.w3.org"))).toEqual([]);
    const origin = `http://127.0.0.1:${port}`;
    const wrong = `${origin}/${"A".repeat(32)}/`;
    const others = [
      ...[origin, `${origin}/events`, wrong, `${wrong}events`, url.slice(0, -1), `${url}index.html`].map((at) =>
        ask(at),
      ),
      ...[`${url}../etc/passwd`, `${url}%2e%2e/`, `${url}events/`, `${url}?x`, `${url}epochs.jsonl`].map((at) =>
        ask(at),
      ),
      ...["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"].map((method) => ask(url, { method })),
      ...["evil.example", `evil.example:${port}`, "127.0.0.1.evil.example", "localhost.evil", "[::2]"].map((host) =>
        ask(url, { host }),
      ),
    ];
    for (const { status, text, headers } of await Promise.all(others)) {
      expect([status, text, headers["content-length"]]).toEqual([404, "", "0"]);
    }
    // Behind `ssh -L` the port is another one.
    for (const host of ["localhost:9999", "LOCALHOST", "127.0.0.1", "[::1]:1234"])
      expect((await ask(url, { host })).status).toBe(200);
  });

  it("sends the runs, and what is written to them", async () => {
    const cwd = temporaryFolder();
    const run = join(cwd, "runs/0");
    writeRun(run);
    epochTo(run, 0);
    const { url, child, ended } = await watch(cwd, "runs");
    const next = await listen(url);
    const first = await next();
    expect(first).toMatchObject({
      event: "all",
      data: { runs: [{ name: "0", state: "running", points: [[1, 1, 0.5, 2, 1e-3, 1200, 2]] }] },
    });
    const other = await listen(url);
    expect((await other())!.data.runs).toMatchObject([{ points: [expect.arrayContaining([1, 0.5])] }]);
    epochTo(run, 1);
    for (const each of [next, other]) {
      const change = await each();
      expect(change).toMatchObject({
        event: "changes",
        data: { runs: [{ isWhole: false, points: [[2, 0.5, 0.25, 1, 1e-3, 1201, 4]] }] },
      });
    }
    writeRun(join(cwd, "runs/1"));
    expect((await next())!.data.runs).toMatchObject([{ name: "1" }]);
    endRun(run, "completed");
    expect((await next())!.data.runs).toMatchObject([{ name: "0", state: "ended", points: [] }]);
    child.kill("SIGINT");
    expect(await next()).toEqual({ event: "end", data: {} });
    expect(await next()).toBeNull();
    expect((await ended).code).toBe(130);
  });

  it.each([
    ["SIGINT", { code: 130, signal: null }],
    ["SIGTERM", { code: 143, signal: null }],
    ["SIGHUP", { code: null, signal: "SIGHUP" }],
    ["the end of its pipe", { code: 0, signal: null }],
  ] as const)("ends with %s, and leaves nothing behind", async (how, expected) => {
    const cwd = temporaryFolder();
    const { child, url, ended } = await watch(cwd);
    const next = await listen(url);
    expect(await next()).toMatchObject({ event: "all", data: { runs: [] } });
    if (how.startsWith("SIG")) child.kill(how as NodeJS.Signals);
    else child.stdin!.end();
    expect(await ended).toMatchObject(expected);
    await expect(ask(url)).rejects.toThrow("ECONNREFUSED");
    expect(readdirSync(cwd)).toEqual([]);
  });

  it("without a folder shows the newest day, and a newer one that comes", async () => {
    const cwd = temporaryFolder();
    for (const place of [
      "outputs/2026-11-26/10-00-00-a",
      "outputs/2026-11-27/09-00-00-b",
      "multirun/2026-11-27/10-00-00/0",
    ])
      writeRun(join(cwd, place), { isHeld: false });
    const next = await listen((await watch(cwd)).url);
    const names = (await next())!.data.runs.map(({ name }) => name);
    expect(names.sort()).toEqual(["multirun/2026-11-27/10-00-00/0", "outputs/2026-11-27/09-00-00-b"]);
    writeRun(join(cwd, "outputs/2026-11-28/00-00-01-c"));
    expect(await next()).toMatchObject({
      data: { runs: [{ name: "outputs/2026-11-28/00-00-01-c" }], gone: [expect.any(Number), expect.any(Number)] },
    });
  });

  it("says what is wrong with its arguments", async () => {
    const cwd = temporaryFolder();
    mkdirSync(join(cwd, "runs"));
    const { port } = await watch(cwd, "runs");
    await expect(watch(cwd, "runs", "--port", String(port))).rejects.toThrow(`port ${port} of 127.0.0.1: it is taken`);
    await expect(watch(cwd, "runs", "--port", "65536")).rejects.toThrow("must be a port, got 65536");
    await expect(watch(cwd, "nowhere")).rejects.toThrow("there is no folder");
  });
});
