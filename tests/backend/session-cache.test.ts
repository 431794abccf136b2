import { describe, expect, it } from "vitest";
import { SessionCache } from "../../src/backend/session-cache.ts";

/** Sessions by name, and which of them were released. */
function setting(limit: number) {
  const released: string[] = [];
  const cache = new SessionCache<{ release(): Promise<void> }>(limit);
  const use = (key: string, work: () => Promise<unknown> = async () => {}) =>
    cache.use(key, async () => ({ release: async () => void released.push(key) }), work);
  return { cache, released, use };
}

describe("a cache of sessions", () => {
  it("lets the least recently used go", async () => {
    const { cache, released, use } = setting(2);
    for (const key of ["a", "b", "a", "c"]) await use(key);
    await cache.drop("nothing");
    expect(released).toEqual(["b"]);
  });

  it("releases nothing that is in use, and waits for it", async () => {
    const { cache, released, use } = setting(1);
    let end = (): void => {};
    const running = use("a", () => new Promise<void>((done) => (end = done)));
    await use("b");
    const dropped = cache.drop("").then(() => released.push("all"));
    await new Promise((done) => setTimeout(done, 5));
    expect(released).toEqual(["b"]);
    end();
    await Promise.all([running, dropped]);
    expect(released).toEqual(["b", "a", "all"]);
  });

  it("drops by the beginning of the key", async () => {
    const { cache, released, use } = setting(5);
    for (const key of ["1 x", "1 y", "2 x"]) await use(key);
    await cache.drop("1 ");
    expect(released).toEqual(["1 x", "1 y"]);
  });

  it("makes anew what could not be made, and outlives work that fails", async () => {
    const { cache, released, use } = setting(1);
    const broken = cache.use(
      "a",
      () => Promise.reject(new Error("no memory")),
      async () => {},
    );
    await expect(broken).rejects.toThrow("no memory");
    await expect(use("a", () => Promise.reject(new Error("bad input")))).rejects.toThrow("bad input");
    await cache.drop("");
    expect(released).toEqual(["a"]);
  });
});
