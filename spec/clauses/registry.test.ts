import { describe, expect, test } from "@jest/globals";
import { isErrno } from "../errno";
import { isNeed } from "../needs";
import type { Clause } from "./clause";
import { CLAUSES, type ClauseId, clause, clauseIndex, FAMILIES, isClauseId } from "./registry";

/** Rules that no call can be said to exercise by itself. A new one is a decision. */
const NOT_JUDGED_ALONE: readonly ClauseId[] = [
  "GEN-02",
  "GEN-17",
  "GEN-18",
  "GEN-20",
  "GEN-21",
  "GEN-24",
  "UNM-09",
  "UNM-28",
  "DEV-30",
  "ACC-33",
  "ACT-09",
  "VFD-02",
  "VFD-03",
  "VFD-07",
  "VCC-27",
  "TST-05",
  "TST-07",
];

/** The ids of the clauses for which `wrong` holds: an empty list reads well in a failure. */
const offenders = (wrong: (c: Clause) => boolean): string[] =>
  CLAUSES.filter(wrong).map((c) => c.id);

describe("the clause registry", () => {
  test("has unique ids of the right shape, in families that have a title", () => {
    expect(new Set(CLAUSES.map((c) => c.id)).size).toBe(CLAUSES.length);
    expect(offenders((c) => !/^[A-Z]{3}-\d\d[a-z]?$/.test(c.id))).toEqual([]);
    const families = new Set(CLAUSES.map((c) => c.id.slice(0, 3)));
    expect([...families]).toEqual(Object.keys(FAMILIES));
  });

  test("finds clauses by id and numbers them without gaps", () => {
    expect(CLAUSES.map((c) => clauseIndex(c.id))).toEqual(CLAUSES.map((_, i) => i));
    expect(clause("MAP-12a").errno).toBe("EEXIST");
    expect(isClauseId("MAP-12a")).toBe(true);
    expect(isClauseId("MAP-12")).toBe(false);
    // @ts-expect-error a misspelt id does not compile
    expect(() => clause("MAP-99")).toThrow("no clause MAP-99");
  });

  test("says what a stranger can read, and where it comes from", () => {
    expect(offenders((c) => c.statement.length < 20 || c.statement.length > 320)).toEqual([]);
    expect(offenders((c) => !/[.)]$/.test(c.statement))).toEqual([]);
    expect(offenders((c) => c.source.length === 0 || c.source.includes(""))).toEqual([]);
    expect(
      offenders((c) => c.evidence?.some((e) => !/^[a-z-]+-\d+ step \d+$/.test(e)) ?? false),
    ).toEqual([]);
  });

  test("names only clauses that exist", () => {
    const named = (c: Clause) => c.statement.match(/\b[A-Z]{3}-\d\d[a-z]?/g) ?? [];
    // "MAP-12" stands for MAP-12a and MAP-12b.
    const exists = (id: string) => isClauseId(id) || isClauseId(`${id}a`);
    expect(offenders((c) => named(c).some((id) => !exists(id)))).toEqual([]);
  });

  test("knows every need and errno", () => {
    expect(offenders((c) => !c.needs.every(isNeed))).toEqual([]);
    expect(offenders((c) => new Set(c.needs).size !== c.needs.length)).toEqual([]);
    expect(offenders((c) => c.errno !== undefined && !isErrno(c.errno))).toEqual([]);
  });

  test("gives an errno only where there is a violation to answer", () => {
    const silent = (c: Clause) => !c.sides.includes("violation");
    expect(offenders((c) => c.sides.length > 0 && silent(c) && c.errno !== undefined)).toEqual([]);
    expect(offenders((c) => silent(c) && c.basis.errno !== undefined)).toEqual([]);
  });

  test("leaves a clause without sides only if it is open or listed here", () => {
    const open = (c: Clause) => c.basis.rule === "U";
    expect(offenders((c) => open(c) && c.sides.length > 0)).toEqual([]);
    expect(offenders((c) => !open(c) && c.sides.length === 0)).toEqual(NOT_JUDGED_ALONE);
  });
});
