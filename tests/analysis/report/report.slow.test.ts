import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeReport } from "../../../src/analysis/report/write-report.ts";
import { testFolder } from "../../helpers/folder.ts";
import { evaluationFixture } from "../figures/evaluation-fixture.ts";

const browsers = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge"];
const path = (process.env.PATH ?? "").split(":").flatMap((folder) => browsers.map((name) => join(folder, name)));
const executablePath = process.env.CHROMIUM_PATH ?? path.find((file) => existsSync(file));
if (executablePath === undefined) process.stderr.write("skipped: no Chromium on the PATH, nor in CHROMIUM_PATH\n");

const folder = testFolder();

describe.skipIf(executablePath === undefined)("the report in a real browser", () => {
  let browser: Browser;
  let figures: number;

  beforeAll(async () => {
    const { metrics, samples } = evaluationFixture();
    const written = await writeReport(folder, metrics, samples);
    figures = readdirSync(written.figures).filter((name) => name.endsWith(".svg")).length;
    browser = await chromium.launch({ executablePath: executablePath!, args: ["--no-sandbox"] });
  });
  afterAll(() => browser?.close());

  const cases = (["light", "dark"] as const).flatMap((scheme) => [375, 1400].map((width) => [scheme, width] as const));
  it.each(cases)("%s, %i pixels wide: no error, every figure there, nothing beside the page", async (scheme, width) => {
    const page = await browser.newPage({ colorScheme: scheme, viewport: { width, height: 900 } });
    const complaints: string[] = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.goto(pathToFileURL(join(folder, "report.html")).href);
    expect(await page.locator("figure svg").count()).toBe(figures);
    for (const svg of await page.locator("figure svg").all()) {
      const box = await svg.boundingBox();
      expect(box!.width).toBeGreaterThan(200);
      expect(box!.height).toBeGreaterThan(80);
    }
    const [scroll, client] = await page.evaluate(() => [
      document.documentElement.scrollWidth,
      document.documentElement.clientWidth,
    ]);
    expect(scroll).toBe(client);
    // A figure is whole on a phone too, not a part to be scrolled.
    const cut = await page
      .locator(".plot")
      .evaluateAll((all) => all.filter((plot) => plot.scrollWidth > plot.clientWidth).length);
    expect(cut).toBe(0);
    // The drawings' ink follows the page's: readable on its surface.
    const [ink, surface] = await page.evaluate(() => [
      getComputedStyle(document.querySelector("figure svg text[fill='var(--ink)']")!).fill,
      getComputedStyle(document.querySelector("figure")!).backgroundColor,
    ]);
    expect(contrast(ink!, surface!)).toBeGreaterThan(7);
    expect(complaints).toEqual([]);
    expect(asked.filter((url) => !url.startsWith("file:") && !url.startsWith("data:"))).toEqual([]);
    await page.close();
  });

  it("sorts the species by a heading", async () => {
    const page = await browser.newPage();
    await page.goto(pathToFileURL(join(folder, "report.html")).href);
    const first = () => page.locator("table[data-sortable] tbody tr td:first-child").first().textContent();
    const names = await page.locator("table[data-sortable] tbody tr td:first-child").allTextContents();
    await page.getByRole("button", { name: "species" }).click();
    expect(await first()).toBe(names.toSorted((a, b) => b.localeCompare(a))[0]);
    await page.getByRole("button", { name: "species" }).click();
    expect(await first()).toBe(names.toSorted((a, b) => a.localeCompare(b))[0]);
    await page.close();
  });
});

/** Contrast of two colours `rgb(r, g, b)` by WCAG 2. */
function contrast(one: string, other: string): number {
  const luminance = (colour: string): number => {
    const [r, g, b] = [...colour.matchAll(/\d+/g)].map(([value]) => {
      const c = Number(value) / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
  };
  const [a, b] = [luminance(one), luminance(other)].sort((x, y) => y - x);
  return (a! + 0.05) / (b! + 0.05);
}
