/** An initial file system of one file, /init, in the "newc" form of cpio that kernels unpack. */

interface Entry {
  readonly name: string;
  readonly mode: number;
  readonly data: Uint8Array;
}

const DIRECTORY = 0o040755;
const EXECUTABLE = 0o100755;
const NOTHING = new Uint8Array(0);

const pad4 = (bytes: Buffer): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);

const entry = ({ name, mode, data }: Entry, inode: number): Buffer => {
  const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, 0];
  const header = `070701${fields.map((n) => n.toString(16).padStart(8, "0")).join("")}`;
  return Buffer.concat([
    pad4(Buffer.from(`${header}${name}\0`, "latin1")),
    pad4(Buffer.from(data)),
  ]);
};

export const initramfsOf = (init: Uint8Array): Buffer =>
  Buffer.concat(
    [
      ...["dev", "proc", "sys"].map((name) => ({ name, mode: DIRECTORY, data: NOTHING })),
      { name: "init", mode: EXECUTABLE, data: init },
      { name: "TRAILER!!!", mode: 0, data: NOTHING },
    ].map((one, i) => entry(one, i + 1)),
  );
