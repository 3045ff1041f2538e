// my-iut.ts
import { type Call, inProcess, type Outcome, type Platform } from "iommufd-conformance";

class MyMachine {
  /** What the trace runs on: devices, groups, reserved regions, user memory. */
  readonly platform: Platform;

  constructor(platform: Platform) {
    this.platform = platform;
  }

  call(call: Call): Outcome {
    switch (call.call) {
      case "OPEN":
        return { errno: 0, out: { fd: 3 } };
      case "IOAS_ALLOC":
        return { errno: 0, out: { out_ioas_id: 1 } };
      // … a failure is a value: { errno: "ENOENT" }
      default:
        return { errno: "ENOTTY" };
    }
  }
}

export default inProcess(
  { name: "mine", version: "1", capabilities: ["mock", "page-refs"] },
  (platform) => new MyMachine(platform),
);
