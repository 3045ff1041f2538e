import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { MOCK_PLATFORM, VFIO_PLATFORM } from "../../spec/platform";
import { unmet } from "./build";
import { initramfsOf } from "./initramfs";
import { disappoints, kindOf, LINUX_PLATFORMS, unfit, VT_D_PLATFORM } from "./platforms";
import {
  cacheFolder,
  currentKernel,
  keyOf,
  makeCurrent,
  storedKernels,
  storeKernel,
} from "./store";
import { plain, qemuArguments } from "./vm";

test("a trace runs on a machine like its platform, or not at all", () => {
  expect(LINUX_PLATFORMS.map(({ name }) => name).join(" ")).toBe(
    "mock mock-contiguous mock-scattered vt-d vt-d-contiguous vt-d-scattered",
  );
  for (const platform of LINUX_PLATFORMS) {
    expect(unfit(platform)).toBeUndefined();
    expect(platform.name.startsWith(kindOf(platform))).toBe(true);
  }
  expect(unfit({ ...MOCK_PLATFORM, name: "other" })).toBeUndefined();
  expect(unfit(VFIO_PLATFORM)).toMatch(/no machine like platform vfio/);
  const [first] = MOCK_PLATFORM.processes;
  expect(unfit({ ...MOCK_PLATFORM, processes: [] })).toMatch(/one process/);
  expect(unfit({ ...MOCK_PLATFORM, processes: first ? [{ ...first, uid: 1 }] : [] })).toMatch(
    /root/,
  );
  // Which devices share a group counts, and not its number.
  const renumbered = VT_D_PLATFORM.devices.map((d) => ({ ...d, group: (d.group ?? 0) + 1 }));
  expect(unfit({ ...VT_D_PLATFORM, devices: renumbered })).toBeUndefined();
  const apart = VT_D_PLATFORM.devices.map((d, i) => ({ ...d, group: i }));
  expect(unfit({ ...VT_D_PLATFORM, devices: apart })).toMatch(/no machine/);
});

test("a machine is what its kind promises, or says what it lacks", () => {
  const hello = { kernel: "6.12", iommufd: true, mock: true, groups: [5, 9, 3, 3] };
  expect(disappoints(hello, "mock")).toBeUndefined();
  expect(disappoints(hello, "vt-d")).toBeUndefined();
  expect(disappoints({ ...hello, iommufd: false }, "vt-d")).toMatch(/no \/dev\/iommu/);
  expect(disappoints({ ...hello, mock: false }, "mock")).toMatch(/IOMMUFD_TEST/);
  expect(disappoints({ ...hello, groups: [1, 2] }, "vt-d")).toMatch(/expected \[0,1,2,2\]/);
});

test("QEMU never gets hardware virtualisation unasked, and mock machines no IOMMU", () => {
  const options = { kernel: "K", initramfs: "I", kvm: false };
  const mock = qemuArguments({ ...options, kind: "mock" }).join(" ");
  expect(mock).toContain("-accel tcg");
  expect(mock).not.toContain("intel-iommu");
  expect(qemuArguments({ ...options, kind: "vt-d" }).join(" ")).toContain("intel-iommu");
  expect(qemuArguments({ ...options, kind: "mock", kvm: true }).join(" ")).toContain("-accel kvm");
});

test("what a kernel says of itself is told without what differs from boot to boot", () => {
  const line =
    "[    3.141592] WARNING: CPU: 0 PID: 65 at drivers/x.c:766 iopt_unmap_iova+0x3d/0xb0 ffff888003a4c000";
  expect(plain(line)).toBe("WARNING: at drivers/x.c:766 iopt_unmap_iova …");
});

test("options that dependencies have taken away are named", () => {
  const config = "CONFIG_A=y\n# CONFIG_B is not set\n";
  expect(unmet("# why\nCONFIG_A=y\nCONFIG_B=y\n# CONFIG_C is not set\n", config)).toEqual([
    "CONFIG_B=y",
  ]);
});

test("the initial file system holds the agent as /init", () => {
  const archive = initramfsOf(Buffer.from("agent")).toString("latin1");
  expect(archive).toMatch(/^070701/);
  expect(archive).toContain("init\0");
  expect(archive).toContain("agent");
  expect(archive.length % 4).toBe(0);
  expect(archive).toContain("TRAILER!!!");
});

test("built kernels are found again, the last one first", () => {
  const cache = fs.mkdtempSync(path.join(os.tmpdir(), "iommufd-store-"));
  try {
    expect(currentKernel(cache)).toBeUndefined();
    expect(storedKernels(cache)).toEqual([]);
    const [vmlinux, config] = ["v", "c"].map((name) => path.join(cache, name)) as [string, string];
    for (const file of [vmlinux, config]) fs.writeFileSync(file, file);
    for (const key of ["aa", "bb"]) {
      storeKernel(cache, key, { release: `6.${key}`, source: "/src" }, { vmlinux, config });
    }
    makeCurrent(cache, "aa");
    expect(currentKernel(cache)).toMatchObject({ key: "aa", release: "6.aa", source: "/src" });
    expect(storedKernels(cache).map(({ key }) => key)).toEqual(["aa", "bb"]);
  } finally {
    fs.rmSync(cache, { recursive: true });
  }
});

test("keys tell lists of parts apart, and the cache follows XDG", () => {
  expect(keyOf("ab", "c")).not.toBe(keyOf("a", "bc"));
  expect(cacheFolder({ XDG_CACHE_HOME: "/x" })).toBe("/x/iommufd-conformance");
  expect(cacheFolder({})).toBe(path.join(os.homedir(), ".cache/iommufd-conformance"));
});
