/** The specification's own limit. */
const longestHeader = 100_000_000;
/** A header is an object of entries, and these hold lists at the most. */
const deepestHeader = 3;
/** Fatal, or two names of different damage would both become U+FFFD. */
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The JSON object that heads a safetensors file. */
export interface SafetensorsHeader {
  readonly entries: Record<string, unknown>;
  /** Where the arrays' bytes begin. */
  readonly start: number;
}

/**
 * Reads the header of a file held in memory. A name that occurs twice is damage, at every level: JSON.parse alone
 * would keep the last without a word.
 * @param damaged  makes the error to throw
 */
export function readSafetensorsHeader(
  bytes: Uint8Array,
  damaged: (what: string, cause?: unknown) => Error,
): SafetensorsHeader {
  if (bytes.byteLength < 8) throw damaged(`it has ${bytes.byteLength} bytes, too few for a header`);
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  if (bytes[0] === 0x7b) throw damaged("it is JSON, as an index of shards is");
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) throw damaged("it is a zip archive, as PyTorch's files are");
  if (length > longestHeader || 8 + length > bytes.byteLength) {
    throw damaged(`its header claims ${length} bytes, and ${bytes.byteLength - 8} follow`);
  }
  let text: string;
  let parsed: unknown;
  try {
    text = strict.decode(bytes.subarray(8, 8 + length));
    parsed = JSON.parse(text);
  } catch (cause) {
    throw damaged("its header is not JSON", cause);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) throw damaged("header is not an object");
  const fault = structuralFault(text);
  if (fault !== undefined) throw damaged(fault);
  return { entries: parsed as Record<string, unknown>, start: 8 + length };
}

/** What is wrong with JSON that is well-formed. */
function structuralFault(json: string): string | undefined {
  const open: Set<string>[] = [];
  let latest = "";
  for (let at = 0; at < json.length; at++) {
    const character = json[at]!;
    if (character === '"') {
      const end = closingQuote(json, at);
      latest = json.slice(at, end + 1);
      at = end;
    } else if (character === ":") {
      // Outside of texts a colon follows a name, in the innermost object.
      const name = JSON.parse(latest) as string;
      if (open.at(-1)!.has(name)) return `the name ${name} occurs twice in its header`;
      open.at(-1)!.add(name);
    } else if (character === "{" || character === "[") {
      if (open.push(new Set()) > deepestHeader) return "its header is nested too deeply";
    } else if (character === "}" || character === "]") {
      open.pop();
    }
  }
  return undefined;
}

function closingQuote(json: string, from: number): number {
  let at = from + 1;
  while (json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
  return at;
}
