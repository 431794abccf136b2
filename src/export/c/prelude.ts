import type { Width } from "./emit.ts";

/** Functions of one number, without branches, so that compilers make vectors of them. */
const maths = `/* Bits of a float, and back. */
static inline uint32_t sg_bits(float x)
{
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static inline float sg_float(uint32_t bits)
{
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* e^x, to 1 unit in the last place; 0 below -87.3, infinite above 88.3. */
static inline float sg_exp(float x)
{
  const float low = (x < -87.3f) ? -87.3f : x;
  const float inside = (low > 88.3f) ? 88.3f : low;
  const float shifted = inside * 0x1.715476p+0f + 0x1.8p+23f; /* rounds to the nearest integer */
  const float n = shifted - 0x1.8p+23f;
  const float r = (inside - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;
  float p = 0x1.694p-10f;
  p = p * r + 0x1.125edcp-7f;
  p = p * r + 0x1.555b5ap-5f;
  p = p * r + 0x1.55545p-3f;
  p = p * r + 0x1.fffff6p-2f;
  p = p * r * r + r + 1.0f;
  const float y = p * sg_float((sg_bits(shifted) << 23) + 0x3f800000u);
  const float above = (x > 88.3f) ? INFINITY : y;
  return (x < -87.3f) ? 0.0f : above;
}

/* ln x, to 1 unit in the last place; -infinite at 0, NaN below. */
static inline float sg_log(float x)
{
  const int tiny = x < 0x1p-126f;
  const float normal = tiny ? x * 0x1p+23f : x;
  const uint32_t bits = sg_bits(normal) + (0x3f800000u - 0x3f3504f3u);
  const float n = (float)((int32_t)(bits >> 23) - 127) - (tiny ? 23.0f : 0.0f);
  const float f = sg_float((bits & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
  const float s = f / (2.0f + f);
  const float z = s * s;
  const float w = z * z;
  const float even = w * (0x1.999c26p-2f + w * 0x1.f13c4cp-3f);
  const float odd = z * (0x1.555554p-1f + w * 0x1.23d3dcp-2f);
  const float half = 0.5f * f * f;
  const float y = s * (half + even + odd) + n * 0x1.2fefa2p-17f - half + f + n * 0x1.62e3p-1f;
  const float finite = (x > 0x1.fffffep+127f) ? x : y;
  const float positive = (x > 0.0f) ? finite : NAN;
  return (x == 0.0f) ? -INFINITY : positive;
}

/* To 1e-7, absolute. */
static inline float sg_sigmoid(float x)
{
  return 1.0f / (1.0f + sg_exp(-x));
}

/* To 1.8e-7, absolute. */
static inline float sg_tanh(float x)
{
  return 1.0f - 2.0f / (1.0f + sg_exp(2.0f * x));
}

/* ln(1 + e^x), to 1.3e-7 of the larger of 1 and the value. */
static inline float sg_softplus(float x)
{
  const float positive = (x < 0.0f) ? 0.0f : x;
  return positive + sg_log(1.0f + sg_exp(-fabsf(x)));
}

/* To 7e-8, absolute. */
static inline float sg_erf(float x)
{
  const float size = fabsf(x);
  const float t = (size > 4.0f) ? 4.0f : size;
  const float s = x * x;
  float far = -0x1.22p-16f * t + 0x1.91cfb2p-12f;
  far = far * (t * t) + (-0x1.fd1438p-9f * t + 0x1.8d6342p-6f);
  far = far * t - 0x1.b55cb8p-4f;
  far = far * t - 0x1.450aap-1f;
  far = far * t - 0x1.079d0cp-3f;
  far = far * t - t;
  far = 1.0f - sg_exp(far);
  far = (x < 0.0f) ? -far : far;
  float near = -0x1.38ep-11f;
  near = near * s + 0x1.471a58p-8f;
  near = near * s - 0x1.b691b2p-6f;
  near = near * s + 0x1.ce1c44p-4f;
  near = near * s - 0x1.8127p-2f;
  near = near * s + 0x1.06eba8p-3f;
  near = near * x + x;
  return (size > 0.927734375f) ? far : near;
}
`;

/** Those functions that the text of a program calls, and those that they call. */
export function mathsOf(program: string): string {
  const blocks = maths.split(/\n\n/);
  const kept: string[] = [];
  let calls = program;
  for (const block of blocks.toReversed()) {
    const name = /sg_\w+(?=\()/.exec(block)![0];
    if (!calls.includes(`${name}(`)) continue;
    kept.unshift(block.trim());
    calls += block;
  }
  return kept.join("\n\n");
}

/** Sums over entries, for blocks of cells or one. `used`: the names that the program calls. */
export function kernels({ word, cells }: Width, used: ReadonlySet<string>): string {
  const reduction = (name: string, start: string, step: string, end = "acc[b]"): [string, string] => [
    name,
    `static void sg_${name}_${word}(int outer, int inner, const float *restrict x, float *restrict y)
{
  for (int i = 0; i < outer; i++) {
    float acc[${cells}];
    for (int b = 0; b < ${cells}; b++) acc[b] = ${start};
    for (int k = ${name === "max" || name === "min" ? 1 : 0}; k < inner; k++) {
      for (int b = 0; b < ${cells}; b++) {
        const float v = x[(i * inner + k) * ${cells} + b];
        acc[b] = ${step};
      }
    }
    for (int b = 0; b < ${cells}; b++) y[i * ${cells} + b] = ${end};
  }
}
`,
  ];
  const first = `x[i * inner * ${cells} + b]`;
  const all: [string, string][] = [
    ["dense", word === "one" ? denseOfOne : denseOfBlock],
    ["product", productOf(word, cells)],
    reduction("sum", "0.0f", "acc[b] + v"),
    reduction("mean", "0.0f", "acc[b] + v", "acc[b] / (float)inner"),
    reduction("max", first, "(acc[b] < v) ? v : acc[b]"),
    reduction("min", first, "(acc[b] > v) ? v : acc[b]"),
  ];
  return all
    .filter(([name]) => used.has(name))
    .map(([, text]) => text)
    .join("\n");
}

/** Outputs that the block's product keeps in registers. */
const denseOfBlock = `/* y[j] = start + sum of x[k] w[k][j], for SG_BLOCK cells, SG_ROWS outputs at once; w lies in panels [inner][16]. */
static void sg_dense_block(const float *restrict w, const float *restrict bias, const float *restrict add, int inner,
                           int columns, const float *restrict x, float *restrict y)
{
  for (int j = 0; j < columns; j += SG_ROWS) {
    const float *restrict p = w + (j / 16) * inner * 16 + j % 16;
    float acc[SG_ROWS][SG_BLOCK];
    for (int r = 0; r < SG_ROWS; r++) {
      for (int b = 0; b < SG_BLOCK; b++) acc[r][b] = bias[j + r];
    }
    for (int k = 0; k < inner; k++) {
      for (int r = 0; r < SG_ROWS; r++) {
        for (int b = 0; b < SG_BLOCK; b++) acc[r][b] += p[k * 16 + r] * x[k * SG_BLOCK + b];
      }
    }
    for (int r = 0; r < SG_ROWS; r++) {
      if (j + r < columns) {
        for (int b = 0; b < SG_BLOCK; b++) y[(j + r) * SG_BLOCK + b] = acc[r][b];
      }
    }
  }
  if (add != NULL) {
    for (int i = 0; i < columns * SG_BLOCK; i++) y[i] += add[i];
  }
}
`;

const denseOfOne = `/* The same for one cell: four panels at once. */
static void sg_dense_one(const float *restrict w, const float *restrict bias, const float *restrict add, int inner,
                         int columns, const float *restrict x, float *restrict y)
{
  int j = 0;
  for (; j + 48 < columns; j += 64) {
    const float *restrict p = w + j * inner;
    float acc[4][16];
    for (int q = 0; q < 4; q++) {
      for (int l = 0; l < 16; l++) acc[q][l] = bias[j + 16 * q + l];
    }
    for (int k = 0; k < inner; k++) {
      for (int q = 0; q < 4; q++) {
        for (int l = 0; l < 16; l++) acc[q][l] += x[k] * p[(q * inner + k) * 16 + l];
      }
    }
    for (int q = 0; q < 4; q++) {
      for (int l = 0; l < 16; l++) {
        if (j + 16 * q + l < columns) y[j + 16 * q + l] = acc[q][l];
      }
    }
  }
  for (; j < columns; j += 16) {
    const float *restrict p = w + j * inner;
    float acc[16];
    for (int l = 0; l < 16; l++) acc[l] = bias[j + l];
    for (int k = 0; k < inner; k++) {
      for (int l = 0; l < 16; l++) acc[l] += x[k] * p[k * 16 + l];
    }
    for (int l = 0; l < 16; l++) {
      if (j + l < columns) y[j + l] = acc[l];
    }
  }
  if (add != NULL) {
    for (int i = 0; i < columns; i++) y[i] += add[i];
  }
}
`;

function productOf(word: string, cells: string): string {
  return `static void sg_product_${word}(int rows, int inner, int columns, const float *restrict a, const float *restrict c, float *restrict y)
{
  for (int i = 0; i < rows; i++) {
    for (int j = 0; j < columns; j++) {
      float acc[${cells}];
      for (int b = 0; b < ${cells}; b++) acc[b] = 0.0f;
      for (int k = 0; k < inner; k++) {
        for (int b = 0; b < ${cells}; b++) acc[b] += a[(i * inner + k) * ${cells} + b] * c[(k * columns + j) * ${cells} + b];
      }
      for (int b = 0; b < ${cells}; b++) y[(i * columns + j) * ${cells} + b] = acc[b];
    }
  }
}
`;
}
