/** A word as a shell takes it: quoted where it holds more than letters, digits and the plain signs of paths and overrides. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
