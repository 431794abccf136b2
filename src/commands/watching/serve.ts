import { randomBytes, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ConfigError } from "../../errors.ts";
import type { WatchedRuns } from "./watched-runs.ts";

const look_ms = 1000;
/** Proxies and `ssh` give up connections on which nothing comes. */
const beat_ms = 15_000;
const [mostReaders, mostUnread_bytes] = [50, 64 * 2 ** 20];

/** A page that is served. */
export interface Served {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves a page and its stream of changes on 127.0.0.1, below a path that nobody can guess. The files are looked at only while a
 * page is open.
 * @param port 0 for a free one
 * @throws ConfigError where the port is taken
 */
export async function serve(runs: WatchedRuns, page: { html: string; policy: string }, port: number): Promise<Served> {
  const token = randomBytes(24).toString("base64url");
  const stream = new ChangeStream(runs);
  const server = createServer((request, response) => {
    response.on("error", () => {});
    const path = pathOf(request, token);
    if (path === "/events" && stream.hasRoom) return void stream.add(response);
    if (path !== "/") return void response.writeHead(404, { "content-length": 0, connection: "close" }).end();
    response.writeHead(200, {
      ...headers,
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": page.policy,
    });
    response.end(page.html);
  });
  await new Promise<void>((done, refuse) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const what = `cannot listen on port ${port} of 127.0.0.1: ${cause.code === "EADDRINUSE" ? "it is taken" : cause.message}`;
      refuse(new ConfigError(what, { where: "--port", fix: "leave --port out, or give another one", cause }));
    });
    server.listen({ host: "127.0.0.1", port, exclusive: true }, done);
  });
  const address = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${address.port}/${token}/`,
    port: address.port,
    async close() {
      stream.close();
      const late = setTimeout(() => server.closeAllConnections(), 500);
      await new Promise((done) => server.close(done));
      clearTimeout(late);
    },
  };
}

const headers = {
  "cache-control": "no-store",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** What is asked for behind the token; null where the method, the host or the token is not ours. */
function pathOf({ method, headers: { host = "" }, url = "" }: IncomingMessage, token: string): string | null {
  // A page of another site whose name is made to mean 127.0.0.1 says its own name. The port is another one behind `ssh -L`.
  const isLocal = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/i.test(host);
  const [given, expected] = [Buffer.from(url.slice(1, token.length + 1)), Buffer.from(token)];
  const isKnown = given.length === expected.length && timingSafeEqual(given, expected);
  return method === "GET" && isLocal && isKnown ? url.slice(token.length + 1) : null;
}

/** Sends what changes to all pages that are open, as server-sent events. */
class ChangeStream {
  readonly #runs: WatchedRuns;
  readonly #readers = new Set<ServerResponse>();
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> | null = null;
  #beaten = 0;
  #isClosed = false;

  constructor(runs: WatchedRuns) {
    this.#runs = runs;
  }

  get hasRoom(): boolean {
    return this.#readers.size < mostReaders;
  }

  async add(response: ServerResponse): Promise<void> {
    response.writeHead(200, { ...headers, "content-type": "text/event-stream", "x-accel-buffering": "no" });
    response.flushHeaders();
    response.on("close", () => this.#remove(response));
    await this.#look();
    if (response.closed || this.#isClosed) return void response.end();
    this.#send(response, "all", this.#runs.all);
    this.#readers.add(response);
    this.#timer ??= setInterval(() => void this.#look(), look_ms);
  }

  close(): void {
    this.#isClosed = true;
    for (const reader of this.#readers) {
      this.#send(reader, "end", {});
      reader.end();
      this.#remove(reader);
    }
  }

  #remove(reader: ServerResponse): void {
    this.#readers.delete(reader);
    if (this.#readers.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  /** One look at a time: a slow disk is not asked again before it has answered. */
  #look(): Promise<void> {
    this.#looking ??= this.#tell().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async #tell(): Promise<void> {
    const changes = await this.#runs.poll();
    const isNews = changes.runs.length > 0 || changes.gone.length > 0;
    const isQuiet = changes.now - this.#beaten > beat_ms;
    if (isNews || isQuiet) this.#beaten = changes.now;
    for (const reader of this.#readers) {
      if (isNews) this.#send(reader, "changes", changes);
      else if (isQuiet) reader.write(":\n\n");
      // It comes back, and gets everything anew.
      if (reader.writableLength > mostUnread_bytes) reader.destroy();
    }
  }

  #send(reader: ServerResponse, event: string, data: object): void {
    reader.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }
}
