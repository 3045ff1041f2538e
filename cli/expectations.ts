/** --known-failing: a JSON list of {clause, kind, reason}. */
import type { Expectation } from "../properties/expectation";
import { EXIT, messageOf, Stop } from "./exit";
import { didYouMean } from "./near";

const KINDS = ["errno", "output", "crash", "invariant"] as const;

/**
 * @param ids of all clauses and invariants
 * @throws Stop naming the entry that is wrong
 */
export const parseExpectations = (
  text: string,
  file: string,
  ids: readonly string[],
): Expectation[] => {
  const refuse = (where: string, what: string): Stop =>
    new Stop(EXIT.badConfig, `--known-failing ${file}: ${where}${what}`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw refuse("", `not JSON (${messageOf(error)})`);
  }
  if (!Array.isArray(json)) throw refuse("", "expected a list of {clause, kind, reason}");
  return json.map((entry: unknown, i) => {
    const where = `entry ${i}: `;
    const given = typeof entry === "object" && entry !== null ? entry : {};
    const { clause, kind, reason, ...rest } = given as Record<string, unknown>;
    const [extra] = Object.keys(rest);
    if (extra !== undefined) throw refuse(where, `unknown field ${extra}`);
    if (typeof clause !== "string" || !ids.includes(clause)) {
      const hint = typeof clause === "string" ? didYouMean(clause, ids) : "";
      throw refuse(where, `no clause or invariant ${JSON.stringify(clause)}${hint}`);
    }
    const known = KINDS.find((one) => one === kind);
    if (known === undefined) throw refuse(where, `kind must be one of ${KINDS.join(", ")}`);
    if (typeof reason !== "string" || reason.trim() === "") {
      throw refuse(where, "reason must say why the failure is accepted");
    }
    return { clause, kind: known, reason };
  });
};
