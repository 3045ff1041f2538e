/** Files and processes come and go in the ledger. */
import type { Call } from "../../../spec/calls";
import { endAccess } from "./access";
import { close, closeDevice, endIfUnused } from "./devices";
import type { Context, Queue } from "./ioas";
import type { LedgerState } from "./state";

/** The file that a call is made on, or names; undefined: it is the number of none. */
const fileOf = (ledger: LedgerState, call: Call): object | undefined => {
  if ("devfd" in call.in) return ledger.files.get(call.in.devfd);
  if ("access_fd" in call.in) return ledger.accesses.get(call.in.access_fd);
  if ("fault_fd" in call.in) return ledger.queues.get(call.in.fault_fd);
  return ledger.numbers.get(call.fd);
};

/** False: another process has the file, and the caller has not. */
export const mayUse = (ledger: LedgerState, call: Call): boolean => {
  const has = (file: object | undefined): boolean =>
    file === undefined || ledger.owners.has(file, call.proc);
  if (!has(fileOf(ledger, call)) || !has(ledger.numbers.get(call.fd))) return false;
  return call.call !== "VFIO_BIND" || has(ledger.numbers.get(call.in.iommufd));
};

export const noteOpen = (ledger: LedgerState, fd: number, ctx: Context, proc: number): void => {
  const number = {};
  ledger.contexts.set(fd, ctx);
  ledger.numbers.set(fd, number);
  ledger.owners.open(number, proc);
};

/** A further number of the same context (GEN-22). */
export const noteDup = (ledger: LedgerState, of: number, fd: number, proc: number): void => {
  const ctx = ledger.contexts.get(of);
  if (ctx === undefined) ledger.lost = true;
  else noteOpen(ledger, fd, ctx, proc);
};

export const noteClose = (ledger: LedgerState, fd: number, proc: number): void => {
  const number = ledger.numbers.get(fd);
  if (number === undefined) ledger.lost = true;
  else if (ledger.owners.letGo(number, proc)) closeNumber(ledger, fd);
};

/** A context goes with the last of its numbers. */
const closeNumber = (ledger: LedgerState, fd: number): void => {
  const ctx = ledger.contexts.get(fd);
  ledger.contexts.delete(fd);
  ledger.numbers.delete(fd);
  if (ctx !== undefined && ![...ledger.contexts.values()].includes(ctx)) close(ledger, ctx);
};

export const noteDeviceClose = (ledger: LedgerState, devfd: number, proc: number): void => {
  const file = ledger.files.get(devfd);
  if (file === undefined) ledger.lost = true;
  else if (ledger.owners.letGo(file, proc)) closeDevice(ledger, devfd, file);
};

export const noteCloseFault = (ledger: LedgerState, fd: number, proc: number): void => {
  const queue = ledger.queues.get(fd);
  if (queue === undefined) ledger.lost = true;
  else if (ledger.owners.letGo(queue, proc)) closeQueue(ledger, fd, queue);
};

const closeQueue = (ledger: LedgerState, fd: number, queue: Queue): void => {
  ledger.queues.delete(fd);
  queue.ctx.openQueues.delete(queue);
  endIfUnused(ledger, queue.ctx);
};

export const noteFork = (ledger: LedgerState, parent: number, child: number): void => {
  ledger.processes.set(child, ledger.process.fork());
  ledger.owners.inherit(parent, child);
};

/** Its memory is nobody's any more, but for what is pinned (MAP-33); so are its files. */
export const noteExit = (ledger: LedgerState, proc: number): void => {
  ledger.processes.delete(proc);
  ledger.anyExited = true;
  ledger.handovers++;
  const { owners } = ledger;
  const wasLast = (file: object): boolean => owners.has(file, proc) && owners.letGo(file, proc);
  for (const [fd, number] of ledger.numbers) if (wasLast(number)) closeNumber(ledger, fd);
  for (const [devfd, file] of ledger.files) if (wasLast(file)) closeDevice(ledger, devfd, file);
  for (const [fd, queue] of ledger.queues) if (wasLast(queue)) closeQueue(ledger, fd, queue);
  for (const [fd, access] of ledger.accesses) if (wasLast(access)) endAccess(ledger, fd, access);
};
