/**
 * Reading faults from the file of a queue, and answering them there (FLT-03, FLT-04). A fault of
 * the mock driver is a group of its own.
 */
import { clauseIndex } from "../../spec/clauses/registry";
import type { PageFault, PageResponse } from "../../spec/fields";
import { RESPONSE_INVALID, RESPONSE_SUCCESS } from "../../spec/uapi/flags";
import { PAGE_FAULT, PAGE_RESPONSE } from "../../spec/uapi/layouts";
import { fact, judge, never, rule } from "../judge";
import type { Fault, FaultQueue } from "../state/objects";
import { countSeen } from "../state/seen";
import { faultFileIsOpen, type OnFaultFile } from "./fault-queue";

/** No read or write of Linux moves more bytes at a time: the kernel asks for no more than these. */
const COUNT_MAX = 0x7fff_f000;

interface ReadView extends OnFaultFile {
  readonly count: number;
  readonly waiting: readonly Fault[];
  readonly strict: boolean;
}

const room = (v: ReadView): number => Math.floor(v.count / PAGE_FAULT.size);

const firstOf = (v: ReadView): readonly Fault[] => v.waiting.slice(0, room(v));

const isFault = ({ record }: Fault, read: PageFault): boolean =>
  read.flags === record.flags &&
  read.dev_id === record.dev_id &&
  read.pasid === record.pasid &&
  read.grpid === record.grpid &&
  read.perm === record.perm &&
  read.reserved === record.reserved &&
  read.addr === record.addr &&
  read.length === record.length;

/** The faults that were read; undefined for a record that is of none. Each is read once. */
const recognise = (v: ReadView, records: readonly PageFault[]): (Fault | undefined)[] => {
  const left = [...v.waiting];
  return records.map((record) => {
    const at = left.findIndex((fault) => isFault(fault, record));
    return at < 0 ? undefined : left.splice(at, 1)[0];
  });
};

/** A record is of none that waits, but of one whose device has left. */
const hasGone = (v: ReadView, records: readonly PageFault[]): boolean =>
  recognise(v, records).some((fault, i) => {
    const record = records[i];
    return !fault && record && v.queue?.gone.some((gone) => isFault(gone, record));
  });

const cookiesAreNew = (v: ReadView, records: readonly PageFault[]): boolean => {
  const cookies = new Set(records.map(({ cookie }) => cookie));
  for (const cookie of cookies) if (v.queue?.unanswered.has(cookie)) return false;
  if (v.strict && cookies.has(0) && v.queue?.zeroIsFree === false) return false;
  return cookies.size === records.length;
};

/** 6.12's own choice: the smallest cookies that are free. */
const answerOf = (v: ReadView): readonly PageFault[] => {
  let cookie = 0;
  return firstOf(v).map(({ record }) => {
    do cookie++;
    while (v.queue?.unanswered.has(cookie));
    return { ...record, cookie };
  });
};

interface Records {
  readonly records?: readonly PageFault[];
}

export const FAULT_READ = judge<"FAULT_READ", ReadView>("FAULT_READ", {
  promise: "FLT-03",
  view: (machine, call, _claimed, profile) => {
    const queue = machine.faultFiles.get(call.in.fault_fd);
    const count = Math.min(call.in.count, COUNT_MAX);
    const strict = profile === "linux-6.12";
    return { machine, queue, count, waiting: queue?.waiting ?? [], strict };
  },
  rules: [
    faultFileIsOpen(),
    rule("FLT-03", "ESPIPE", (v) => v.queue !== undefined && v.count % PAGE_FAULT.size !== 0),
    rule("FLT-03", "EINVAL", (v) => v.waiting.length > 0 && room(v) === 0, { applies: never }),
  ],
  facts: [
    fact<ReadView, Records>("FLT-07", {
      when: (v) => v.queue !== undefined && v.queue.gone.length > 0,
      holds: (v, { records = [] }) => !hasGone(v, records),
      right: () => "no fault of a device that has left",
      uncounted: true,
    }),
    fact<ReadView, Records>("FLT-06", {
      when: (_v, { records = [] }) => records.length > 0,
      holds: (v, { records = [] }) =>
        cookiesAreNew(v, records) && recognise(v, records).every((fault) => fault !== undefined),
      right: (v) => `faults that wait, each with a new cookie; ${firstOf(v).length} of them fit`,
    }),
    fact<ReadView, Records>("FLT-03", {
      holds: (v, { records = [] }) => {
        const first = firstOf(v);
        return (
          records.length === first.length && records.every((record, i) => isFirst(first[i], record))
        );
      },
      right: (v) => `the ${firstOf(v).length} oldest faults`,
    }),
  ],
  answer: (v) => ({ records: answerOf(v) }),
  effect: (v, { records = [] }) => {
    const { queue } = v;
    if (queue === undefined) return;
    const read = recognise(v, records);
    records.forEach(({ cookie }, i) => {
      const fault = read[i];
      if (fault !== undefined) queue.unanswered.set(cookie, fault);
    });
    queue.waiting = queue.waiting.filter((fault) => !read.includes(fault));
  },
});

const isFirst = (fault: Fault | undefined, record: PageFault): boolean =>
  fault !== undefined && isFault(fault, record);

interface WriteView extends OnFaultFile {
  readonly count: number;
  readonly responses: readonly PageResponse[];
}

const isKnownCode = (code: number): boolean =>
  code === RESPONSE_SUCCESS || code === RESPONSE_INVALID;

/** Where the responses stop being right, or readable; each cookie is good once. */
const taken = (v: WriteView, queue: FaultQueue): readonly number[] => {
  const cookies: number[] = [];
  for (const { cookie, code } of asked(v)) {
    const isOpen = queue.unanswered.has(cookie) && !cookies.includes(cookie);
    if (!isKnownCode(code) || !isOpen) break;
    cookies.push(cookie);
  }
  return cookies;
};

const asked = (v: WriteView): readonly PageResponse[] =>
  v.responses.slice(0, Math.floor(v.count / PAGE_RESPONSE.size));

const takenBytes = (v: WriteView): number =>
  v.queue === undefined ? 0 : taken(v, v.queue).length * PAGE_RESPONSE.size;

const isWhole = (v: WriteView): boolean => v.count % PAGE_RESPONSE.size === 0;

const noteZero = ({ queue, responses }: WriteView): void => {
  if (queue === undefined || queue.unanswered.size === 0) return;
  queue.zeroIsFree ||= responses.some(({ cookie }) => cookie === 0);
};

const FLT_07 = clauseIndex("FLT-07");

export const FAULT_WRITE = judge<"FAULT_WRITE", WriteView>("FAULT_WRITE", {
  promise: "FLT-04",
  view: (machine, call) => {
    const { fault_fd, count, responses } = call.in;
    const queue = machine.faultFiles.get(fault_fd);
    return { machine, queue, count: Math.min(count, COUNT_MAX), responses };
  },
  rules: [
    faultFileIsOpen(),
    rule("FLT-04", "ESPIPE", (v) => v.queue !== undefined && !isWhole(v), { applies: never }),
    rule(
      "FLT-04",
      "EINVAL",
      (v) => v.queue !== undefined && asked(v).length > 0 && takenBytes(v) === 0,
    ),
    // More bytes than there are responses: behind them is nothing to read.
    rule(
      "FLT-04",
      "EFAULT",
      (v) => v.queue !== undefined && isWhole(v) && v.count > 0 && asked(v).length === 0,
      { applies: never },
    ),
  ],
  facts: [
    fact("FLT-04", {
      holds: (v, out) => out.rc === takenBytes(v),
      right: (v) => `rc ${takenBytes(v)}`,
    }),
  ],
  answer: (v) => ({ rc: takenBytes(v) }),
  effect: (v) => {
    const { queue } = v;
    if (queue === undefined) return;
    noteZero(v);
    for (const cookie of taken(v, queue)) queue.unanswered.delete(cookie);
  },
  failure: (v, broken, coverage) => {
    noteZero(v);
    const [first] = v.responses;
    if (broken.errno !== "EINVAL" || first === undefined || coverage === undefined) return;
    const isGone = v.queue?.goneCookies.has(first.cookie) === true;
    if (isGone && isKnownCode(first.code)) countSeen(coverage, FLT_07);
  },
});
