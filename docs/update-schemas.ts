import { mkdirSync } from "node:fs";
import { editorSchemas } from "../src/config/json-schemas.ts";
import { writeFileAtomic } from "../src/formats/atomic-file.ts";

mkdirSync("configs/schemas", { recursive: true });
for (const [name, text] of Object.entries(editorSchemas())) writeFileAtomic(`configs/schemas/${name}`, text);
