import { CLAUSES, type ClauseId, clauseIndex } from "./clauses/registry";

/**
 * How often each clause was exercised; the judge counts, from what was answered. By success: a
 * call kept it. By violation: a call failed because of it and of nothing else that would count.
 * Counters are dense arrays: this is incremented several times for every judged call.
 */
export class Coverage {
  readonly success = new Uint32Array(CLAUSES.length);
  readonly violation = new Uint32Array(CLAUSES.length);
  /** Known quirks of the IUT that were met, by name. */
  readonly quirks = new Map<string, number>();

  /** Histories that leave so much open that the model could not follow them to their end. */
  lost = 0;

  add(other: Coverage): void {
    this.lost += other.lost;
    for (let i = 0; i < this.success.length; i++) {
      this.success[i] = (this.success[i] ?? 0) + (other.success[i] ?? 0);
      this.violation[i] = (this.violation[i] ?? 0) + (other.violation[i] ?? 0);
    }
    for (const [name, count] of other.quirks) this.meetQuirk(name, count);
  }

  meetQuirk(name: string, count = 1): void {
    this.quirks.set(name, (this.quirks.get(name) ?? 0) + count);
  }

  of(id: ClauseId): { readonly success: number; readonly violation: number } {
    const index = clauseIndex(id);
    return { success: this.success[index] ?? 0, violation: this.violation[index] ?? 0 };
  }
}
