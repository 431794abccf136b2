import { type FileFormat, latestVersion } from "../formats/format-version.ts";

/**
 * The versions of the weights files' metadata (the arrays never changed). What a migration gets is `__metadata__` with every value
 * read from its JSON; `kind` tells an autoencoder from an emulator. A change of the metadata is a named function added here, a line
 * in CHANGELOG.md and a file of the old version in the tests.
 */
export const weightsFormat: FileFormat = { name: "weights format", migrations: [] };

/** The version that this program writes. */
export const weightsFormatVersion = latestVersion(weightsFormat);
