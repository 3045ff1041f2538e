/**
 * Open files of one kind.
 *
 * Numbers of files mean the same in all processes, but a process has only those files that it
 * opened itself or inherited when it was forked. A file is closed for good when the last process
 * that has it closes it or exits.
 *
 * Everything is O(1) in the number of files but for forks and exits.
 */
import type { Process } from "./accounting";

interface OpenFile<T> {
  readonly file: T;
  readonly holders: Process[];
}

/** A file without a name of its own: what it stands for goes with it. */
export interface AnonFile {
  release(): void;
}

/** The first number of an anonymous file: standard streams have the others. */
const FIRST_ANON = 3;

export class FileTable<T> {
  readonly #release: (file: T) => void;
  readonly #files = new Map<number, OpenFile<T>>();
  #next = 0;

  /** @param release called when nobody has a file any more */
  constructor(release: (file: T) => void) {
    this.#release = release;
  }

  /** Some process has a file of this number. */
  has(number: number): boolean {
    return this.#files.has(number);
  }

  /** The number of a new file: they count up and are never used again. */
  openNext(file: T, process: Process): number {
    const number = this.#next;
    this.#next += 1;
    this.open(number, file, process);
    return number;
  }

  /** The lowest free number, as Linux gives them to anonymous files. */
  openLowest(file: T, process: Process): number {
    let number = FIRST_ANON;
    while (this.#files.has(number)) number += 1;
    this.open(number, file, process);
    return number;
  }

  open(number: number, file: T, process: Process): void {
    this.#files.set(number, { file, holders: [process] });
  }

  /** The file, if the process has it. */
  get(number: number, process: Process): T | undefined {
    const open = this.#files.get(number);
    return open?.holders.includes(process) ? open.file : undefined;
  }

  /** False: the process has no such file. */
  close(number: number, process: Process): boolean {
    const open = this.#files.get(number);
    const holder = open?.holders.indexOf(process) ?? -1;
    if (open === undefined || holder < 0) return false;
    open.holders.splice(holder, 1);
    if (open.holders.length === 0) {
      this.#files.delete(number);
      this.#release(open.file);
    }
    return true;
  }

  inherit(parent: Process, child: Process): void {
    for (const { holders } of this.#files.values()) {
      if (holders.includes(parent)) holders.push(child);
    }
  }

  closeAll(process: Process): void {
    for (const number of [...this.#files.keys()]) this.close(number, process);
  }
}
