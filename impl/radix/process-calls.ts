/** What a process does with itself: its limit, its user, its children and its end. */
import { done, type OnProcess } from "./call";

export const setrlimitMemlock: OnProcess<"SETRLIMIT_MEMLOCK"> = (_kernel, { cur, max }, process) =>
  done(process.setMemlock(cur, max));

export const setuid: OnProcess<"SETUID"> = (kernel, { uid }, process) =>
  done(process.setUser(uid, kernel.user(uid)));

export const fork: OnProcess<"FORK"> = (kernel, { child }, process) =>
  done(kernel.fork(process, child));

export const exit: OnProcess<"EXIT"> = (kernel, _args, process) => {
  kernel.exit(process);
  return done(0);
};
