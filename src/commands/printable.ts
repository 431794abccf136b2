/**
 * Text for a terminal: names that come from files may hold control characters that move the cursor, colour, rename the window, or turn
 * the direction of what follows. They are shown as `\\u001b`; line feeds and tabs stay. JSON means the same afterwards.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, (character) => {
    if (character === "\n" || character === "\t") return character;
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
