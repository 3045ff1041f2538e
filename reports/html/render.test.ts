import { describe, expect, test } from "@jest/globals";
import type { Results } from "../../spec/results";
import { sampleResults } from "../testdata/sample";
import { renderHtml } from "./render";

const reproduce = { run: "conform run --iut '<i>'", replay: () => "conform replay '<x>'" };
const page = (change: Partial<Results> = {}): string =>
  renderHtml({ ...sampleResults(), ...change }, reproduce);

/** Every string of the results replaced by something a browser would run. */
const poison = <T>(value: T): T => {
  const attack = `"'><img src=x onerror=alert(1)><script>alert(2)</script>\u202e\u001b]0;x\u0007`;
  const deep = (item: unknown): unknown => {
    if (typeof item === "string") return attack;
    if (Array.isArray(item)) return item.map(deep);
    if (typeof item !== "object" || item === null) return item;
    return Object.fromEntries(Object.entries(item).map(([key, one]) => [key, deep(one)]));
  };
  return deep(value) as T;
};

describe("the page", () => {
  test("carries everything with it: no script, no link, no image, no address", () => {
    expect(page()).not.toMatch(/<(script|link|img|iframe|object|form)\b|https?:|@import|url\(/i);
    expect(page()).toContain("default-src 'none'");
  });

  test("shows verdict, failures with steps and replay, clauses, invariants, calls, health", () => {
    const text = page();
    expect(text).toContain("<strong>Not conformant</strong>");
    expect(text).toContain('<tr class="deviates">');
    expect(text).toContain("conform replay &#39;&lt;x&gt;&#39;");
    expect(text).toContain("conform run --iut &#39;&lt;i&gt;&#39;");
    for (const { id } of [...sampleResults().clauses, ...sampleResults().invariants]) {
      expect(text).toContain(`id="clause-${id}"`);
    }
    for (const id of ["failures", "clauses", "invariants", "calls", "health", "reproduce"]) {
      expect(text).toContain(`<h2 id="${id}">`);
      expect(text).toContain(`<a href="#${id}">`);
    }
    expect(text).toContain("needs fault-injection");
  });

  test("says what was not judged to its end", () => {
    const text = page({
      cutShort: [{ reason: "QEMU was ended", sequences: 2 }],
      quirks: [{ name: "reads-what-it-unmapped", sequences: 3 }],
    });
    expect(text).toContain("2 sequences: QEMU was ended");
    expect(text).toContain("reads-what-it-unmapped ended 3 sequences");
  });

  test("sets code in statements apart", () => {
    const [clause] = sampleResults().clauses;
    if (clause === undefined) throw new Error("no clause");
    const text = page({ clauses: [{ ...clause, statement: "`a<b>` counts, `c` does not." }] });
    expect(text).toContain("<code>a&lt;b&gt;</code> counts, <code>c</code> does not.");
  });

  test("has no dead anchors when there is no failure", () => {
    const text = page({ failures: [], verdict: "pass", exitCode: 0, reason: "" });
    const targets = [...text.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
    for (const id of targets) expect(text).toContain(`id="${id}"`);
    expect(text).not.toContain("failures");
  });

  test("lets no string of an implementation become markup or a control character", () => {
    const text = renderHtml({ ...poison(sampleResults()), verdict: "fail" }, reproduce);
    expect(text).not.toMatch(/<img|<script|onerror=alert\(1\)>/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is the point.
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(text).toContain("&lt;img src=x");
  });

  test("is well formed: every element that is opened is closed, in order", () => {
    const open: string[] = [];
    for (const [, slash, name = ""] of page().matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*>/g)) {
      if (["meta", "br"].includes(name)) continue;
      if (slash === "") open.push(name);
      else expect(open.pop()).toBe(name);
    }
    expect(open).toEqual([]);
  });
});
