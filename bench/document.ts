/** What `npm run bench -- --json` prints, and its JSON Schema. */
import Ajv2020 from "ajv/dist/2020";
import schema from "./document.schema.json";
import type { Figure, Growth } from "./figures";
import type { Stage } from "./harness";

export interface Document {
  readonly format: "iommufd-conformance-bench/1";
  readonly machine: {
    readonly date: string;
    readonly cpu: string;
    readonly cpus: number;
    readonly node: string;
    /** null: there is no gcc, and no figure against C. */
    readonly compiler: string | null;
  };
  readonly figures: readonly Figure[];
  readonly growth: readonly Growth[];
  readonly harness: readonly Stage[];
}

/** @throws Error when the document is not what its schema says */
export const checked = (document: Document): Document => {
  const validate = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(schema);
  if (!validate(JSON.parse(JSON.stringify(document)))) {
    throw new Error(`bench: the document breaks its schema: ${JSON.stringify(validate.errors)}`);
  }
  return document;
};
