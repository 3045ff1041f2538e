import { inert } from "../../spec/inert";
import type { StepRow } from "../../spec/results";
import { type Style, table } from "./text";

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
        inert(row.call),
        // Only the deviating row needs both columns read.
        row.deviates || row.expected !== row.actual ? inert(row.expected) : "(same)",
        inert(row.actual),
      ],
      ...(row.deviates && { paint: (text: string) => colors.red(colors.bold(text)) }),
    })),
    style,
  );
};
