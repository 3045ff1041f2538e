/** docs/clauses.md: the clause registry as a page to read. `npm run clauses` writes it. */
import { BASIS_NAMES, type Clause } from "../spec/clauses/clause";
import { CLAUSES, FAMILIES } from "../spec/clauses/registry";
import { NEEDS } from "../spec/needs";

export const renderClausePage = (): string =>
  [
    "# Clauses",
    "",
    "Every testable statement about the uAPI, as `conform list clauses` prints them. This page is",
    "made from [`spec/clauses`](../spec/clauses) by `npm run clauses`.",
    "",
    `Basis: ${Object.entries(BASIS_NAMES)
      .map(([letter, name]) => `**${letter}** ${name}`)
      .join(", ")}.`,
    "D, S and T bind in every profile, I in `linux-6.12` only, U never. The errno of a rule, and its",
    "place in the order of checks, may rest on another basis, which then stands behind it: where that",
    "does not bind, any errno is right that the clauses know of this call.",
    "",
    ...table(
      ["need", "is"],
      Object.entries(NEEDS).map(([need, about]) => [need, about]),
    ),
    ...Object.entries(FAMILIES).flatMap(([family, title]) => [
      `## ${family}: ${title}`,
      "",
      ...table(
        ["id", "statement", "errno", "basis", "needs", "source"],
        CLAUSES.filter(({ id }) => id.startsWith(family)).map(rowOf),
      ),
    ]),
  ].join("\n");

const rowOf = ({ id, statement, errno, basis, needs, source, evidence = [] }: Clause): string[] => [
  id,
  statement,
  errno ?? "",
  [
    basis.rule,
    ...(basis.errno === undefined ? [] : [`errno ${basis.errno}`]),
    ...(basis.order === undefined ? [] : [`order ${basis.order}`]),
  ].join(", "),
  needs.join(", "),
  [...source, ...evidence.map((step) => `recording ${step}`)].join("; "),
];

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string[] => [
  line(head),
  line(head.map(() => "---")),
  ...rows.map(line),
  "",
];

const line = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
