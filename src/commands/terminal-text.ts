/** `mm:ss`, `h:mm:ss` from an hour on. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return `${hours > 0 ? `${hours}:` : ""}${two(minutes)}:${two(seconds % 60)}`;
}

const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/**
 * A bar drawn to an eighth of a character.
 * @param share 0 to 1
 */
export function drawBar(share: number, cells: number): string {
  const filled = Math.round(share * cells * 8);
  return ("█".repeat(Math.floor(filled / 8)) + eighths[filled % 8]).padEnd(cells);
}

/** At most `width` characters. */
export function cut(text: string, width: number): string {
  return text.length <= width ? text : text.slice(0, width);
}
