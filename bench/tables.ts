/** The figures for people: on a terminal, and as the tables of docs/performance.md. */
import type { Document } from "./document";
import { type Figure, type Growth, keepsItsLimit } from "./figures";

const number = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);

const limitOf = ({ atMost, atLeast }: Figure): string => {
  if (atMost !== undefined) return `at most ${atMost}`;
  return atLeast === undefined ? "" : `at least ${atLeast}`;
};

const rowsOf = ({ figures, growth, harness }: Document): string[][] => [
  ...figures.map((figure) => [
    figure.name,
    `${number(figure.value)} ${figure.unit}`,
    limitOf(figure),
    keepsItsLimit(figure) ? "" : "missed",
  ]),
  ...growth.map(({ name, of, exponent, exponentInC, atMost }) => [
    `Growth: ${name}`,
    `exponent ${exponent.toFixed(2)} in ${of}${exponentInC === undefined ? "" : `; in C ${exponentInC.toFixed(2)}`}`,
    `at most ${atMost}`,
    exponent <= atMost ? "" : "missed",
  ]),
  ...harness.map(({ stage, callsPerSecond, microsecondsPerCall }) => [
    `Harness: ${stage}`,
    `${callsPerSecond.toLocaleString("en")} calls/s (${microsecondsPerCall} µs each)`,
    "",
    "",
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
  ...growth.map(({ name, of, points, exponent, exponentInC, atMost }) => {
    const each = points.map(([size, time]) => `${number(time / size)} ns`).join(" | ");
    const [first] = points[0] ?? [0];
    // What C grows by is the hardware's.
    const isWithin = exponent <= Math.max(atMost, exponentInC ?? 0);
    const limit = isWithin ? "" : ` (limit ${atMost})`;
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
