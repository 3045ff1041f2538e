import type { IommufdCtx } from "./ctx";
import type { IommufdFault } from "./fault";
import type { AnonFile } from "./file-table";

/** The file that a queue is read and answered by. It keeps the context. */
export class FaultFile implements AnonFile {
  readonly fault: IommufdFault;
  readonly #ctx: IommufdCtx;

  constructor(fault: IommufdFault, ctx: IommufdCtx) {
    this.fault = fault;
    this.#ctx = ctx;
    fault.users += 1;
    ctx.hold();
  }

  release(): void {
    this.fault.users -= 1;
    this.#ctx.put();
  }
}
