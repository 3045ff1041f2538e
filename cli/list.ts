/** `list`: what there is to choose from. */
import { type Column, type Row, table } from "../reports/console/text";
import { renderJson } from "../reports/json";
import { type Io, styleFor } from "./io";
import type { Listing } from "./values";

export interface ListFlags {
  readonly json?: true;
}

type Item = Readonly<Record<string, unknown>>;

/** Each listing: its objects for --json, of which the console shows the named columns. */
interface Source {
  readonly columns: readonly Column[];
  items(): readonly Item[];
  /** What the letters in the columns stand for. */
  legend?(): string;
}

const SOURCES: { readonly [L in Listing]: Source } = {
  clauses: {
    columns: [
      { head: "id", width: 8 },
      { head: "basis", width: 6 },
      { head: "needs" },
      { head: "statement" },
    ],
    items: () => {
      const {
        CLAUSES,
      }: typeof import("../spec/clauses/registry") = require("../spec/clauses/registry");
      return CLAUSES.map(({ basis, ...clause }) => ({
        ...clause,
        basis: basis.rule,
        aspects: basis,
      }));
    },
    legend: () => {
      const {
        BASIS_NAMES,
      }: typeof import("../spec/clauses/clause") = require("../spec/clauses/clause");
      const names = Object.entries(BASIS_NAMES).map(([letter, name]) => `${letter} ${name}`);
      return `\n  basis: ${names.join(", ")}. ${WHOM_BASES_BIND}\n`;
    },
  },
  calls: {
    columns: [{ head: "call", width: 24 }, { head: "in" }, { head: "out" }, { head: "needs" }],
    items: () => {
      const { CALL_NAMES, shapeOf }: typeof import("../spec/calls") = require("../spec/calls");
      return CALL_NAMES.map((call) => ({ call, ...shapeOf(call) }));
    },
  },
  iuts: {
    columns: [{ head: "iut", width: 14 }, { head: "about" }],
    items: () => {
      const { IUT_SPECS }: typeof import("./iut") = require("./iut");
      return Object.entries(IUT_SPECS).map(([iut, about]) => ({ iut, about }));
    },
  },
  mutants: {
    columns: [{ head: "mutant" }, { head: "clauses" }, { head: "about" }],
    items: () => {
      const { mutantNames, readMutant }: typeof import("./mutant") = require("./mutant");
      return mutantNames().map((mutant) => {
        const { clauses, about, file } = readMutant(mutant);
        return { mutant, clauses, about, file };
      });
    },
    legend: () => "\n  clauses: a run that finds the bug names one of them at least.\n",
  },
  campaigns: {
    columns: [{ head: "campaign", width: 12 }, { head: "about" }],
    items: () => {
      const { CAMPAIGNS }: typeof import("./values") = require("./values");
      return Object.entries(CAMPAIGNS).map(([campaign, about]) => ({ campaign, about }));
    },
  },
  invariants: {
    columns: [{ head: "id", width: 8 }, { head: "needs" }, { head: "statement" }],
    items: () => {
      const {
        INVARIANTS,
      }: typeof import("../properties/invariants/catalogue") = require("../properties/invariants/catalogue");
      return INVARIANTS.map((invariant) => ({ ...invariant }));
    },
  },
};

const WHOM_BASES_BIND = "I binds in profile linux-6.12 only, U nowhere, the rest everywhere.";

export const list = async (what: Listing, flags: ListFlags, io: Io): Promise<number> => {
  const { columns, items } = SOURCES[what];
  const all = items();
  if (flags.json) {
    io.stdout.write(renderJson(all));
    return 0;
  }
  const legend = all.length === 0 ? "" : (SOURCES[what].legend?.() ?? "");
  const rows: Row[] = all.map((item) => ({ cells: columns.map(({ head }) => cell(item[head])) }));
  const text = rows.length === 0 ? `no ${what}` : table(columns, rows, styleFor(io.stdout, io.env));
  io.stdout.write(`${text}\n${legend}`);
  return 0;
};

/** A list as its items, an object as its keys. */
const cell = (value: unknown): string => {
  if (typeof value !== "object" || value === null) return String(value ?? "");
  return (Array.isArray(value) ? value : Object.keys(value)).join(" ");
};
