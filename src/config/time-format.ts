import { configError, type Place } from "./problems.ts";

const two = (value: number): string => String(value).padStart(2, "0");

/** The fields of strftime that make sense in a file name; local time. */
const fields: Readonly<Record<string, (time: Date) => string>> = {
  Y: (time) => String(time.getFullYear()).padStart(4, "0"),
  y: (time) => two(time.getFullYear() % 100),
  m: (time) => two(time.getMonth() + 1),
  d: (time) => two(time.getDate()),
  H: (time) => two(time.getHours()),
  M: (time) => two(time.getMinutes()),
  S: (time) => two(time.getSeconds()),
  f: (time) => String(time.getMilliseconds() * 1000).padStart(6, "0"),
  "%": () => "%",
};

/**
 * Writes a time as strftime does.
 * @throws ConfigError for a field other than %Y %y %m %d %H %M %S %f %%
 */
export function formatTime(time: Date, format: string, place: Place): string {
  return format.replaceAll(/%(.?)/gs, (written, letter: string) => {
    const field = Object.hasOwn(fields, letter) ? fields[letter] : undefined;
    if (field) return field(time);
    const known = Object.keys(fields).map((name) => `%${name}`);
    throw configError(`unknown field \`${written}\` in \`\${now:${format}}\``, place, `there are: ${known.join(" ")}`);
  });
}
