/**
 * A file that cannot be used: which file, where in it, and what is wrong, in one line.
 * The command line answers it with exit code 65.
 */
export class DataError extends Error {
  constructor(file: string, where: string, what: string) {
    super(where === "" ? `${file}: ${what}` : `${file}: ${where}: ${what}`);
    this.name = "DataError";
  }
}
