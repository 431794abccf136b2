import { readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compareRuns } from "../../../src/analysis/compare.ts";
import type { Metrics } from "../../../src/analysis/evaluation-types.ts";
import { writeComparison, writeReport } from "../../../src/analysis/report/write-report.ts";
import { chromiumPath } from "../../helpers/chromium.ts";
import { testFolder } from "../../helpers/folder.ts";
import { type EvaluationFixture, evaluationFixture } from "../figures/evaluation-fixture.ts";

const folder = testFolder();
const hostile = `<img src=x onerror="document.title='hacked'">`;

/** The fixture, a species of it with a name that would run, and curves of all species: those of species s fall from −s − 1 by 0.1 a row. */
function withCurves(): EvaluationFixture {
  const text = JSON.stringify(evaluationFixture()).replaceAll('"CH4"', JSON.stringify(hostile));
  const { metrics, samples } = JSON.parse(text) as EvaluationFixture;
  const tracers = samples.tracers.map((tracer) => {
    const rows = [...tracer.times_yr.keys()];
    const actual = metrics.species.map((_, s) => rows.map((row) => Math.round((-s - 1 - row / 10) * 100) / 100));
    const predicted = actual.map((values) => values.map((value) => Math.round((value - 0.2) * 100) / 100));
    return { ...tracer, curves: { rows, actual, predicted } };
  });
  return { metrics, samples: { ...samples, tracers } };
}

/** The same evaluation under long names, of other errors, with bins of a condition. */
function runs(metrics: Metrics) {
  const conditions = [{ name: "gasTemp", edges_log10: [1, 2, 3], rows: [5, 5], mean_dex: [0.1, 0.2] }];
  const { emulation } = metrics.failure_maps;
  return ["autoencoder-of-64-latents-and-a-long-name/emulator", hostile, "third"].map((name, r) => ({
    name,
    metrics: {
      ...metrics,
      failure_maps: { ...metrics.failure_maps, emulation: { ...emulation!, conditions } },
      tracers: metrics.tracers.map((tracer) => ({
        ...tracer,
        errors: { ...tracer.errors, emulation: [tracer.errors.emulation![0] * (1 + r / 10), 1] as const },
      })),
    },
  }));
}

describe.skipIf(chromiumPath === undefined)("the pages in a real browser", () => {
  let browser: Browser;
  let figures: number;
  const { metrics, samples } = withCurves();

  beforeAll(async () => {
    const written = await writeReport(folder, metrics, samples);
    const compared = runs(metrics);
    await writeComparison(folder, compareRuns(compared, { resamples: 50, seed: 0 }), compared);
    figures = readdirSync(written.figures).filter((name) => name.endsWith(".svg")).length;
    browser = await chromium.launch({ executablePath: chromiumPath!, args: ["--no-sandbox"] });
  });
  afterAll(() => browser?.close());

  async function open(file: string, options: BrowserContextOptions = {}): Promise<Page> {
    const page = await browser.newPage({ viewport: { width: 1400, height: 900 }, ...options });
    await page.goto(pathToFileURL(join(folder, file)).href);
    return page;
  }

  const cases = ["report.html", "compare.html"].flatMap((file) =>
    (["light", "dark"] as const).flatMap((scheme) => [390, 1400].map((width) => [file, scheme, width] as const)),
  );
  it.each(cases)(
    "%s, %s, %i pixels wide: no error, nothing asked for, all of it readable",
    async (file, scheme, width) => {
      const page = await browser.newPage({ colorScheme: scheme, viewport: { width, height: 900 } });
      const [complaints, asked]: [string[], string[]] = [[], []];
      page.on("console", (message) => {
        if (["error", "warning"].includes(message.type())) complaints.push(message.text());
      });
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("request", (request) => asked.push(request.url()));
      await page.goto(pathToFileURL(join(folder, file)).href);
      expect(await page.locator("figure svg").count()).toBe(file === "report.html" ? figures : 5);
      const seen = await page.evaluate(() => {
        const sizeOf = (text: Element): number => {
          const svg = text.closest("svg");
          const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
          return Number.parseFloat(getComputedStyle(text).fontSize) * scale;
        };
        const isCut = (element: Element): boolean => element.scrollWidth > element.clientWidth;
        const wordy = [...document.querySelectorAll("body *")].filter(
          (each) =>
            each.checkVisibility() &&
            [...each.childNodes].some((node) => node.nodeType === 3 && node.nodeValue!.trim()),
        );
        return {
          isWide: isCut(document.documentElement),
          cutFigures: [...document.querySelectorAll(".plot")].filter(isCut).length,
          cutTables: [...document.querySelectorAll(".scroll:not(.long)")].filter(isCut).length,
          letters: [...document.querySelectorAll(".plot svg text")].map(sizeOf),
          cutTexts: [...document.querySelectorAll(".plot svg text")]
            .filter((text) => {
              const [own, all] = [text.getBoundingClientRect(), text.closest("svg")!.getBoundingClientRect()];
              return own.left < all.left - 8 || own.right > all.right + 8;
            })
            .map((text) => `${text.closest("figure")?.id}: ${text.textContent}`),
          least: Math.min(...wordy.map(sizeOf)),
          ink: getComputedStyle(document.querySelector("figure svg text[fill='var(--ink)']")!).fill,
          surface: getComputedStyle(document.querySelector("figure")!).backgroundColor,
          title: document.title,
          images: document.images.length,
        };
      });
      expect(seen).toMatchObject({ isWide: false, cutFigures: 0, cutTables: 0, cutTexts: [], images: 0 });
      expect(seen.title).not.toBe("hacked");
      expect(seen.least).toBeGreaterThanOrEqual(11);
      // The script's own drawing is not scaled: its letters are 14 px, the others' near it.
      const drawn = seen.letters.filter((size) => size !== 14);
      expect(Math.max(...drawn) - Math.min(...drawn)).toBeLessThan(0.3);
      // The drawings' ink follows the page's: readable on its surface.
      expect(contrast(seen.ink, seen.surface)).toBeGreaterThan(7);
      expect(complaints).toEqual([]);
      expect(asked.filter((url) => !url.startsWith("file:") && !url.startsWith("data:"))).toEqual([]);
      await page.close();
    },
  );

  it("tells the values of a line where it is pointed at", async () => {
    const page = await open("report.html");
    const svg = page.locator("#figure-error-time-emulation svg");
    await svg.scrollIntoViewIfNeeded();
    // The fifth point of the surrogate's line.
    const place = await svg
      .locator(".mark-line path")
      .first()
      .evaluate((line) => {
        const [x, y] = line.getAttribute("d")!.slice(1).split("L")[4]!.split(",").map(Number);
        const { x: left, y: top } = new DOMPoint(x, y).matrixTransform((line as SVGPathElement).getScreenCTM()!);
        return [left, top] as const;
      });
    await page.mouse.move(...place);
    const lines = await page.locator(".tip div").allTextContents();
    const { time_yr, dex } = metrics.predictions.emulation!.steps[4]!;
    expect(Number(lines[0]!.split(": ")[1])).toBeCloseTo(time_yr / 1000, 2);
    expect(Number(lines[1]!.split(": ")[1]) / dex.mean).toBeCloseTo(1, 2);
    expect(lines[1]).toMatch(/^error \(dex\): /);
    expect(lines[2]).toBe("kind: surrogate, whole trajectory");
    await page.mouse.move(2, 2);
    expect(await page.locator(".tip").isVisible()).toBe(false);
    await page.close();
  });

  it("steps through values by the arrow keys", async () => {
    const page = await open("report.html");
    await page.locator("#figure-worst-species-emulation svg").focus();
    const worst = metrics.predictions.emulation!.species.toSorted((a, b) => b.all.dex.mean - a.all.dex.mean);
    for (const [key, at] of [
      ["ArrowRight", 0],
      ["ArrowRight", 1],
      ["ArrowDown", 2],
      ["ArrowUp", 1],
      ["ArrowLeft", 0],
    ] as const) {
      await page.keyboard.press(key);
      expect(await page.locator(".tip").innerText()).toContain(worst[at]!.species);
    }
    await page.keyboard.press("Escape");
    expect(await page.locator(".tip").isVisible()).toBe(false);
    await page.close();
  });

  it("draws the curves of the species that are asked for, by the keyboard alone", async () => {
    const page = await open("report.html");
    const curves = page.locator("[data-curves] svg path");
    const chips = page.locator(".chips button");
    expect(await curves.count()).toBe(2 * (await chips.count()));
    while ((await chips.count()) > 0) await chips.first().press("Enter");
    await page.getByLabel("species", { exact: true }).fill(hostile);
    await page.keyboard.press("Enter");
    expect(await chips.allTextContents()).toEqual([`${hostile} ×`]);
    await page.getByLabel("species", { exact: true }).fill("hcO+");
    await page.keyboard.press("Enter");
    expect(await chips.allTextContents()).toEqual([`${hostile} ×`, "HCO+ ×"]);
    expect(await curves.count()).toBe(4);
    await page.getByLabel("species", { exact: true }).fill("XYZ");
    await page.keyboard.press("Enter");
    expect(await page.locator("[data-curves] output").textContent()).toBe("no species XYZ");
    await page.locator("[data-curves] svg").focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    const s = metrics.species.findIndex(({ name }) => name === hostile);
    const time = Number((samples.tracers[0]!.times_yr[1]! / 1000).toPrecision(3));
    expect(await page.locator(".tip div").allTextContents()).toEqual([
      `${hostile}, actual`,
      `time: ${time} kyr`,
      `abundance: ${(10 ** (-s - 1.1)).toExponential(2)}`,
    ]);
    await page.locator("[data-curves] select").selectOption({ index: 1 });
    await page.getByLabel("logarithmic time").press("Space");
    expect(await curves.count()).toBe(4);
    for (const curve of await curves.all()) expect(await curve.getAttribute("d")).not.toMatch(/NaN|Infinity/);
    expect(await page.title()).not.toBe("hacked");
    await page.close();
  });

  it("sorts the species by a heading, and finds them by a part of their names", async () => {
    const page = await open("report.html");
    const cells = page.locator("#species tbody tr:visible td:first-child");
    const names = await cells.allTextContents();
    const heading = page.locator("#species").getByRole("button", { name: "species" });
    await heading.press("Enter");
    expect(await cells.first().textContent()).toBe(names.toSorted((a, b) => b.localeCompare(a))[0]);
    await heading.press("Enter");
    expect(await cells.first().textContent()).toBe(names.toSorted((a, b) => a.localeCompare(b))[0]);
    await page.getByRole("searchbox").fill("h2o");
    expect((await cells.allTextContents()).toSorted()).toEqual(["#H2O", "@H2O", "H2O"]);
    expect(await page.locator("[data-search] output").textContent()).toBe(`3 of ${names.length}`);
    await page.close();
  });

  it("is complete without scripts, but for what they draw", async () => {
    const page = await open("report.html", { javaScriptEnabled: false });
    expect(await page.locator("figure svg").count()).toBe(figures);
    expect(await page.locator("#species tbody tr").count()).toBe(metrics.species.length);
    expect(await page.locator("[data-curves]").isVisible()).toBe(false);
    expect(await page.locator("[data-search]").isVisible()).toBe(false);
    expect(await page.getByText("needs JavaScript").isVisible()).toBe(true);
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
