/** Laying out text in a fixed number of columns. */
import Table from "cli-table3";
import type { Colors } from "picocolors/types";

export interface Style {
  readonly colors: Colors;
  /** Columns to use. */
  readonly width: number;
}

/** Breaks text at spaces, and inside a word only when it is longer than a whole line. */
export const wrap = (text: string, width: number): string[] => {
  const lines: string[] = [];
  let line = "";
  for (let word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = "";
    }
    for (; word.length > width; word = word.slice(width)) {
      if (line !== "") lines.push(line);
      lines.push(word.slice(0, width));
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines;
};

/** Text under a label that stands in a column of its own. */
export const labelled = (label: string, text: string, style: Style, labelWidth = 13): string => {
  const [first = "", ...rest] = wrap(text, style.width - labelWidth - 2);
  const indent = " ".repeat(labelWidth + 2);
  const head = `  ${style.colors.dim(label.padEnd(labelWidth))}${first}`;
  return [head, ...rest.map((line) => `${indent}${line}`)].join("\n");
};

export interface Column {
  readonly head: string;
  /** Exact width of the text; absent: what is left is shared. */
  readonly width?: number;
  readonly align?: "left" | "right";
}

export interface Row {
  readonly cells: readonly string[];
  /** Colours every line of the row; wrapping happens before, so escapes never count. */
  readonly paint?: (text: string) => string;
}

/** Widths of all columns: what the texts need, or less where the line is too short for that. */
const shrinkToFit = (
  columns: readonly Column[],
  rows: readonly Row[],
  available: number,
): number[] => {
  const wanted = columns.map((column, i) => {
    const longest = Math.max(column.head.length, ...rows.map((r) => (r.cells[i] ?? "").length));
    return Math.min(column.width ?? Number.POSITIVE_INFINITY, longest);
  });
  const widths = [...wanted];
  for (let excess = sum(widths) - available; excess > 0; excess--) {
    // One column from the widest flexible one, so that they end up alike.
    let widest = -1;
    for (const [i, width] of widths.entries()) {
      if (columns[i]?.width !== undefined) continue;
      if (widest === -1 || width > (widths[widest] ?? 0)) widest = i;
    }
    if (widest === -1 || (widths[widest] ?? 0) <= 8) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
};

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

const NO_BORDERS = Object.fromEntries(
  [
    ...["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left"],
    ...["bottom-right", "left", "left-mid", "mid", "mid-mid", "right", "right-mid", "middle"],
  ].map((name) => [name, ""]),
);

/** A table without lines: a dim head, and cells that wrap inside their columns. */
export const table = (columns: readonly Column[], rows: readonly Row[], style: Style): string => {
  const gap = 2;
  const widths = shrinkToFit(columns, rows, style.width - 2 - gap * (columns.length - 1));
  const options = {
    chars: NO_BORDERS,
    style: { "padding-left": gap, "padding-right": 0, head: [], border: [], compact: true },
    colAligns: columns.map((column) => column.align ?? "left"),
    colWidths: widths.map((width) => width + gap),
  };
  // A table for each row: without lines it looks the same, and cli-table3 takes quadratic time.
  const line = (cells: readonly string[]): string => {
    const shape = new Table(options);
    shape.push([...cells]);
    return shape.toString();
  };
  const painted = ({ cells, paint = (text: string) => text }: Row): string[] =>
    cells.map((cell, i) =>
      wrap(cell, widths[i] ?? cell.length)
        .map((part) => (part === "" ? "" : paint(part)))
        .join("\n"),
    );
  return [
    line(columns.map((column) => style.colors.dim(column.head))),
    ...rows.map((row) => line(painted(row))),
  ]
    .join("\n")
    .replace(/[ ]+$/gm, "");
};
