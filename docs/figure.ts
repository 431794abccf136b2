/**
 * Draws the README's figure from what `npm run demo` left: one validation tracer, solver against surrogate.
 * Run: npx tsx docs/figure.ts [outputs/demo] [docs/figure.svg]
 */
import { join } from "node:path";
import { tracerPlaces } from "../src/analysis/tracer-blocks.ts";
import { openFrame } from "../src/data/frame.ts";
import { writeFileAtomic } from "../src/formats/atomic-file.ts";
import { Inference } from "../src/inference/inference.ts";

const [folder = "outputs/demo", output = "docs/figure.svg"] = process.argv.slice(2);
const chosen = ["CO", "H2O", "HCO+", "#H2O", "#CO", "@CH4O"];
// Okabe and Ito's palette, told apart by the colour-blind.
const colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"];
const [width, height, left, right, top, bottom] = [820, 400, 64, 90, 44, 48];
const [lowest, highest] = [-14, -3];

const surrogate = await Inference.load({
  autoencoder: join(folder, "weights/sample/autoencoder.safetensors"),
  emulator: join(folder, "weights/sample/emulator.safetensors"),
});
const frame = await openFrame(join(folder, "data/sample_collapse_clean.h5"), "val");
const { rows } = tracerPlaces(frame)[0]!;
const parameters = surrogate.physicalParameters.map(({ name }) => name);
const time = new Float64Array(rows);
const physical = new Float32Array(rows * parameters.length);
const abundances = new Float32Array(rows * surrogate.species.length);
frame.read(0, rows, ["Time"], time);
frame.read(0, rows, parameters, physical);
frame.read(0, rows, surrogate.species, abundances);
frame.close();
const { data: emulated } = await surrogate.emulate(
  { data: physical.subarray(0, (rows - 1) * parameters.length), shape: [1, rows - 1, parameters.length] },
  { data: abundances.subarray(0, surrogate.species.length), shape: [1, surrogate.species.length] },
);
await surrogate.dispose();

const x = (yr: number): number => left + (yr / time.at(-1)!) * (width - left - right);
const y = (log: number): number => {
  const inside = Math.min(Math.max(log, lowest), highest);
  return top + ((highest - inside) / (highest - lowest)) * (height - top - bottom);
};

/** A line of log10 abundance from row `first` on. */
function line(values: Float32Array, species: number, first: number, style: string): string {
  const points = Array.from({ length: values.length / surrogate.species.length }, (_, row) => {
    const value = Math.log10(values[row * surrogate.species.length + species]!);
    return `${x(time[row + first]!).toFixed(1)},${y(value).toFixed(1)}`;
  });
  return `<polyline fill="none" points="${points.join(" ")}" ${style}/>`;
}

const text = (at: [number, number], words: string, extra = ""): string =>
  `<text x="${at[0]}" y="${at[1]}" ${extra}>${words}</text>`;
const parts: string[] = [];
for (let log = lowest; log <= highest; log += 2) {
  parts.push(`<line x1="${left}" x2="${width - right}" y1="${y(log)}" y2="${y(log)}" stroke="#ddd"/>`);
  parts.push(text([left - 8, y(log) + 4], `10<tspan dy="-5" font-size="9">${log}</tspan>`, 'text-anchor="end"'));
}
for (let kyr = 0; kyr <= 25; kyr += 5) {
  parts.push(text([x(kyr * 1000), height - bottom + 20], String(kyr), 'text-anchor="middle"'));
}
const labels = chosen.map((name, k) => {
  const s = surrogate.species.indexOf(name);
  const stroke = `stroke="${colours[k]}" stroke-width="2"`;
  parts.push(
    line(abundances, s, 0, `${stroke} opacity="0.45"`),
    line(emulated, s, 1, `${stroke} stroke-dasharray="5 4"`),
  );
  return { name, colour: colours[k]!, at: y(Math.log10(abundances.at(-surrogate.species.length + s)!)) };
});
// Labels that would overlap are moved apart.
labels.sort((a, b) => a.at - b.at);
for (const [k, label] of labels.entries()) {
  label.at = Math.max(label.at, k > 0 ? labels[k - 1]!.at + 15 : 0);
  parts.push(text([width - right + 8, label.at + 4], label.name, `fill="${label.colour}" font-weight="bold"`));
}
parts.push(
  text(
    [left, 22],
    "One validation tracer of the sample: solver (solid) and surrogate (dashed), after the demo",
    'font-size="14"',
  ),
  text([(left + width - right) / 2, height - 8], "time (kyr)", 'text-anchor="middle"'),
  text(
    [16, height / 2],
    "abundance relative to H nuclei",
    `text-anchor="middle" transform="rotate(-90 16 ${height / 2})"`,
  ),
);
writeFileAtomic(
  output,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#222" role="img" aria-label="Abundances of six species along one validation tracer: solver and surrogate">
<title>Abundances of six species along one validation tracer: solver and surrogate</title>
<rect width="${width}" height="${height}" fill="#fff"/>
${parts.join("\n")}
</svg>
`,
);
