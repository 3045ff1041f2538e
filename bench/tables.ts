/** The figures for people: on a terminal, and as the tables of docs/performance.md. */
import type { Document } from "./document";
import { type Figure, type Growth, growsWithin, keepsItsLimit } from "./figures";

const number = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);

const limitOf = ({ atMost, atLeast }: Pick<Figure, "atMost" | "atLeast">): string => {
  if (atMost !== undefined) return `at most ${atMost.toLocaleString("en")}`;
  return atLeast === undefined ? "" : `at least ${atLeast.toLocaleString("en")}`;
};

const missed = (isKept: boolean): string => (isKept ? "" : "missed");

const rowsOf = ({ figures, growth, harness }: Document): string[][] => [
  ...figures.map((figure) => [
    figure.name,
    `${number(figure.value)} ${figure.unit}`,
    limitOf(figure),
    missed(keepsItsLimit(figure)),
  ]),
  ...growth.map((each) => {
    const { name, of, exponent, exponentInC, atMost } = each;
    const inC = exponentInC === undefined ? "" : `; in C ${exponentInC.toFixed(2)}`;
    return [
      `Growth: ${name}`,
      `exponent ${exponent.toFixed(2)} in ${of}${inC}`,
      limitOf({ atMost }),
      missed(growsWithin(each)),
    ];
  }),
  ...harness.map(({ stage, callsPerSecond, microsecondsPerCall, atLeast = 0 }) => [
    `Harness: ${stage}`,
    `${callsPerSecond.toLocaleString("en")} calls/s (${microsecondsPerCall} µs each)`,
    atLeast === 0 ? "" : limitOf({ atLeast }),
    missed(callsPerSecond >= atLeast),
  ]),
];

export const asText = (document: Document): string => {
  const rows = rowsOf(document);
  const width = Math.max(...rows.map(([name = ""]) => name.length));
  return rows
    .map(([name = "", ...rest]) => `${name.padEnd(width)}  ${rest.join("  ").trimEnd()}\n`)
    .join("");
};

const growthTable = (growth: readonly Growth[]): string[] => [
  "| workload | ×1 | ×4 | ×16 | ×64 | exponent | in C |",
  "|---|---|---|---|---|---|---|",
  ...growth.map((workload) => {
    const { name, of, points, exponent, exponentInC, atMost } = workload;
    const each = points.map(([size, time]) => `${number(time / size)} ns`).join(" | ");
    const [first] = points[0] ?? [0];
    const limit = growsWithin(workload) ? "" : ` (limit ${atMost})`;
    return `| ${name}; ×1 is ${first.toLocaleString("en")} ${of} | ${each} | ${exponent.toFixed(2)}${limit} | ${exponentInC?.toFixed(2) ?? ""} |`;
  }),
];

export const asMarkdown = (document: Document): string => {
  const { machine, growth } = document;
  const compiler = machine.compiler ?? "no C compiler";
  return [
    `${machine.date}, ${machine.cpus} × ${machine.cpu}, Node ${machine.node}, ${compiler}.`,
    "",
    "| figure | value | limit | |",
    "|---|---|---|---|",
    ...rowsOf({ ...document, growth: [] }).map((row) => `| ${row.join(" | ")} |`),
    "",
    "Time per page or per area, by the size of the workload:",
    "",
    ...growthTable(growth),
    "",
    "![Growth of the workloads](performance.svg)",
  ].join("\n");
};
