/** The growth of the workloads as an SVG: time per page or area over size, both logarithmic. */
import type { Growth } from "./figures";

const [WIDTH, HEIGHT] = [900, 460];
const [LEFT, TOP, PLOT_WIDTH, PLOT_HEIGHT] = [70, 20, 430, 380];
const COLOURS = ["#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#d68910", "#16a085", "#7f8c8d"];

interface Scale {
  readonly least: number;
  readonly most: number;
  at(value: number): number;
}

const scaleOf = (values: readonly number[], from: number, to: number): Scale => {
  const least = Math.floor(Math.log10(Math.min(...values)));
  const most = Math.ceil(Math.log10(Math.max(...values)));
  const at = (value: number): number =>
    from + ((to - from) * (Math.log10(value) - least)) / (most - least);
  return { least, most, at };
};

const powersOf = ({ least, most }: Scale): number[] =>
  Array.from({ length: most - least + 1 }, (_, i) => least + i);

const text = (x: number, y: number, content: string, more = ""): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${content.replace("&", "&amp;")}</text>`;

const line = (x1: number, y1: number, x2: number, y2: number): string =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}"/>`;

export const plotGrowth = (growth: readonly Growth[]): string => {
  const lines = growth.map(({ points }) => points.map(([size, time]) => [size, time / size]));
  const column = (i: number): number[] => lines.flat().map((point) => point[i] ?? Number.NaN);
  const x = scaleOf(column(0), LEFT, LEFT + PLOT_WIDTH);
  const y = scaleOf(column(1), TOP + PLOT_HEIGHT, TOP);
  const grid = [
    ...powersOf(x).map((p) => line(x.at(10 ** p), TOP, x.at(10 ** p), TOP + PLOT_HEIGHT)),
    ...powersOf(y).map((p) => line(LEFT, y.at(10 ** p), LEFT + PLOT_WIDTH, y.at(10 ** p))),
  ];
  const labels = [
    ...powersOf(x).map((p) =>
      text(x.at(10 ** p), TOP + PLOT_HEIGHT + 18, `1e${p}`, 'text-anchor="middle"'),
    ),
    ...powersOf(y).map((p) => text(LEFT - 8, y.at(10 ** p) + 4, `1e${p}`, 'text-anchor="end"')),
    text(LEFT + PLOT_WIDTH / 2, HEIGHT - 20, "pages or areas", 'text-anchor="middle"'),
    text(8, TOP + 4, "ns each", ""),
  ];
  const curves = lines.map((points, i) => {
    const path = points.map(([size = 1, each = 1]) => `${x.at(size)},${y.at(each)}`).join(" ");
    const dash = i < COLOURS.length ? "" : ' stroke-dasharray="5 3"';
    const colour = COLOURS[i % COLOURS.length];
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>`;
  });
  const legend = growth.map(({ name, exponent }, i) => {
    const at = TOP + 14 + i * 34;
    const colour = COLOURS[i % COLOURS.length];
    const first = text(LEFT + PLOT_WIDTH + 24, at, name, `fill="${colour}"`);
    return first + text(LEFT + PLOT_WIDTH + 24, at + 14, `exponent ${exponent.toFixed(2)}`);
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}"`,
    ' font-family="sans-serif" font-size="12">',
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    `<g stroke="#ddd">${grid.join("")}</g>`,
    ...curves,
    ...labels,
    ...legend,
    "</svg>\n",
  ].join("\n");
};
