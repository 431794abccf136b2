/** How many cells a function computes at once: a word of its name, and the number as C writes it. */
export interface Width {
  readonly word: string;
  readonly cells: string;
}

export const block: Width = { word: "block", cells: "SG_BLOCK" };
export const one: Width = { word: "one", cells: "1" };
export const widths: readonly Width[] = [block, { word: "narrow", cells: "SG_NARROW" }, one];

/** With 2^n e^r for e^x: n, r, and p of e^r = 1 + r + p r^2. `shifted` has n in its last bits. */
export function expReduced(x: string, indent = "  "): string {
  const lines = [
    `const sg_vector shifted = ${x} * 0x1.715476p+0f + 0x1.8p+23f; /* rounds to the nearest integer */`,
    "const sg_vector n = shifted - 0x1.8p+23f;",
    `const sg_vector r = (${x} - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;`,
    "sg_vector p = SG_ALL(0x1.694p-10f);",
    ...["0x1.125edcp-7f", "0x1.555b5ap-5f", "0x1.55545p-3f", "0x1.fffff6p-2f"].map((term) => `p = p * r + ${term};`),
  ];
  return lines.map((line) => `${indent}${line}`).join("\n");
}

/** Functions of vectors, without branches. */
const maths = `/* Bits of numbers, and back. */
static inline sg_words sg_bits(sg_vector x)
{
  sg_words bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static inline sg_vector sg_float(sg_words bits)
{
  sg_vector x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static inline sg_vector sg_abs(sg_vector x)
{
  return sg_float(sg_bits(x) & 0x7fffffffu);
}

static inline sg_vector sg_sqrt(sg_vector x)
{
  float each[SG_LANES];
  memcpy(each, &x, sizeof each);
  for (int l = 0; l < SG_LANES; l++) each[l] = sqrtf(each[l]);
  memcpy(&x, each, sizeof each);
  return x;
}

static inline sg_vector sg_pow(sg_vector x, sg_vector y)
{
  float each[SG_LANES], power[SG_LANES];
  memcpy(each, &x, sizeof each);
  memcpy(power, &y, sizeof power);
  for (int l = 0; l < SG_LANES; l++) each[l] = powf(each[l], power[l]);
  memcpy(&x, each, sizeof each);
  return x;
}

/* e^x, to 1 unit in the last place; 0 below -87.3, infinite above 88.3. */
static inline sg_vector sg_exp(sg_vector x)
{
  const sg_vector low = SG_PICK(x < -87.3f, SG_ALL(-87.3f), x);
  const sg_vector inside = SG_PICK(low > 88.3f, SG_ALL(88.3f), low);
${expReduced("inside")}
  p = p * r * r + r + 1.0f;
  const sg_vector y = p * sg_float((sg_bits(shifted) << 23) + 0x3f800000u);
  const sg_vector above = SG_PICK(x > 88.3f, SG_ALL(INFINITY), y);
  return SG_PICK(x < -87.3f, SG_ALL(0.0f), above);
}

/* ln x, to 1 unit in the last place; -infinite at 0, NaN below. */
static inline sg_vector sg_log(sg_vector x)
{
  const sg_vector normal = SG_PICK(x < 0x1p-126f, x * 0x1p+23f, x);
  const sg_vector scaled = SG_PICK(x < 0x1p-126f, SG_ALL(23.0f), SG_ALL(0.0f));
  const sg_words bits = sg_bits(normal) + (0x3f800000u - 0x3f3504f3u);
  const sg_vector n = sg_float((bits >> 23) + 0x4b000000u) - (0x1p+23f + 127.0f) - scaled;
  const sg_vector f = sg_float((bits & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
  const sg_vector s = f / (2.0f + f);
  const sg_vector z = s * s;
  const sg_vector w = z * z;
  const sg_vector even = w * (0x1.999c26p-2f + w * 0x1.f13c4cp-3f);
  const sg_vector odd = z * (0x1.555554p-1f + w * 0x1.23d3dcp-2f);
  const sg_vector half = 0.5f * f * f;
  const sg_vector y = s * (half + even + odd) + n * 0x1.2fefa2p-17f - half + f + n * 0x1.62e3p-1f;
  const sg_vector finite = SG_PICK(x > 0x1.fffffep+127f, x, y);
  const sg_vector positive = SG_PICK(x > 0.0f, finite, SG_ALL(NAN));
  return SG_PICK(x == 0.0f, SG_ALL(-INFINITY), positive);
}

/* To 1e-7, absolute. */
static inline sg_vector sg_sigmoid(sg_vector x)
{
  return 1.0f / (1.0f + sg_exp(-x));
}

/* To 1.8e-7, absolute. */
static inline sg_vector sg_tanh(sg_vector x)
{
  return 1.0f - 2.0f / (1.0f + sg_exp(2.0f * x));
}

/* ln(1 + e^x), to 1.3e-7 of the larger of 1 and the value. */
static inline sg_vector sg_softplus(sg_vector x)
{
  const sg_vector positive = SG_PICK(x < 0.0f, SG_ALL(0.0f), x);
  return positive + sg_log(1.0f + sg_exp(-sg_abs(x)));
}

/* To 7e-8, absolute. */
static inline sg_vector sg_erf(sg_vector x)
{
  const sg_vector size = sg_abs(x);
  const sg_vector t = SG_PICK(size > 4.0f, SG_ALL(4.0f), size);
  const sg_vector s = x * x;
  sg_vector far = -0x1.22p-16f * t + 0x1.91cfb2p-12f;
  far = far * (t * t) + (-0x1.fd1438p-9f * t + 0x1.8d6342p-6f);
  far = far * t - 0x1.b55cb8p-4f;
  far = far * t - 0x1.450aap-1f;
  far = far * t - 0x1.079d0cp-3f;
  far = far * t - t;
  far = 1.0f - sg_exp(far);
  far = SG_PICK(x < 0.0f, -far, far);
  sg_vector near = SG_ALL(-0x1.38ep-11f);
  near = near * s + 0x1.471a58p-8f;
  near = near * s - 0x1.b691b2p-6f;
  near = near * s + 0x1.ce1c44p-4f;
  near = near * s - 0x1.8127p-2f;
  near = near * s + 0x1.06eba8p-3f;
  near = near * x + x;
  return SG_PICK(size > 0.927734375f, far, near);
}
`;

export const movers = `/* Rows of cells to [entry][cell] and back; what is left of a block is filled with its last cell. */
static inline void sg_gather(int width, size_t cells, size_t stride, int count, const float *restrict from, float *restrict to)
{
  size_t row[SG_BLOCK];
  for (int b = 0; b < width; b++) row[b] = ((size_t)b < cells ? (size_t)b : cells - 1) * stride;
  for (int k = 0; k < count; k++) {
    /* The rows of the next block: a line of the cache each. */
    for (int b = 0; k % 16 == 0 && b < width; b++) SG_PREFETCH(from + row[b] + (size_t)width * stride + k);
    for (int b = 0; b < width; b++) to[k * width + b] = from[row[b] + (size_t)k];
  }
}

static inline void sg_scatter(int width, size_t cells, size_t stride, int count, const float *restrict from, float *restrict to)
{
  for (int k = 0; k < count; k++) {
    for (size_t b = 0; b < cells; b++) to[b * stride + (size_t)k] = from[(size_t)(k * width) + b];
  }
}`;

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
    ["dense", denseOf[word]!],
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

/** Copies of a line for the first `count` rows, as C's preprocessor takes them. */
const rows = (count: number): string => Array.from({ length: count }, (_, r) => `M(${r})`).join(" ");

/** Vectors, and how the products use the registers. Everything is plain C99 where the compiler does not know GCC's vectors. */
export const vectors = `/* Numbers that the processor handles at once. With -DSG_PLAIN, and compilers that do not know GCC's vectors: one. */
#if !defined(__GNUC__) || defined(SG_PLAIN)
#define SG_LANES 1
typedef float sg_vector;
typedef float sg_loose;
typedef uint32_t sg_words;
#define SG_ALL(x) (x)
#define SG_PICK(test, yes, no) ((test) ? (yes) : (no))
#define SG_PREFETCH(p) (void)0
#define SG_ALIGNED
#else
#if defined(__AVX512F__)
#define SG_LANES 16
#elif defined(__AVX__)
#define SG_LANES 8
#else
#define SG_LANES 4
#endif
typedef float sg_vector __attribute__((vector_size(SG_LANES * 4)));
typedef float sg_loose __attribute__((vector_size(SG_LANES * 4), aligned(4), may_alias));
typedef uint32_t sg_words __attribute__((vector_size(SG_LANES * 4)));
#define SG_ALL(x) ((x) - (sg_vector){0.0f})
#define SG_PREFETCH(p) __builtin_prefetch(p)
/* A vector that lies in two lines of the cache is read twice. */
#define SG_ALIGNED __attribute__((aligned(64)))
#define SG_PICK(test, yes, no) sg_pick((sg_words)(test), yes, no)

static inline sg_vector sg_pick(sg_words test, sg_vector yes, sg_vector no)
{
  return (sg_vector)(((sg_words)yes & test) | ((sg_words)no & ~test));
}
#endif
#define SG_LOAD(p) (*(const sg_loose *)(p))
#define SG_STORE(p, v) (*(sg_loose *)(p) = (v))
/* The vector of \`count\` entries that begins at entry i, where there may be fewer than a vector's; and where one begins that ends with them. */
#define SG_SOME(i, count) ((count) - (i) < SG_LANES ? (count) - (i) : SG_LANES)
#define SG_LAST(i, count) ((i) + SG_LANES <= (count) ? (i) : (count) - SG_LANES)

static inline sg_vector sg_some(const float *p, int count)
{
  sg_vector v = SG_ALL(0.0f);
  memcpy(&v, p, (size_t)count * sizeof(float));
  return v;
}
/* Cells of a block, and of a narrow one. Fewer than SG_FEW are computed one by one. */
#define SG_BLOCK (2 * SG_LANES)
#define SG_NARROW SG_LANES
#define SG_FEW (SG_LANES / 4 + 1)
/* Outputs of a layer whose sums stay in registers. */
#if defined(__AVX512F__) || defined(__aarch64__)
#define SG_ROWS 8
#define SG_EACH_ROW(M) ${rows(8)}
#define SG_NARROW_ROWS 16
#define SG_EACH_NARROW_ROW(M) ${rows(16)}
#else
#define SG_ROWS 4
#define SG_EACH_ROW(M) ${rows(4)}
#define SG_NARROW_ROWS 8
#define SG_EACH_NARROW_ROW(M) ${rows(8)}
#endif`;

const denseOfBlock = `/* y[j] = start + sum of x[k] w[k][j], for SG_BLOCK cells, SG_ROWS outputs at once; w lies in panels [inner][16]. */
static void sg_dense_block(const float *restrict w, const float *restrict bias, const float *restrict add, int inner,
                           int columns, const float *restrict x, float *restrict y)
{
  for (int j = 0; j < columns; j += SG_ROWS) {
    const float *restrict p = w + (j / 16) * inner * 16 + j % 16;
#define M(r) sg_vector a##r = SG_ALL(bias[j + r]), b##r = a##r;
    SG_EACH_ROW(M)
#undef M
    for (int k = 0; k < inner; k++) {
      const sg_vector u = SG_LOAD(x + k * SG_BLOCK), v = SG_LOAD(x + k * SG_BLOCK + SG_LANES);
#define M(r) a##r += p[k * 16 + r] * u; b##r += p[k * 16 + r] * v;
      SG_EACH_ROW(M)
#undef M
    }
#define M(r) if (j + r < columns) { SG_STORE(y + (j + r) * SG_BLOCK, a##r); SG_STORE(y + (j + r) * SG_BLOCK + SG_LANES, b##r); }
    SG_EACH_ROW(M)
#undef M
  }
  if (add != NULL) {
    for (int i = 0; i < columns * SG_BLOCK; i++) y[i] += add[i];
  }
}
`;

const denseOfNarrow = `/* The same for SG_NARROW cells. */
static void sg_dense_narrow(const float *restrict w, const float *restrict bias, const float *restrict add, int inner,
                            int columns, const float *restrict x, float *restrict y)
{
  for (int j = 0; j < columns; j += SG_NARROW_ROWS) {
    const float *restrict p = w + (j / 16) * inner * 16 + j % 16;
#define M(r) sg_vector a##r = SG_ALL(bias[j + r]);
    SG_EACH_NARROW_ROW(M)
#undef M
    for (int k = 0; k < inner; k++) {
      const sg_vector u = SG_LOAD(x + k * SG_NARROW);
#define M(r) a##r += p[k * 16 + r] * u;
      SG_EACH_NARROW_ROW(M)
#undef M
    }
#define M(r) if (j + r < columns) SG_STORE(y + (j + r) * SG_NARROW, a##r);
    SG_EACH_NARROW_ROW(M)
#undef M
  }
  if (add != NULL) {
    for (int i = 0; i < columns * SG_NARROW; i++) y[i] += add[i];
  }
}
`;

/** Sums of `count` vectors of outputs. A few sums alone would wait for each other: then several for each output. */
function sumsOfOne(count: number, chains: number): string {
  const each = (line: (q: number, c: number) => string): string =>
    Array.from({ length: count * chains }, (_, k) => line(k % count, Math.floor(k / count))).join(" ");
  const name = (q: number, c: number): string => `a${q}_${c}`;
  const steps = (chain: (c: number) => string): string =>
    each((q, c) => `${name(q, c)} += value[${chain(c)}] * SG_LOAD(p + SG_AT(${q}) + at[${chain(c)}]);`);
  return `static inline void sg_sums_${count}(const float *restrict w, const float *restrict bias, int inner, int count,
                               const int *restrict at, const float *restrict value, int u, float *restrict y)
{
  const float *restrict p = w;
  sg_vector ${each((q, c) => `${name(q, c)} = ${c === 0 ? `SG_LOAD(bias + (u + ${q}) * SG_LANES)` : "SG_ALL(0.0f)"},`).slice(0, -1)};
  int i = 0;
  for (; i + ${chains} <= count; i += ${chains}) {
    ${steps((c) => (c === 0 ? "i" : `i + ${c}`))}
  }
${chains === 1 ? "" : `  for (; i < count; i++) { ${Array.from({ length: count }, (_, q) => `${name(q, 0)} += value[i] * SG_LOAD(p + SG_AT(${q}) + at[i]);`).join(" ")} }\n`}  ${Array.from({ length: count }, (_, q) => `SG_STORE(y + (u + ${q}) * SG_LANES, ${Array.from({ length: chains }, (_, c) => name(q, c)).join(" + ")});`).join(" ")}
}
`;
}

const denseOfOne = `/* Where vector u + q of the outputs begins in the panels of 16. */
#define SG_AT(q) ((u + (q)) * SG_LANES / 16 * inner * 16 + (u + (q)) * SG_LANES % 16)

${[sumsOfOne(12, 1), sumsOfOne(4, 2), sumsOfOne(1, 4)].join("\n")}
/* The same for one cell. Inputs that are 0, as many are after a ReLU, are left out. */
static void sg_dense_one(const float *restrict w, const float *restrict bias, const float *restrict add, int inner,
                         int columns, const float *restrict x, float *restrict y)
{
  int at[SG_WIDEST];
  float value[SG_WIDEST], sums[SG_WIDEST + 16];
  int count = 0, u = 0;
  const int vectors = (columns + SG_LANES - 1) / SG_LANES;
  for (int k = 0; k < inner; k++) {
    at[count] = k * 16;
    value[count] = x[k];
    count += x[k] != 0.0f;
  }
  for (; u + 12 <= vectors; u += 12) sg_sums_12(w, bias, inner, count, at, value, u, sums);
  for (; u + 4 <= vectors; u += 4) sg_sums_4(w, bias, inner, count, at, value, u, sums);
  for (; u < vectors; u++) sg_sums_1(w, bias, inner, count, at, value, u, sums);
  for (int j = 0; j < columns; j++) y[j] = sums[j];
  if (add != NULL) {
    for (int i = 0; i < columns; i++) y[i] += add[i];
  }
}
`;

const denseOf: Readonly<Record<string, string>> = { block: denseOfBlock, narrow: denseOfNarrow, one: denseOfOne };

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
