/**
 * Where built kernels lie: a folder of the user's cache, outside any checkout.
 *
 *   kernels/KEY/{vmlinux,kernel.config,kernel.json}    KEY: of what it was built from
 *   agents/KEY/agent.cpio                              KEY: of the agent's sources
 *   current                                            KEY of the kernel that `linux` means
 */
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

/** What is not TypeScript stays in impl/linux; compiled code is three folders down, in dist. */
export const ownFile = (name: string): string =>
  [path.join(__dirname, name), path.join(__dirname, "../../../impl/linux", name)].find((file) =>
    fs.existsSync(file),
  ) ?? path.join(__dirname, name);

export interface KernelInfo {
  /** What it calls itself: "6.12.117". */
  readonly release: string;
  /** The file or folder it was built from. */
  readonly source: string;
}

export interface StoredKernel extends KernelInfo {
  readonly key: string;
  readonly vmlinux: string;
}

export const cacheFolder = (env: NodeJS.ProcessEnv = process.env): string => {
  const base = env["XDG_CACHE_HOME"] ?? "";
  return path.join(
    path.isAbsolute(base) ? base : path.join(os.homedir(), ".cache"),
    "iommufd-conformance",
  );
};

export const keyOf = (...parts: readonly (string | Uint8Array)[]): string => {
  const hash = createHash("sha256");
  // The length before each part: no two lists of parts may look the same.
  for (const part of parts) hash.update(`${part.length}\n`).update(part);
  return hash.digest("hex").slice(0, 16);
};

export const keyOfFile = async (file: string): Promise<string> => {
  const hash = createHash("sha256");
  for await (const chunk of fs.createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest("hex").slice(0, 16);
};

const kernelFolder = (cache: string, key: string): string => path.join(cache, "kernels", key);
const currentFile = (cache: string): string => path.join(cache, "current");

/** Puts a built kernel there, whole or not at all. */
export const storeKernel = (
  cache: string,
  key: string,
  info: KernelInfo,
  files: { readonly vmlinux: string; readonly config: string },
): void => {
  const folder = kernelFolder(cache, key);
  const partial = `${folder}.partial`;
  fs.rmSync(partial, { recursive: true, force: true });
  fs.mkdirSync(partial, { recursive: true });
  fs.copyFileSync(files.vmlinux, path.join(partial, "vmlinux"));
  fs.copyFileSync(files.config, path.join(partial, "kernel.config"));
  fs.writeFileSync(path.join(partial, "kernel.json"), `${JSON.stringify(info, null, 2)}\n`);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.renameSync(partial, folder);
};

export const makeCurrent = (cache: string, key: string): void => {
  fs.writeFileSync(currentFile(cache), `${key}\n`);
};

export const storedKernel = (cache: string, key: string): StoredKernel | undefined => {
  const folder = kernelFolder(cache, key);
  try {
    const json: unknown = JSON.parse(fs.readFileSync(path.join(folder, "kernel.json"), "utf8"));
    const { release, source } = json as Record<string, unknown>;
    const vmlinux = path.join(folder, "vmlinux");
    if (!fs.existsSync(vmlinux)) return undefined;
    return { key, vmlinux, release: String(release), source: String(source) };
  } catch {
    return undefined;
  }
};

/** The kernel that was built last. */
export const currentKernel = (cache: string): StoredKernel | undefined => {
  try {
    return storedKernel(cache, fs.readFileSync(currentFile(cache), "utf8").trim());
  } catch {
    return undefined;
  }
};

export const storedKernels = (cache: string): StoredKernel[] => {
  let keys: string[];
  try {
    keys = fs.readdirSync(path.join(cache, "kernels")).sort();
  } catch {
    return [];
  }
  return keys.flatMap((key) => storedKernel(cache, key) ?? []);
};
