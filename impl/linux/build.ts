/** Builds the kernel under test: from Debian's source package, or from a folder of the user's. */
import { type SpawnSyncOptions, spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { agentInitramfs, Missing } from "./agent-build";
import {
  keyOf,
  keyOfFile,
  makeCurrent,
  ownFile,
  type StoredKernel,
  storedKernel,
  storeKernel,
} from "./store";

export interface BuildOptions {
  readonly cache: string;
  /** A kernel tree; absent: Debian's package. */
  readonly source?: string;
  /** Further lines of configuration; they win over ours. */
  readonly fragment?: string;
  readonly jobs: number;
  readonly say: (line: string) => void;
}

const DEBIAN_TARBALL = "/usr/src/linux-source-6.12.tar.xz";

/** Debian's packages, with a file or program that shows that each is there. */
const NEEDED: readonly [debianPackage: string, sign: string][] = [
  ["build-essential", "gcc"],
  ["make", "make"],
  ["flex", "flex"],
  ["bison", "bison"],
  ["bc", "bc"],
  ["xz-utils", "xz"],
  ["libelf-dev", "/usr/include/libelf.h"],
  ["libssl-dev", "/usr/include/openssl/ssl.h"],
  ["qemu-system-x86", "qemu-system-x86_64"],
  ["seabios", "/usr/share/seabios/bios-256k.bin"],
  ["ipxe-qemu", "/usr/lib/ipxe/qemu/efi-virtio.rom"],
];
const APT = "apt-get";
const SOURCE_PACKAGE = "linux-source-6.12";

export const isInstalled = (sign: string): boolean =>
  sign.startsWith("/")
    ? fs.existsSync(sign)
    : (process.env["PATH"] ?? "").split(":").some((dir) => fs.existsSync(path.join(dir, sign)));

/** The Debian packages that are missing. */
export const missingPackages = (withSource: boolean): string[] => [
  ...NEEDED.filter(([, sign]) => !isInstalled(sign)).map(([name]) => name),
  ...(withSource && !fs.existsSync(DEBIAN_TARBALL) ? [SOURCE_PACKAGE] : []),
];

/** @throws Missing when something that it needs cannot be had, or make fails */
export const buildKernel = async (options: BuildOptions): Promise<StoredKernel> => {
  const { cache, say } = options;
  provide(missingPackages(options.source === undefined), say);
  agentInitramfs(cache);
  const built =
    options.source === undefined
      ? await fromDebian(options)
      : await fromFolder(options, path.resolve(options.source));
  makeCurrent(cache, built.key);
  return built;
};

/** Root on Debian gets what is missing; anybody else gets the command. */
const provide = (missing: readonly string[], say: (line: string) => void): void => {
  if (missing.length === 0) return;
  const command = `${APT} install --no-install-recommends ${missing.join(" ")}`;
  if (!isInstalled(APT) || process.getuid?.() !== 0) {
    throw new Missing(`missing: ${missing.join(", ")}; on Debian: ${command}`);
  }
  say(`installing ${missing.join(", ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const options: SpawnSyncOptions = { env, stdio: ["ignore", "ignore", "inherit"] };
  spawnSync(APT, ["update"], options);
  const apt = spawnSync(APT, ["install", "-y", "--no-install-recommends", ...missing], options);
  if (apt.status !== 0) throw new Missing(`this failed: ${command}`);
};

const readFragments = ({ fragment }: BuildOptions): string => {
  const own = fs.readFileSync(ownFile("kernel.config"), "utf8");
  return fragment === undefined ? own : `${own}\n${fragment}`;
};

const fromDebian = async (options: BuildOptions): Promise<StoredKernel> => {
  const { cache, say } = options;
  const fragments = readFragments(options);
  const key = keyOf(await keyOfFile(DEBIAN_TARBALL), fragments);
  const known = storedKernel(cache, key);
  if (known !== undefined) {
    say(`kernel ${known.release} is there already (${known.vmlinux})`);
    return known;
  }
  const work = path.join(cache, "build", key);
  fs.rmSync(work, { recursive: true, force: true });
  fs.mkdirSync(work, { recursive: true });
  try {
    say(`unpacking ${DEBIAN_TARBALL}`);
    await run("tar", ["xf", DEBIAN_TARBALL, "-C", work, "--strip-components=1"], say);
    await make(work, path.join(work, "objects"), fragments, options);
    return keep(options, key, path.join(work, "objects"), DEBIAN_TARBALL);
  } finally {
    // More than a gigabyte that nobody needs again.
    fs.rmSync(work, { recursive: true, force: true });
  }
};

/** The user's tree stays untouched; objects are kept, so that building it again takes seconds. */
const fromFolder = async (options: BuildOptions, source: string): Promise<StoredKernel> => {
  if (!fs.existsSync(path.join(source, "Kconfig"))) {
    throw new Missing(`--source ${source}: not a kernel tree, there is no Kconfig`);
  }
  const fragments = readFragments(options);
  const objects = path.join(options.cache, "build", `objects-${keyOf(source, fragments)}`);
  fs.mkdirSync(objects, { recursive: true });
  await make(source, objects, fragments, options);
  const key = await keyOfFile(path.join(objects, "vmlinux"));
  return keep(options, key, objects, source);
};

const keep = (
  { cache, say }: BuildOptions,
  key: string,
  objects: string,
  source: string,
): StoredKernel => {
  const release = fs.readFileSync(path.join(objects, "include/config/kernel.release"), "utf8");
  const files = { vmlinux: path.join(objects, "vmlinux"), config: path.join(objects, ".config") };
  storeKernel(cache, key, { release: release.trim(), source }, files);
  const built = storedKernel(cache, key);
  if (built === undefined) throw new Missing(`the kernel could not be put into ${cache}`);
  say(`kernel ${built.release}: ${built.vmlinux}`);
  return built;
};

const make = async (
  source: string,
  objects: string,
  fragments: string,
  { jobs, say }: BuildOptions,
): Promise<void> => {
  fs.mkdirSync(objects, { recursive: true });
  const fragmentFile = path.join(objects, "fragment.config");
  fs.writeFileSync(fragmentFile, fragments);
  const target = async (...args: string[]): Promise<void> => {
    await run("make", ["-s", "-C", source, `O=${objects}`, ...args], say);
  };
  say("configuring");
  await target("tinyconfig");
  const config = path.join(objects, ".config");
  const merge = path.join(source, "scripts/kconfig/merge_config.sh");
  await run(merge, ["-m", "-O", objects, config, fragmentFile], say);
  await target("olddefconfig");
  for (const line of unmet(fragments, fs.readFileSync(config, "utf8"))) {
    say(`this kernel cannot have ${line}`);
  }
  say(`building with ${jobs} jobs: some minutes`);
  await target(`-j${jobs}`, "vmlinux");
};

/** Options that were asked for, and that dependencies have taken away again. */
export const unmet = (fragments: string, config: string): string[] => {
  const got = new Set(config.split("\n"));
  return fragments.split("\n").filter((line) => /^CONFIG_\w+=/.test(line) && !got.has(line));
};

const LAST_LINES = 8;

const run = (
  command: string,
  args: readonly string[],
  say: (line: string) => void,
): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn("nice", [command, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    const tail: string[] = [];
    const take = (chunk: Buffer): void => {
      for (const line of chunk.toString("utf8").split("\n")) {
        if (line.trim() === "") continue;
        tail.push(line);
        if (tail.length > LAST_LINES) tail.shift();
      }
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.once("error", (error) => reject(new Missing(`${command}: ${error.message}`)));
    child.once("close", (code) => {
      if (code === 0) return resolve();
      for (const line of tail) say(line);
      reject(new Missing(`${path.basename(command)} ${args.join(" ")} failed`));
    });
  });
