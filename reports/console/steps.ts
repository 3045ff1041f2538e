import { inert } from "../../spec/inert";
import type { StepRow } from "../../spec/results";
import { type Style, table } from "./text";

/** More of a cell nobody reads, and a table of such cells takes minutes to wrap. */
const CELL_MAX = 600;

/** Text of an IUT as the cell of a table. */
export const cell = (text: string): string => {
  const whole = inert(text);
  if (whole.length <= CELL_MAX) return whole;
  return `${whole.slice(0, CELL_MAX)}… (${whole.length} characters, all of them with --json)`;
};

/** The step table: each call with what was expected and what came; ▶ marks where they part. */
export const renderSteps = (rows: readonly StepRow[], style: Style): string => {
  const { colors } = style;
  return table(
    [
      { head: "", width: 1 },
      { head: "#", width: 4, align: "right" },
      { head: "call" },
      { head: "expected" },
      { head: "actual" },
    ],
    rows.map((row) => ({
      cells: [
        row.deviates ? "▶" : "",
        String(row.step),
        cell(row.call),
        // Only the deviating row needs both columns read.
        row.deviates || row.expected !== row.actual ? cell(row.expected) : "(same)",
        cell(row.actual),
      ],
      ...(row.deviates && { paint: (text: string) => colors.red(colors.bold(text)) }),
    })),
    style,
  );
};
