/** Characters that are no text: they move the cursor, colour, rename the window, turn the direction of what follows, or hide. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/**
 * Text for a terminal: names that come from files may hold anything. What is no text is shown as `\\u001b`; line feeds and tabs stay. JSON
 * means the same afterwards.
 */
export function printable(text: string): string {
  return text.replace(unprintable, (found) => (found === "\n" || found === "\t" ? found : escaped(found)));
}

/** The same within one line. @param longest characters beyond are left out */
export function printableLine(text: string, longest = 200): string {
  const shown = text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
  return shown.replace(unprintable, escaped);
}

function escaped(found: string): string {
  return Array.from({ length: found.length }, (_, k) => `\\u${found.charCodeAt(k).toString(16).padStart(4, "0")}`).join(
    "",
  );
}
