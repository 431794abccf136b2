import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { serve } from "../../../src/commands/watching/serve.ts";
import { watchPage } from "../../../src/commands/watching/watch-page.ts";
import { WatchedRuns } from "../../../src/commands/watching/watched-runs.ts";
import { chromiumPath } from "../../helpers/chromium.ts";
import { temporaryFolder } from "../buffers.ts";
import { endRun, epochTo, logTo, writeRun } from "./run-files.ts";

const hostile = `<img src=x onerror="document.title='hacked'">`;

describe.skipIf(chromiumPath === undefined)("the watched runs in a real browser", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: chromiumPath!, args: ["--no-sandbox"] });
  });
  afterAll(() => browser?.close());

  /** What goes wrong on the page, or is asked of other hosts, is in `complaints`. */
  async function open(folder: string, options: Parameters<Browser["newPage"]>[0] = {}) {
    const served = await serve(new WatchedRuns(() => [folder], folder, Date.now), watchPage(hostile), 0);
    onTestFinished(() => served.close());
    const page = await browser.newPage({ viewport: { width: 1400, height: 900 }, ...options });
    onTestFinished(() => page.close());
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("request", (request) => {
      if (!request.url().startsWith(served.url) && !request.url().startsWith("data:")) complaints.push(request.url());
    });
    await page.goto(served.url);
    return { page, served, complaints };
  }

  /** The rows that are shown, a text a cell. */
  const rowsOf = (page: Page): Promise<string[][]> =>
    page
      .locator("#runs tbody tr:visible")
      .evaluateAll((rows) =>
        rows.map((row) => [...(row as HTMLTableRowElement).cells].map((cell) => cell.textContent ?? "")),
      );
  const lines = (page: Page) => page.locator('[data-chart="2"] path');

  it("waits for the first run, follows it live, and says how it ends", async () => {
    const folder = temporaryFolder();
    const { page, served, complaints } = await open(folder);
    await page.getByText("No run is there yet").waitFor();
    const run = join(folder, "10-15-00-train-emulator");
    writeRun(run, { overrides: [hostile] });
    await page.getByText("no epoch has ended yet").first().waitFor();
    logTo(run, hostile);
    epochTo(run, 0);
    // Of one point: it has no size.
    await lines(page).waitFor({ state: "attached" });
    epochTo(run, 1);
    await page.getByText("2/10").waitFor();
    expect(await lines(page).getAttribute("d")).toMatch(/^M[\d.]+,[\d.]+L[\d.]+,[\d.]+$/);
    const [row] = await rowsOf(page);
    expect(row).toEqual([
      "10-15-00-train-emulator",
      "running",
      "2/10",
      "0.5",
      "0.25 dex",
      "0.25 dex",
      "1201 windows",
      expect.stringMatching(/^00:1\d$/),
      "",
    ]);
    expect(await page.locator("#log").textContent()).toContain(hostile);
    expect(await page.locator("#settings").textContent()).toBe(`train-emulator ${hostile}`);
    expect(await page.locator("h1").textContent()).toBe(`Runs below ${hostile}`);
    // A point is told where it is pointed at.
    await page.locator('[data-chart="2"]').focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    expect(await page.locator(".tip div").allTextContents()).toEqual([
      "10-15-00-train-emulator",
      "epoch 2, 00:04",
      "validation error (dex): 0.25",
    ]);
    endRun(run, "completed");
    await page.getByText("1 ended").waitFor();
    expect((await rowsOf(page))[0]!.slice(1, 3)).toEqual(["ended", "2/10"]);
    await served.close();
    await page.getByText("astrochem watch has ended").waitFor();
    expect(await page.title()).not.toBe("hacked");
    expect([await page.locator("img").count(), complaints]).toEqual([0, []]);
  });

  const cases = (["light", "dark"] as const).flatMap((scheme) => [390, 1400].map((width) => [scheme, width] as const));
  it.each(cases)(
    "60 runs, %s, %i pixels wide: all of it readable, in order, and to be found",
    async (scheme, width) => {
      const folder = temporaryFolder();
      for (let k = 0; k < 60; k++) {
        const run = join(folder, String(k));
        writeRun(run, { overrides: ["model=emulator", `seed=${k % 8}`, `model.lr=${k % 2 ? 1e-3 : 1e-4}`] });
        for (let epoch = 0; epoch < 10; epoch++) {
          const dex = 0.02 + k / 100 / (epoch + 1);
          epochTo(run, epoch, { dex, metric: dex });
        }
        endRun(run, k === 3 ? "failed" : "completed");
      }
      const { page, complaints } = await open(folder, { colorScheme: scheme, viewport: { width, height: 900 } });
      await page.getByText("59 ended, 1 failed").waitFor();
      const rows = await rowsOf(page);
      expect(rows.map(([name]) => name)).toEqual(Array.from({ length: 60 }, (_, k) => String(k)));
      // What all have is not repeated.
      expect(rows[1]!.at(-1)).toBe("seed=1 model.lr=0.001");
      expect(await lines(page).count()).toBe(60);
      const seen = await page.evaluate(() => {
        const isCut = (element: Element): boolean => element.scrollWidth > element.clientWidth;
        return {
          isWide: isCut(document.documentElement),
          cutTexts: [...document.querySelectorAll(".plot svg text")]
            .filter((text) => {
              const [own, all] = [text.getBoundingClientRect(), text.closest("svg")!.getBoundingClientRect()];
              return own.left < all.left || own.right > all.right;
            })
            .map((text) => text.textContent),
          labels: [...document.querySelectorAll(".plot svg")].map((svg) => svg.querySelectorAll("text").length),
        };
      });
      expect(seen).toMatchObject({ isWide: false, cutTexts: [] });
      expect(Math.min(...seen.labels)).toBeGreaterThanOrEqual(4);

      await page.locator("#filter").fill("seed=3");
      await expect.poll(() => lines(page).count()).toBe(8);
      expect((await rowsOf(page)).every((row) => row.at(-1)!.includes("seed=3"))).toBe(true);
      await page.getByRole("button", { name: "11", exact: true }).press("Enter");
      await page.getByText("Log of 11").waitFor();
      expect(await page.locator('[data-chart="2"] path[stroke="var(--ink)"]').getAttribute("data-run")).toBe("11");
      await page.locator("#filter").fill("failed");
      await expect.poll(() => rowsOf(page).then((all) => all.map(([name]) => name))).toEqual(["3"]);
      await page.locator("#filter").fill("");
      await page.getByRole("button", { name: "validation error" }).click();
      await expect.poll(async () => (await rowsOf(page))[0]![0]).toBe("59");
      expect(complaints).toEqual([]);
    },
  );

  it("keeps trainings of another kind apart", async () => {
    const folder = temporaryFolder();
    for (const [name, command] of [
      ["10-00-00-a", "train-autoencoder"],
      ["11-00-00-b", "train-emulator"],
    ] as const) {
      writeRun(join(folder, name), { command });
      for (const epoch of [0, 1]) epochTo(join(folder, name), epoch);
    }
    writeRun(join(folder, "12-00-00-c"), { command: "evaluate" });
    const { page } = await open(folder);
    await page.getByText("3 running").waitFor();
    expect((await rowsOf(page)).map(([name]) => name)).toEqual(["12-00-00-c", "11-00-00-b", "10-00-00-a"]);
    await expect
      .poll(() => lines(page).evaluateAll((all) => all.map((line) => line.getAttribute("data-run"))))
      .toEqual(["11-00-00-b"]);
    await page.locator("#kind").selectOption("train-autoencoder");
    await expect.poll(() => lines(page).getAttribute("data-run")).toBe("10-00-00-a");
    await page.locator("#axis").selectOption("minutes");
    await page.getByText("minutes of training").first().waitFor();
  });
});
