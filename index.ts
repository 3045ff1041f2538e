/** What users of the package may import; everything else may change without notice. */

export { runCampaign, traceOfPath } from "./properties/campaign";
export type { Expectation } from "./properties/expectation";
export { InvariantTally } from "./properties/invariants/watch";
export { type ConformanceOptions, conformanceTests } from "./properties/jest";
export { type Disagreement, type JudgedRecordings, judgeRecordings } from "./properties/judge";
export { type CampaignOptions, QUICK, quickRun, type Stop } from "./properties/options";
export { type Finding, judgeHistory, Oracle } from "./properties/oracle";
export { type Replayed, replayTrace } from "./properties/replay";
export { renderHtml } from "./reports/html/render";
export { renderResultsJson } from "./reports/json";
export type { Reproduce } from "./reports/reproduce";
export type { Call, CallName, CallOf, Outcome, OutcomeOf } from "./spec/calls";
export { CALLS, FD_NOT_AN_IOMMUFD, FD_NOT_OPEN, OK } from "./spec/calls";
export type { Capsule } from "./spec/capsule";
export type { Clause } from "./spec/clauses/clause";
export { CLAUSES } from "./spec/clauses/registry";
export { Coverage } from "./spec/coverage";
export { DataError } from "./spec/data-error";
export type { Errno } from "./spec/errno";
export { ERRNO } from "./spec/errno";
export { Handle } from "./spec/handle";
export type { Iut, IutInfo, Machine, Run } from "./spec/iut";
export { inProcess } from "./spec/iut";
export {
  decodeCapsule,
  decodeHistory,
  decodeTrace,
  encodeCapsule,
  encodeHistory,
  encodeTrace,
  parseDocument,
} from "./spec/json/trace";
export type { Need } from "./spec/needs";
export { NEEDS } from "./spec/needs";
export type { Platform } from "./spec/platform";
export { MOCK_PLATFORM, PLATFORMS, VFIO_PLATFORM } from "./spec/platform";
export type { RawEdits } from "./spec/raw";
export { type RecordedStep, type Recording, readRecordings } from "./spec/recording";
export { Resolver } from "./spec/resolve";
export type {
  CallResult,
  ClauseResult,
  Failure,
  InvariantResult,
  Quota,
  Results,
  StepRow,
  Verdict,
} from "./spec/results";
export type { Ending, History, Step, Trace } from "./spec/trace";
export type { Bytes, Iova, IovaRange, UserVa } from "./spec/units";
export type { Deviation, Profile, Signature } from "./spec/verdict";
export { PROFILES, signatureOf } from "./spec/verdict";
