/** From `linux` or `linux:PATH` of the command line to an implementation under test. */
import fs from "node:fs";
import path from "node:path";
import { agentInitramfs, Missing } from "./agent-build";
import { isInstalled } from "./build";
import { type LinuxIut, makeLinux } from "./iut";
import { cacheFolder, currentKernel, keyOf } from "./store";
import { QEMU } from "./vm";

export { Missing };

/**
 * @param image a vmlinux or bzImage; absent: the kernel that was built last
 * @throws Missing when the kernel, QEMU or the agent cannot be had
 */
export const linux = (image: string | undefined, env = process.env): LinuxIut => {
  const cache = cacheFolder(env);
  if (!isInstalled(QEMU)) throw new Missing("there is no QEMU: apt-get install qemu-system-x86");
  const { kernel, version } = image === undefined ? builtKernel(cache) : givenKernel(image);
  const kvm = (env["IOMMUFD_CONFORMANCE_KVM"] ?? "") === "1";
  return makeLinux({ version, kernel, initramfs: agentInitramfs(cache), kvm });
};

interface Kernel {
  readonly kernel: string;
  readonly version: string;
}

const builtKernel = (cache: string): Kernel => {
  const built = currentKernel(cache);
  if (built === undefined) throw new Missing("no kernel has been built: run `kernel build` first");
  return { kernel: built.vmlinux, version: built.release };
};

const givenKernel = (image: string): Kernel => {
  let content: Buffer;
  try {
    content = fs.readFileSync(image);
  } catch {
    throw new Missing(`cannot read the kernel ${image}`);
  }
  return { kernel: image, version: `${path.basename(image)} ${keyOf(content)}` };
};
