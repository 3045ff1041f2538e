import type { Call, Outcome } from "../../spec/calls";
import type { Platform } from "../../spec/platform";

/** What an implementation's own successful answers imply. */
export class Ledger {
  readonly platform: Platform;

  constructor(platform: Platform) {
    this.platform = platform;
  }

  note(_call: Call, _outcome: Outcome): void {}
}
